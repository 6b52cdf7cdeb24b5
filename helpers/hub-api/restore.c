/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /api/v1/backups/{backup_id}/restore (see api.h): begins the restore of one disk and answers with its job.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "http/http-error.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "names.h"
#include "nbd-uri.h"
#include "parse.h"
#include "request-body.h"

#include <string.h>

enum {
        BODY_MAX = 16 * 1024,
        PATH_MAX_BYTES = 1000,
};

static const JsonField fields[] = {
        { .key = "disk_key", .kind = JSON_FIELD_NUMBER, .min = 1, .max = DISK_KEY_MAX },
        { .key = "target", .kind = JSON_FIELD_OBJECT },
        { .key = "damaged_ok", .kind = JSON_FIELD_BOOL, .optional = true },
};

static const JsonField target_fields[] = {
        { .key = "kind", .kind = JSON_FIELD_TEXT, .min = 1, .max = 16 },
        { .key = "path",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = PATH_MAX_BYTES },
        { .key = "format", .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, .max = 16 },
        { .key = "uri",
          .kind = JSON_FIELD_TEXT,
          .optional = true,
          .min = 1,
          .max = NBD_URI_SIZE - 1 },
        { .key = "force", .kind = JSON_FIELD_BOOL, .optional = true },
};

static int append_texts(sd_bus_message *call, const json_t *target)
{
        static const char *const keys[] = { "kind", "path", "format", "uri" };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++)
                if (json_object_get(target, keys[i]))
                        r = sd_bus_message_append(call, "{sv}", keys[i], "s",
                                                  json_field_text(target, keys[i]));
        return r;
}

static int append_request(sd_bus_message *call, const char *backup_id, const json_t *body)
{
        const json_t *target = json_object_get(body, "target");
        int r;

        r = sd_bus_message_append(call, "su", backup_id,
                                  (uint32_t) json_field_number(body, "disk_key"));
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0)
                r = append_texts(call, target);
        if (r >= 0 && json_field_bool(target, "force"))
                r = sd_bus_message_append(call, "{sv}", "force", "b", 1);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && json_field_bool(body, "damaged_ok"))
                r = sd_bus_message_append(call, "{sv}", "damaged_ok", "b", 1);
        return r;
}

static const char *read_body(HttpRequest *request, json_t **ret_body,
                             char error[static JSON_FIELDS_ERROR_SIZE])
{
        CLEANUP(json_decref_p) json_t *body = NULL;
        const char *why;

        why = request_body_read(&(RequestBody){ fields, ELEMENTSOF(fields), BODY_MAX, false },
                                request, &body, error);
        if (why)
                return why;
        if (json_fields_check(json_object_get(body, "target"), target_fields,
                              ELEMENTSOF(target_fields), "target", error) < 0)
                return error;
        *ret_body = TAKE(body);
        return NULL;
}

static void begin_restore(HubTask *task)
{
        static const BegunRoute route = { "RestoreDisk", read_body, append_request };

        begun_call(task, &route);
}

void api_restore_disk(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_restore, NULL, NULL);
}
