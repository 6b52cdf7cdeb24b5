/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of the connection (see worker.h). Everything here runs in the worker's thread.
 */
#include "worker.h"

#include "build-id.h"
#include "cleanup.h"
#include "clock.h"
#include "database.h"
#include "fault-point.h"
#include "hub-config.h"
#include "parse.h"
#include "sql-schema.h"
#include "store-schema.h"
#include "utf8.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include <mysql.h>

/* How long until the next attempt to connect: doubled each time, so that a server that is coming up is
 * met soon and one that is gone costs little. */
#define BACKOFF_MIN_USEC (50 * USEC_PER_MSEC)
#define BACKOFF_MAX_USEC (1000 * USEC_PER_MSEC)
/* MariaDB notes each login that it refuses, so those are fewer. */
#define BACKOFF_REFUSED_USEC (3000 * USEC_PER_MSEC)
#define SCHEMA_RETRY_USEC    (1000 * USEC_PER_MSEC)
#define TRANSACTION_GAP_USEC (5 * USEC_PER_MSEC)

typedef struct Connection {
        const Worker *worker;
        MYSQL *mysql; /* NULL while there is none */
        DatabaseState state;
        uint64_t n_losses;
        uint64_t backoff_usec;
        uint64_t due_usec; /* next attempt to connect, or next probe */
} Connection;

/* A quarter more or less, so that two programs that lost the same server do not knock in step. */
static uint64_t jittered(uint64_t usec)
{
        return usec - usec / 4 + clock_monotonic_usec() % (usec / 2 + 1);
}

/* The error has words of the server and of the library, cut to a size, and goes to the bus, which takes
 * nothing but text. */
static void set_status(Connection *c, const StoreStatus *status)
{
        StoreStatus text = *status;

        utf8_make_valid(text.error);
        if (c->state == DATABASE_READY && text.state != DATABASE_READY)
                c->n_losses++;
        text.n_losses = c->n_losses;
        c->state = text.state;
        store_queue_set_status(c->worker->queue, &text);
}

static void disconnect(Connection *c)
{
        if (!c->mysql)
                return;
        store_queue_set_connection(c->worker->queue, -1);
        c->mysql = database_close(c->mysql);
}

static void plan_next_attempt(Connection *c, uint64_t backoff_max_usec)
{
        c->due_usec = clock_monotonic_usec() + jittered(c->backoff_usec);
        c->backoff_usec *= 2;
        if (c->backoff_usec > backoff_max_usec)
                c->backoff_usec = backoff_max_usec;
}

static void lose(Connection *c, const char *why)
{
        StoreStatus status = { .state = DATABASE_UNREACHABLE };

        disconnect(c);
        plan_next_attempt(c, BACKOFF_MAX_USEC);
        (void) snprintf(status.error, sizeof(status.error),
                        "%s; is mariadb.service running? The hub goes on by itself when it is",
                        why);
        set_status(c, &status);
}

/* MariaDB is there, but not for us: before the first migration there is neither user nor database. */
static void lose_uninvited(Connection *c, const char *why)
{
        StoreStatus status = { .state = DATABASE_SCHEMA_OLDER };

        disconnect(c);
        plan_next_attempt(c, BACKOFF_REFUSED_USEC);
        (void) snprintf(status.error, sizeof(status.error),
                        "%s; sendense-migrate.service makes the database %s and the user %s, and "
                        "the hub then goes on by itself",
                        why, c->worker->config->database_name, c->worker->config->database_user);
        set_status(c, &status);
}

static const char *reason_of(MYSQL *mysql, int error)
{
        return error == -ETIMEDOUT || !*mysql_error(mysql) ? strerror(-error) : mysql_error(mysql);
}

/* The last call failed so that the connection is of no use any more. */
static void lose_after(Connection *c, int error)
{
        char why[STORE_ERROR_SIZE / 2];

        (void) snprintf(why, sizeof(why), "MariaDB at %s: %s", c->worker->config->database_socket,
                        error == -ETIMEDOUT ? "does not answer" : reason_of(c->mysql, error));
        if (error == -ENOENT || error == -EACCES)
                lose_uninvited(c, why);
        else
                lose(c, why);
}

/* One round trip, which is also a look at the schema. 0 or what went wrong. */
static int probe(Connection *c)
{
        const HubConfig *config = c->worker->config;
        StoreSchema schema;
        StoreStatus status;
        uint64_t wait_usec = config->database_probe_usec;
        int r;

        r = store_schema_read(c->mysql, config->database_connect_timeout_usec, &schema);
        if (r < 0) {
                lose_after(c, r);
                return r;
        }
        store_schema_judge(&schema, config->database_name, SQL_SCHEMA_NEWEST, build_version(),
                           &status);
        set_status(c, &status);
        c->backoff_usec = BACKOFF_MIN_USEC;
        if (status.state != DATABASE_READY && wait_usec > SCHEMA_RETRY_USEC)
                wait_usec = SCHEMA_RETRY_USEC;
        c->due_usec = clock_monotonic_usec() + wait_usec;
        return 0;
}

