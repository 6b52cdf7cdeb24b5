/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts by HTTP: POST makes one and answers when its disks can be read, DELETE ends one.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        EXPIRES_MAX_SEC = 30 * 24 * 60 * 60, /* as the hub has it */
        DISKS_MAX = 256,
        BODY_MAX = 16 * 1024,
};

static const JsonField fields[] = {
        { "disks", JSON_FIELD_ARRAY, true, 1, DISKS_MAX, NULL, NULL },
        { "expires_sec", JSON_FIELD_NUMBER, true, 1, EXPIRES_MAX_SEC, NULL, NULL },
};

typedef struct Mounting {
        json_t *body;
        bool is_writable, wants_port;
        uint64_t job;
} Mounting;

static void mounting_free(void *userdata)
{
        Mounting *mounting = userdata;

        json_decref(mounting->body);
        free(mounting);
}

/* ── A new one ── */

static void on_shown(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *mounts = error ? NULL : hub_read(reply);
        const Mounting *mounting = task->state;
        _cleanup_free_ char *location = text_format("/api/v1/jobs/%" PRIu64, mounting->job);
        json_t *mount;
        size_t i;

        json_array_foreach (mounts, i, mount)
                if ((uint64_t) json_integer_value(json_object_get(mount, "job")) == mounting->job &&
                    location) {
                        http_request_answer_at(task->request, 201, json_incref(mount), location);
                        hub_task_free(task);
                        return;
                }
        if (error)
                hub_refuse(task, error);
        else
                hub_refuse_with(task, 409, BUS_ERROR_NOT_FOUND,
                                json_pack("{s:I}", "job_id", (json_int_t) mounting->job),
                                "The mount has ended already.");
}

static void on_mounted(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Mounting *mounting = task->state;
        sd_bus_message *call = NULL;
        int r;

        if (error) {
                hub_refuse(task, error);
                return;
        }
        if (begun_read(reply, &mounting->job) < 0) {
                hub_refuse(task, &hub_answer_unknown);
                return;
        }
        r = hub_call_new(task, "ListMounts", &call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        hub_call_send(task, call, r, on_shown);
}

static int append_request(sd_bus_message *call, const char *backup_id, const Mounting *mounting)
{
        const json_t *expires = json_object_get(mounting->body, "expires_sec");
        int r;

        r = sd_bus_message_append(call, "s", backup_id);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = begun_append_disks(call, json_object_get(mounting->body, "disks"));
        if (r >= 0 && mounting->is_writable)
                r = sd_bus_message_append(call, "{sv}", "writable", "b", 1);
        if (r >= 0 && mounting->wants_port)
                r = sd_bus_message_append(call, "{sv}", "port", "b", 1);
        if (r >= 0 && expires)
                r = sd_bus_message_append(call, "{sv}", "expires_sec", "t",
                                          (uint64_t) json_integer_value(expires));
        return r;
}

static int check_disks(const json_t *disks, char *ret_error)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk)
                if (!json_is_integer(disk) || json_integer_value(disk) < 1 ||
                    json_integer_value(disk) > INT32_MAX)
                        return json_fields_refuse(ret_error,
                                                  "disks must be an array of disk keys, such as "
                                                  "2000");
        return 0;
}

static int take_bool(json_t *body, const char *key, bool *ret_value, char *ret_error)
{
        const json_t *value = json_object_get(body, key);

        if (!value)
                return 0;
        if (!json_is_boolean(value))
                return json_fields_refuse(ret_error, "%s must be true or false", key);
        *ret_value = json_is_true(value);
        return json_object_del(body, key);
}

/* An empty body asks for nothing in particular. */
static const char *read_request(HttpRequest *request, Mounting *mounting,
                                char error[static JSON_FIELDS_ERROR_SIZE])
{
        size_t size;
        const char *body = http_request_body(request, &size);

        if (http_request_query_unknown(request, NULL, 0))
                return "This path takes no query.";
        if (size > BODY_MAX)
                return "The body must have 16 KiB at most.";
        mounting->body = size > 0 ? json_loadb(body, size, JSON_REJECT_DUPLICATES, NULL)
                                  : json_object();
        if (!json_is_object(mounting->body))
                return "The body must be a JSON object.";
        if (take_bool(mounting->body, "writable", &mounting->is_writable, error) < 0 ||
            take_bool(mounting->body, "port", &mounting->wants_port, error) < 0 ||
            json_fields_check(mounting->body, fields, ELEMENTSOF(fields), "the body", error) < 0 ||
            check_disks(json_object_get(mounting->body, "disks"), error) < 0)
                return error;
        return NULL;
}

static void begin_mount(HubTask *task)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        Mounting *mounting = calloc(1, sizeof(*mounting));
        sd_bus_message *call = NULL;
        const char *why;
        int r;

        if (begun_refuse_key(task,
                             "A mount has no Idempotency-Key: GET /api/v1/mounts shows whether "
                             "it is there already.")) {
                free(mounting);
                return;
        }
        if (!mounting) {
                hub_answer(task, 503, NULL);
                return;
        }
        task->state = mounting;
        task->state_free = mounting_free;
        why = read_request(task->request, mounting, error);
        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return;
        }
        r = hub_call_new(task, "MountBackup", &call);
        if (r >= 0)
                r = append_request(call, http_request_param(task->request, "backup_id"), mounting);
        hub_call_send(task, call, r, on_mounted);
}

void api_mount_backup(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_mount, NULL, NULL);
}

/* ── Its end ── */

static void on_ended(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        (void) reply;
        if (error)
                hub_refuse(task, error);
        else
                hub_answer(task, 200, json_pack("{s:s}", "status", "completed"));
}

static void begin_end(HubTask *task)
{
        sd_bus_message *call = NULL;
        uint64_t job = 0;
        int r;

        if (http_request_query_unknown(task->request, NULL, 0)) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL,
                                "This path takes no query.");
                return;
        }
        if (parse_uint64(http_request_param(task->request, "job"), 1, INT64_MAX, &job) < 0) {
                hub_refuse_with(task, 404, BUS_ERROR_NOT_FOUND, NULL, "There is no such mount.");
                return;
        }
        r = hub_call_new(task, "UnmountBackup", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "t", job);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        hub_call_send(task, call, r, on_ended);
}

void api_end_mount(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_end, NULL, NULL);
}
