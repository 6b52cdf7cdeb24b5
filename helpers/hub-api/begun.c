/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls that begin jobs, and their answers (see begun.h).
 */
#include "begun.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "parse.h"
#include "text.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        KEY_MAX = 128,
};

const char *begun_key(HttpRequest *request, const char **ret_key)
{
        const char *key = http_request_header(request, "Idempotency-Key");

        if (key && (*key == '\0' || strlen(key) > KEY_MAX || !utf8_is_line(key)))
                return "The header Idempotency-Key must be one line of 1 to 128 bytes.";
        *ret_key = key;
        return NULL;
}

bool begun_refuse_key(HubTask *task, const char *instead)
{
        if (!http_request_header(task->request, "Idempotency-Key"))
                return false;
        hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, instead);
        return true;
}

void begun_ask_backup(HubTask *task, const char *id, HubReply reply)
{
        sd_bus_message *call = NULL;
        int r = hub_call_new(task, "GetBackup", &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "s", id);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        hub_call_send(task, call, r, reply);
}

int begun_append_disks(sd_bus_message *call, const json_t *disks)
{
        const json_t *key;
        size_t i;
        int r;

        if (!disks)
                return 0;
        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", "disks");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "au");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "u");
        json_array_foreach (disks, i, key)
                if (r >= 0)
                        r = sd_bus_message_append(call, "u", (uint32_t) json_integer_value(key));
        for (int n = 0; r >= 0 && n < 3; n++)
                r = sd_bus_message_close_container(call);
        return r;
}

/* "/com/sendense/Hub1/job/7" */
int begun_read(sd_bus_message *reply, uint64_t *ret_job)
{
        const char *path, *slash;

        if (sd_bus_message_read(reply, "o", &path) <= 0)
                return -EBADMSG;
        slash = strrchr(path, '/');
        return slash && parse_uint64(slash + 1, 1, INT64_MAX, ret_job) >= 0 ? 0 : -EBADMSG;
}

void begun_answer(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        _cleanup_free_ char *location = NULL;
        uint64_t job;
        json_t *body;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        if (begun_read(reply, &job) < 0) {
                hub_refuse(task, &hub_answer_unknown);
                return;
        }
        location = text_format("/api/v1/jobs/%" PRIu64, job);
        body = json_pack("{s:I}", "job_id", (json_int_t) job);
        if (!location || !body) {
                json_decref(body);
                hub_answer(task, 503, NULL);
                return;
        }
        http_request_answer_at(task->request, 202, body, location);
        hub_task_free(task);
}

static void free_body(void *userdata)
{
        json_decref(userdata);
}

void begun_call(HubTask *task, const BegunRoute *route)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        sd_bus_message *call = NULL;
        json_t *body = NULL;
        const char *why, *key = NULL;
        int r;

        why = begun_key(task->request, &key);
        if (!why)
                why = route->read_body(task->request, &body, error);
        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return;
        }
        task->state = body;
        task->state_free = free_body;
        r = hub_call_new(task, route->method, &call);
        if (r >= 0)
                r = route->append(call, http_request_param(task->request, "backup_id"), body);
        if (r >= 0 && key)
                r = sd_bus_message_append(call, "{sv}", "idempotency_key", "s", key);
        hub_call_send(task, call, r, begun_answer);
}
