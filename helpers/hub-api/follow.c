/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions about a job (see follow.h).
 */
#include "follow.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "names.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        AGAIN_SEC = 2,
};

struct Follow {
        HubTask *task;
        uint64_t job;
        FollowNews news;
        sd_bus_slot *signals, *owner;
        sd_event_source *again; /* after a failure, when the last signal may be over */
        bool is_asking, is_stale, is_over;
        bool is_renewed; /* who asks was shown to the hub again, and there was no answer since */
        void *userdata;
        void (*userdata_free)(void *userdata);
};

static void follow_free(void *state)
{
        Follow *follow = state;

        sd_bus_slot_unref(follow->signals);
        sd_bus_slot_unref(follow->owner);
        sd_event_source_disable_unref(follow->again);
        if (follow->userdata_free)
                follow->userdata_free(follow->userdata);
        free(follow);
}

static void ask(Follow *follow);
static void send(HubTask *task);

/* A hub that was started anew knows no session of before. */
static bool may_renew(const Follow *follow, const sd_bus_error *error)
{
        return error && strcmp(error->name, BUS_ERROR_UNAUTHORIZED) == 0 && !follow->is_renewed;
}

static void on_job(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Follow *follow = task->state;
        CLEANUP(json_decref_p) json_t *job = error ? NULL : hub_read(reply);

        bool is_passing;

        if (may_renew(follow, error)) {
                follow->is_renewed = true;
                hub_task_renew(task, send, on_job);
                return;
        }
        follow->is_renewed = false;
        follow->is_asking = false;
        if (!error && !job)
                error = &hub_answer_unknown;
        is_passing = error && !follow_is_for_good(error);
        if (!follow->news(task, job, error))
                return;
        if (follow->is_stale)
                ask(follow);
        else if (is_passing &&
                 sd_event_source_set_time_relative(follow->again, AGAIN_SEC * USEC_PER_SEC) >= 0)
                (void) sd_event_source_set_enabled(follow->again, SD_EVENT_ONESHOT);
}

static void send(HubTask *task)
{
        const Follow *follow = task->state;
        sd_bus_message *call = NULL;
        int r;

        r = hub_call_new(task, "GetJob", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "t", follow->job);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        hub_call_send(task, call, r, on_job);
}

static void ask(Follow *follow)
{
        if (follow->is_over)
                return;
        follow->is_stale = follow->is_asking;
        if (follow->is_asking)
                return;
        follow->is_asking = true;
        (void) sd_event_source_set_enabled(follow->again, SD_EVENT_OFF);
        send(follow->task);
}

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
        (void) signal, (void) ret_error;
        ask(userdata);
        return 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        (void) source, (void) usec;
        ask(userdata);
        return 0;
}

static int listen(Follow *follow)
{
        _cleanup_free_ char *path = text_format(HUB_BUS_PATH "/job/%" PRIu64, follow->job);
        sd_bus *bus = follow->task->api->bus;
        int r;

        if (!path)
                return -ENOMEM;
        r = sd_event_add_time_relative(sd_bus_get_event(bus), &follow->again, CLOCK_MONOTONIC, 0, 0,
                                       on_again, follow);
        if (r >= 0)
                r = sd_event_source_set_enabled(follow->again, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_bus_match_signal_async(bus, &follow->signals, HUB_BUS_NAME, path,
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                      on_signal, NULL, follow);
        if (r < 0)
                return r;
        return sd_bus_add_match_async(bus, &follow->owner,
                                      "type='signal',sender='org.freedesktop.DBus',"
                                      "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                      "arg0='" HUB_BUS_NAME "'",
                                      on_signal, NULL, follow);
}

int follow_start(HubTask *task, uint64_t job, FollowNews news, void *userdata,
                 void (*userdata_free)(void *userdata))
{
        Follow *follow = calloc(1, sizeof(*follow));
        int r;

        if (!follow)
                return -ENOMEM;
        *follow = (Follow){
                .task = task,
                .job = job,
                .news = news,
        };
        r = listen(follow);
        if (r < 0) {
                follow_free(follow);
                return r;
        }
        follow->userdata = userdata;
        follow->userdata_free = userdata_free;
        task->state = follow;
        task->state_free = follow_free;
        ask(follow);
        return 0;
}

void follow_ask(HubTask *task)
{
        ask(task->state);
}

void follow_stop(HubTask *task)
{
        Follow *follow = task->state;

        follow->is_over = true;
}

void *follow_userdata(const HubTask *task)
{
        const Follow *follow = task->state;

        return follow->userdata;
}

uint64_t follow_job(const HubTask *task)
{
        const Follow *follow = task->state;

        return follow->job;
}

bool follow_is_final(const json_t *job)
{
        const char *state = json_string_value(json_object_get(job, "state"));

        return state && job_state_is_final(job_state_from_string(state));
}

bool follow_is_for_good(const sd_bus_error *error)
{
        return strcmp(error->name, BUS_ERROR_NOT_FOUND) == 0 ||
               strcmp(error->name, BUS_ERROR_UNAUTHORIZED) == 0 ||
               strcmp(error->name, BUS_ERROR_ACCESS_DENIED) == 0;
}
