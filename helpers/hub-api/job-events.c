/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /api/v1/jobs/{id}/events: a job as server-sent events (see api.h). Each event is the whole job, so the first of a stream is how
 * things stand, and a reader that comes back has lost nothing. The stream ends with the job, and when the hub refuses its reader.
 */
#include "api.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "follow.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "parse.h"

#include <errno.h>
#include <string.h>

typedef struct Events {
        HttpStream *stream;
        uint64_t n_sent;
} Events;

static void on_gone(void *userdata)
{
        hub_task_free(userdata);
}

/* false: the task is gone. */
static bool send(HubTask *task, const char *event, const json_t *data)
{
        Events *events = follow_userdata(task);

        if (!events->stream) {
                HttpRequest *request = TAKE(task->request);

                events->stream = http_request_stream(request, on_gone, task);
                if (!events->stream) {
                        hub_task_free(task);
                        return false;
                }
        }
        /* A reader that does not read is given up by the stream, which tells on_gone(). */
        (void) http_stream_send(events->stream, ++events->n_sent, event, data);
        return true;
}

static void end(HubTask *task)
{
        Events *events = follow_userdata(task);

        http_stream_end(events->stream);
        hub_task_free(task);
}

/* The hub may come back; who may not look, or asks for what is not there, may go. */
static bool is_for_good(const sd_bus_error *error)
{
        return strcmp(error->name, BUS_ERROR_NOT_FOUND) == 0 ||
               strcmp(error->name, BUS_ERROR_UNAUTHORIZED) == 0 ||
               strcmp(error->name, BUS_ERROR_ACCESS_DENIED) == 0;
}

static bool on_news(HubTask *task, const json_t *job, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *data = NULL;

        if (!error && !send(task, "state", job))
                return false;
        if (!error && !follow_is_final(job))
                return true;
        if (!error) {
                end(task);
                return false;
        }
        if (task->request) {
                hub_refuse(task, error);
                return false;
        }
        data = json_pack("{s:s, s:s}", "error", error->name, "detail", hub_error_text(error));
        if (!send(task, "error", data))
                return false;
        if (!is_for_good(error))
                return true;
        end(task);
        return false;
}

static void begin(HubTask *task)
{
        const char *text = http_request_param(task->request, "id");
        Events *events;
        uint64_t job;
        int r;

        if (!text || parse_uint64(text, 1, INT64_MAX, &job) < 0) {
                hub_refuse_with(task, 404, BUS_ERROR_NOT_FOUND, NULL, "A job's id is a number.");
                return;
        }
        events = calloc(1, sizeof(*events));
        r = events ? follow_start(task, job, on_news, events, free) : -ENOMEM;
        if (r < 0) {
                free(events);
                hub_refuse_with(task, 503, BUS_ERROR_BUSY, NULL, strerror(-r));
        }
}

void api_job_events(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin, NULL, NULL);
}