static int attempt_to_connect(Connection *c)
{
        const HubConfig *config = c->worker->config;
        char why[STORE_ERROR_SIZE / 2];
        int r;

        r = database_connect(config, config->database_user, config->database_name, &c->mysql, why,
                             sizeof(why));
        if (r == -EACCES || r == -ENOENT)
                lose_uninvited(c, why);
        else if (r < 0)
                lose(c, why);
        if (r < 0)
                return r;

        store_queue_set_connection(c->worker->queue, mysql_get_socket(c->mysql));
        return probe(c);
}

/* Waits for a call, for a word from the server, or until due. The server speaks to an idle client
 * only to say good-bye, so that is reason to probe. */
static void wait_for_something(Connection *c, uint64_t until_usec)
{
        struct pollfd fds[] = {
                { .fd = c->worker->queue->to_worker_fd, .events = POLLIN },
                { .fd = -1, .events = POLLIN | POLLRDHUP },
        };
        uint64_t now = clock_monotonic_usec();
        eventfd_t unused;

        if (c->mysql)
                fds[1].fd = mysql_get_socket(c->mysql);
        if (poll(fds, ELEMENTSOF(fds),
                 until_usec <= now ? 0 : (int) ((until_usec - now + 999) / 1000)) < 0)
                return; /* The caller looks at everything again. */
        if (fds[0].revents)
                (void) eventfd_read(fds[0].fd, &unused);
        if (fds[1].revents)
                c->due_usec = 0;
}

/* Begins, works, commits. Sets *ret_lost when the connection did not survive it. */
static int run_transaction(MYSQL *mysql, const StoreCall *call, int *ret_lost)
{
        int r;

        *ret_lost = 0;
        if (mysql_query(mysql, "START TRANSACTION") != 0) {
                *ret_lost = database_errno(mysql);
                return *ret_lost;
        }
        r = call->work(mysql, call->job);
        if (r >= 0) {
                fault_point("store.commit.before");
                if (mysql_commit(mysql) != 0) {
                        r = database_errno(mysql);
                        if (r != -EAGAIN)
                                *ret_lost = r;
                } else
                        fault_point("store.commit.after");
        }
        /* It fails when the connection is gone, and then MariaDB rolls back by itself. */
        if (r < 0 && *ret_lost == 0 && mysql_rollback(mysql) != 0)
                *ret_lost = -ENOTCONN;
        return r;
}

static int run_work(Connection *c, const StoreCall *call)
{
        const uint64_t limit_usec = c->worker->config->database_query_timeout_usec;
        uint64_t started;
        int r, lost;

        for (unsigned attempt = 1;; attempt++) {
                started = clock_monotonic_usec();
                r = run_transaction(c->mysql, call, &lost);
                if (lost != 0) {
                        if (store_queue_is_stopping(c->worker->queue))
                                return -ECANCELED;
                        lost = clock_monotonic_usec() - started >= limit_usec ? -ETIMEDOUT
                                                                              : -ENOTCONN;
                        lose_after(c, lost);
                        return lost;
                }
                if (r != -EAGAIN || attempt >= STORE_ATTEMPTS_MAX)
                        return r;
                (void) poll(NULL, 0,
                            (int) (jittered(TRANSACTION_GAP_USEC * attempt) / USEC_PER_MSEC));
        }
}

static void run_call(Connection *c, StoreCall *call)
{
        int r;

        if (!call->work)
                r = c->mysql ? probe(c) : attempt_to_connect(c);
        else if (c->state == DATABASE_READY)
                r = run_work(c, call);
        else
                r = -ENOTCONN;

        if (r < 0 && !call->work && store_queue_is_stopping(c->worker->queue))
                r = -ECANCELED;
        store_queue_answer(c->worker->queue, call, r);
}

static void turn(Connection *c)
{
        StoreCall *call = store_queue_next(c->worker->queue);

        if (call)
                run_call(c, call);
        else if (clock_monotonic_usec() < c->due_usec)
                wait_for_something(c, c->due_usec);
        else if (c->mysql)
                (void) probe(c);
        else
                (void) attempt_to_connect(c);
}

void *worker_main(void *argument)
{
        Connection c = {
                .worker = argument,
                .state = DATABASE_CONNECTING,
                .backoff_usec = BACKOFF_MIN_USEC,
        };

        (void) pthread_setname_np(pthread_self(), "store");
        /* It cannot fail in this library, and a failure would show at the first connection. */
        (void) mysql_thread_init();
        while (!store_queue_is_stopping(c.worker->queue))
                turn(&c);
        disconnect(&c);
        mysql_thread_end();
        return NULL;
}
