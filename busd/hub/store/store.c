/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop's side of the store (see store.h): makes the thread, takes calls, hands out answers.
 */
#include "store.h"

#include "cleanup.h"
#include "sql-schema.h"
#include "store-queue.h"
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>

#include <mysql.h>

struct Store {
        StoreQueue queue;
        Worker worker;
        pthread_t thread;
        bool has_queue, has_library, has_thread, is_ending;

        sd_event_source *source;
        StoreStatusHandler handler;
        void *userdata;
        StoreStatus status; /* as last told */
        unsigned n_open; /* calls not answered yet */
};

static const char *const database_states[DATABASE_STATE_MAX] = {
        [DATABASE_CONNECTING] = "connecting",     [DATABASE_READY] = "ready",
        [DATABASE_UNREACHABLE] = "unreachable",   [DATABASE_SCHEMA_OLDER] = "schema-older",
        [DATABASE_SCHEMA_NEWER] = "schema-newer",
};

const char *database_state_to_string(DatabaseState state)
{
        return state >= 0 && state < DATABASE_STATE_MAX ? database_states[state] : NULL;
}

DatabaseState database_state_from_string(const char *text)
{
        for (int i = 0; i < DATABASE_STATE_MAX; i++)
                if (strcmp(database_states[i], text) == 0)
                        return (DatabaseState) i;
        return DATABASE_STATE_INVALID;
}

uint32_t store_schema_expected(void)
{
        return SQL_SCHEMA_NEWEST;
}

const StoreStatus *store_status(const Store *store)
{
        return &store->status;
}

/* Each call is off the list and off the count before its answer is told, which may submit another. */
static void answer(Store *store, StoreCall *list)
{
        while (list) {
                _cleanup_free_ StoreCall *call = list;

                list = call->next;
                store->n_open--;
                call->done(call->result, call->job, call->userdata);
        }
}

/* The answers are taken before the status, which then is at least as new, and told after it. */
static int on_news(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Store *store = userdata;
        StoreCall *answers;
        eventfd_t unused;

        (void) source, (void) revents;
        (void) eventfd_read(fd, &unused);
        answers = store_queue_take_answers(&store->queue);
        if (store_queue_take_status(&store->queue, &store->status) && store->handler)
                store->handler(&store->status, store->userdata);
        answer(store, answers);
        return 0;
}

/* The signals are the loop's. */
static int start_thread(Store *store)
{
        sigset_t all, before;
        int r;

        (void) sigfillset(&all);
        r = pthread_sigmask(SIG_SETMASK, &all, &before);
        if (r != 0)
                return -r;
        r = pthread_create(&store->thread, NULL, worker_main, &store->worker);
        store->has_thread = r == 0;
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -r;
}

DEFINE_CLEANUP(Store *, store_free)

int store_new(sd_event *event, const HubConfig *config, StoreStatusHandler handler, void *userdata,
              Store **ret_store)
{
        CLEANUP(store_free_p) Store *store = NULL;
        int r;

        store = malloc(sizeof(Store));
        if (!store)
                return -ENOMEM;
        *store = (Store){
                .worker = { .queue = &store->queue, .config = config },
                .handler = handler,
                .userdata = userdata,
        };

        r = store_queue_init(&store->queue);
        if (r < 0)
                return r;
        store->has_queue = true;
        if (mysql_library_init(0, NULL, NULL) != 0)
                return -ENOMEM;
        store->has_library = true;
        r = sd_event_add_io(event, &store->source, store->queue.to_loop_fd, EPOLLIN, on_news,
                            store);
        if (r >= 0)
                r = sd_event_source_set_description(store->source, "store");
        if (r >= 0)
                r = start_thread(store);
        if (r < 0)
                return r;

        *ret_store = TAKE(store);
        return 0;
}

/* What never ran. */
static void cancel_rest(Store *store)
{
        StoreCall *rest = store_queue_take_unanswered(&store->queue);

        for (StoreCall *call = rest; call; call = call->next)
                call->result = -ECANCELED;
        answer(store, rest);
}

void store_end(Store *store)
{
        if (!store || store->is_ending)
                return;
        store->is_ending = true;
        if (store->has_thread) {
                store_queue_stop(&store->queue);
                (void) pthread_join(store->thread, NULL);
                answer(store, store_queue_take_answers(&store->queue));
                cancel_rest(store);
        }
}

Store *store_free(Store *store)
{
        if (!store)
                return NULL;

        store_end(store);
        sd_event_source_disable_unref(store->source);
        if (store->has_library)
                mysql_library_end();
        if (store->has_queue)
                store_queue_done(&store->queue);
        free(store);
        return NULL;
}

static int put(Store *store, StoreWork work, StoreDone done, void *job, void *userdata)
{
        StoreCall *call;

        if (store->is_ending)
                return -ECANCELED;
        if (store->n_open >= STORE_QUEUE_MAX)
                return -EBUSY;
        call = malloc(sizeof(StoreCall));
        if (!call)
                return -ENOMEM;
        *call = (StoreCall){
                .work = work,
                .done = done,
                .job = job,
                .userdata = userdata,
        };
        store->n_open++;
        store_queue_put(&store->queue, call);
        return 0;
}

int store_submit(Store *store, StoreWork work, StoreDone done, void *job, void *userdata)
{
        if (!store->is_ending && store->status.state != DATABASE_READY)
                return -ENOTCONN;
        return put(store, work, done, job, userdata);
}

int store_probe(Store *store, StoreDone done, void *userdata)
{
        return put(store, NULL, done, NULL, userdata);
}
