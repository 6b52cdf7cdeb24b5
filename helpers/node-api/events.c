/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The states of a task as server-sent events (see api.h). Each event is the whole state, so that nothing is lost when a
 * reader comes back: the first event of a stream is how things stand. A signal of the task on the bus asks for the
 * next; while one is asked for, further signals are one question more. The stream ends with the task.
 */
#include "api.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "node-call.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct Events {
        Api *api;
        Events *next; /* of those that wait */
        uint64_t job, n_sent;
        HttpRequest *request; /* until the first answer */
        HttpStream *stream; /* from then on, until the reader has gone */
        sd_bus_slot *signals, *owner, *question;
        bool is_asking, is_stale;
};

static int events_ask(Events *events);

/* It waits no more. */
static void events_unlink(const Events *events)
{
        Events **link = &events->api->waiting;

        while (*link && *link != events)
                link = &(*link)->next;
        if (*link)
                *link = events->next;
}

static Events *events_free(Events *events)
{
        if (!events)
                return NULL;
        events_unlink(events);
        sd_bus_slot_unref(events->signals);
        sd_bus_slot_unref(events->owner);
        sd_bus_slot_unref(events->question);
        free(events);
        return NULL;
}

static void on_gone(void *userdata)
{
        events_free(userdata);
}

static void events_end(Events *events)
{
        if (events->stream)
                http_stream_end(events->stream);
        events_free(events);
}

static bool is_final(const json_t *task)
{
        static const char *const states[] = { "released", "failed", "cancelled" };
        const char *state = json_string_value(json_object_get(task, "state"));

        for (size_t i = 0; state && i < ELEMENTSOF(states); i++)
                if (strcmp(states[i], state) == 0)
                        return true;
        return false;
}

/* The answer to a question that was asked before the stream began. */
static int events_begin(Events *events)
{
        HttpRequest *request = TAKE(events->request);

        events_unlink(events);
        events->stream = http_request_stream(request, on_gone, events);
        return events->stream ? 0 : -ENOBUFS;
}

/* false: events is gone. */
static bool events_send(Events *events, const char *event, const json_t *data)
{
        if (events->request && events_begin(events) < 0) {
                events_free(events);
                return false;
        }
        /* A reader that does not read is given up by the stream, which tells on_gone(). */
        (void) http_stream_send(events->stream, ++events->n_sent, event, data);
        return true;
}

/* The node went away in the middle, or knows the task no more. false: events is gone. */
static bool events_refuse(Events *events, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *data = NULL;

        if (events->request) {
                node_call_refuse(events->request, error);
                events_free(events);
                return false;
        }
        data = json_pack("{s:s, s:s*}", "error", error->name, "message", error->message);
        return events_send(events, "error", data);
}

/* Nothing more will come of a task that has ended, or that the node does not know any more. */
static bool is_last(const json_t *task, const sd_bus_error *error)
{
        return is_final(task) || (error && strcmp(error->name, BUS_ERROR_NOT_FOUND) == 0);
}

static int on_task(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        CLEANUP(json_decref_p) json_t *task = NULL;
        sd_bus_error space;
        const sd_bus_error *error = node_reply_error(reply, &space);
        Events *events = userdata;
        bool is_there;

        (void) ret_error;
        events->is_asking = false;
        if (!error) {
                task = node_read(reply);
                if (!task)
                        error = &node_answer_unknown;
        }
        is_there = error ? events_refuse(events, error) : events_send(events, "state", task);
        if (is_there && is_last(task, error))
                events_end(events);
        else if (is_there && events->is_stale)
                (void) events_ask(events);
        return 0;
}

static int events_ask(Events *events)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        int r;

        events->is_stale = events->is_asking;
        if (events->is_asking)
                return 0;
        events->question = sd_bus_slot_unref(events->question);
        r = node_call_new(events->api->bus, "GetTask", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "ta{sv}", events->job, 0);
        if (r >= 0)
                r = sd_bus_call_async(events->api->bus, &events->question, call, on_task, events,
                                      0);
        events->is_asking = r >= 0;
        return r < 0 ? r : 0;
}

static int on_signal(sd_bus_message *signal, void *userdata, sd_bus_error *ret_error)
{
        (void) signal;
        (void) ret_error;
        (void) events_ask(userdata); /* the next signal asks again */
        return 0;
}

static int events_follow(Events *events)
{
        _cleanup_free_ char *path = text_format(NODE_BUS_PATH "/task/%" PRIu64, events->job);
        int r;

        if (!path)
                return -ENOMEM;
        r = sd_bus_match_signal_async(events->api->bus, &events->signals, NODE_BUS_NAME, path,
                                      "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                      on_signal, NULL, events);
        if (r >= 0)
                r = sd_bus_add_match_async(
                                events->api->bus, &events->owner,
                                "type='signal',sender='org.freedesktop.DBus',"
                                "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                "arg0='" NODE_BUS_NAME "'",
                                on_signal, NULL, events);
        if (r >= 0)
                r = events_ask(events);
        return r;
}

void api_events_forget(Api *api)
{
        while (api->waiting)
                events_free(api->waiting);
}

void api_events(HttpRequest *request, void *userdata)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        uint64_t job = api_job(request);
        Events *events;
        int r;

        if (job == 0)
                return;
        events = calloc(1, sizeof(*events));
        if (events) {
                Api *api = userdata;

                *events = (Events){
                        .api = api, .next = api->waiting, .job = job, .request = request
                };
                api->waiting = events;
                r = events_follow(events);
        } else
                r = -ENOMEM;
        if (r < 0) {
                events_free(events);
                (void) sd_bus_error_set_errno(&error, r);
                node_call_refuse(request, &error);
        }
}
