/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /api/v1/backups/{backup_id}/restore-disks (see api.h): a restore into a folder for each disk that the backup has, as sendensectl restore
 * disks does it. The jobs are begun one after the other, and the answer names them; what was begun when one is refused goes on, and is named
 * with the refusal.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "http/http-error.h"
#include "hub-task.h"
#include "job-types.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "names.h"
#include "request-body.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        BODY_MAX = 16 * 1024,
        FOLDER_MAX = 900, /* a path has 1000 */
};

static bool is_absolute(const char *path)
{
        return *path == '/';
}

static const JsonField fields[] = {
        { "folder", JSON_FIELD_TEXT, false, 1, FOLDER_MAX, is_absolute,
          "must be an absolute path" },
        { "format", JSON_FIELD_TEXT, true, 1, 16, NULL, NULL },
        { "force", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
        { "damaged_ok", JSON_FIELD_BOOL, true, 0, 0, NULL, NULL },
};

typedef struct Restores {
        json_t *body, *disks;
        size_t next; /* of disks */
        json_t *begun; /* what is answered */
        const char *key; /* the request's Idempotency-Key, borrowed; NULL: none */
        char *path; /* of the disk whose job is asked for */
} Restores;

static void restores_free(void *userdata)
{
        Restores *restores = userdata;

        json_decref(restores->body);
        json_decref(restores->disks);
        json_decref(restores->begun);
        free(restores->path);
        free(restores);
}

static void ask_next(HubTask *task);

/* The next disk that the backup has; NULL: there is none. */
static const json_t *next_disk(Restores *restores)
{
        const json_t *disk;

        while ((disk = json_array_get(restores->disks, restores->next++))) {
                const char *state = json_string_value(json_object_get(disk, "state"));

                if (state && disk_state_from_string(state) == DISK_COMPLETED)
                        return disk;
        }
        return NULL;
}

static void on_begun(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Restores *restores = task->state;
        const json_t *disk = json_array_get(restores->disks, restores->next - 1);
        uint64_t job;

        if (!error && begun_read(reply, &job) < 0)
                error = &hub_answer_unknown;
        if (error) {
                hub_refuse_with(task, http_error_status(error->name), error->name,
                                json_pack("{s:O}", "jobs", restores->begun), hub_error_text(error));
                return;
        }
        if (json_array_append_new(restores->begun,
                                  json_pack("{s:O, s:I, s:s}", "disk_key",
                                            json_object_get(disk, "key"), "job_id",
                                            (json_int_t) job, "path", restores->path)) < 0) {
                hub_answer(task, 503, NULL);
                return;
        }
        ask_next(task);
}

static int append_target(sd_bus_message *call, const Restores *restores, const char *format)
{
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_append(call, "{sv}{sv}{sv}", "kind", "s", "file", "path", "s",
                                          restores->path, "format", "s", format);
        if (r >= 0 && json_field_bool(restores->body, "force"))
                r = sd_bus_message_append(call, "{sv}", "force", "b", 1);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

/* A key for each disk follows from the request's. */
static int append_options(sd_bus_message *call, const Restores *restores, json_int_t disk_key)
{
        _cleanup_free_ char *key = NULL;
        int r;

        r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && json_field_bool(restores->body, "damaged_ok"))
                r = sd_bus_message_append(call, "{sv}", "damaged_ok", "b", 1);
        if (r < 0 || !restores->key)
                return r;
        key = text_format("%s:%" JSON_INTEGER_FORMAT, restores->key, disk_key);
        return key ? sd_bus_message_append(call, "{sv}", "idempotency_key", "s", key) : -ENOMEM;
}

/* Into FOLDER/BACKUP-KEY.FORMAT. */
static int append_disk(HubTask *task, sd_bus_message *call, const json_t *disk)
{
        Restores *restores = task->state;
        const char *backup_id = http_request_param(task->request, "backup_id");
        const char *format = json_field_text(restores->body, "format") ?: "raw";
        json_int_t key = json_integer_value(json_object_get(disk, "key"));
        int r;

        free(restores->path);
        restores->path = text_format("%s/%s-%" JSON_INTEGER_FORMAT ".%s",
                                     json_field_text(restores->body, "folder"), backup_id, key,
                                     format);
        if (!restores->path)
                return -ENOMEM;
        r = sd_bus_message_append(call, "su", backup_id, (uint32_t) key);
        if (r >= 0)
                r = append_target(call, restores, format);
        return r < 0 ? r : append_options(call, restores, key);
}

static void ask_next(HubTask *task)
{
        Restores *restores = task->state;
        const json_t *disk = next_disk(restores);
        sd_bus_message *call = NULL;
        int r;

        if (!disk && json_array_size(restores->begun) == 0) {
                hub_refuse_with(task, 404, BUS_ERROR_NOT_FOUND, NULL,
                                "The backup has no disk that could be restored.");
                return;
        }
        if (!disk) {
                hub_answer(task, 202, json_pack("{s:O}", "jobs", restores->begun));
                return;
        }
        r = hub_call_new(task, "RestoreDisk", &call);
        if (r >= 0)
                r = append_disk(task, call, disk);
        hub_call_send(task, call, r, on_begun);
}

static void on_backup(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        Restores *restores = task->state;
        CLEANUP(json_decref_p) json_t *backup = error ? NULL : hub_read(reply);

        if (error || !backup) {
                hub_refuse(task, error ?: &hub_answer_unknown);
                return;
        }
        restores->disks = json_incref(json_object_get(backup, "disks"));
        ask_next(task);
}

static const char *read_request(HttpRequest *request, Restores *restores,
                                char error[static JSON_FIELDS_ERROR_SIZE])
{
        const RequestBody want = { fields, ELEMENTSOF(fields), BODY_MAX, false };
        const char *why = begun_key(request, &restores->key);

        return why ?: request_body_read(&want, request, &restores->body, error);
}

static void begin_restores(HubTask *task)
{
        char error[JSON_FIELDS_ERROR_SIZE] = "";
        Restores *restores = calloc(1, sizeof(*restores));
        const char *why;

        if (!restores) {
                hub_answer(task, 503, NULL);
                return;
        }
        task->state = restores;
        task->state_free = restores_free;
        restores->begun = json_array();
        why = read_request(task->request, restores, error);
        if (why) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL, why);
                return;
        }
        begun_ask_backup(task, http_request_param(task->request, "backup_id"), on_backup);
}

void api_restore_disks(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_restores, NULL, NULL);
}
