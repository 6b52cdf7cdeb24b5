/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /api/v1/jobs/{id}/events: a job as server-sent events (see api.h). Each event is the whole job, so the first of a stream is how
 * things stand. Its id is that of the newest line in the job's history; what the history has beyond the last id that a reader has seen,
 * in this stream or, as Last-Event-ID tells, in another, is sent before. The stream ends with the job, and when the hub refuses its
 * reader.
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
        uint64_t last_id; /* seen */
        bool knows_last; /* false: the reader begins */
        bool is_told; /* that the hub does not answer */
} Events;

static void on_gone(void *userdata)
{
        hub_task_free(userdata);
}

/* false: the task is gone. */
static bool send(HubTask *task, uint64_t id, const char *event, const json_t *data)
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
        (void) http_stream_send(events->stream, id, event, data);
        return true;
}

static uint64_t id_of(const json_t *line)
{
        json_int_t id = json_integer_value(json_object_get(line, "id"));

        return id > 0 ? (uint64_t) id : 0;
}

/* false: the task is gone. */
static bool send_job(HubTask *task, const json_t *job)
{
        const json_t *history = json_object_get(job, "events"), *line;
        Events *events = follow_userdata(task);
        uint64_t newest = id_of(json_array_get(history, json_array_size(history) - 1));
        size_t i;

        json_array_foreach (history, i, line)
                if (events->knows_last && id_of(line) > events->last_id && id_of(line) < newest &&
                    !send(task, id_of(line), "history", line))
                        return false;
        events->last_id = newest;
        events->knows_last = true;
        return send(task, newest, "state", job);
}

static void end(HubTask *task)
{
        Events *events = follow_userdata(task);

        http_stream_end(events->stream);
        hub_task_free(task);
}

static bool on_news(HubTask *task, const json_t *job, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *data = NULL;

        Events *events = follow_userdata(task);

        if (!error && !send_job(task, job))
                return false;
        if (!error) {
                events->is_told = false;
                if (!follow_is_final(job))
                        return true;
                end(task);
                return false;
        }
        if (task->request) {
                hub_refuse(task, error);
                return false;
        }
        if (events->is_told && !follow_is_for_good(error))
                return true;
        events->is_told = true;
        data = json_pack("{s:s, s:s}", "error", error->name, "detail", hub_error_text(error));
        if (!send(task, events->last_id, "error", data))
                return false;
        if (!follow_is_for_good(error))
                return true;
        end(task);
        return false;
}

static void begin(HubTask *task)
{
        const char *text = http_request_param(task->request, "id");
        const char *last = http_request_header(task->request, "Last-Event-ID");
        Events *events;
        uint64_t job;
        int r;

        if (!text || parse_uint64(text, 1, INT64_MAX, &job) < 0) {
                hub_refuse_with(task, 404, BUS_ERROR_NOT_FOUND, NULL, "A job's id is a number.");
                return;
        }
        events = calloc(1, sizeof(*events));
        if (events && last)
                events->knows_last = parse_uint64(last, 0, INT64_MAX, &events->last_id) >= 0;
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
