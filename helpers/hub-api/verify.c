/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /api/v1/backups/{backup_id}/verify (see api.h): has a backup read back and answers with its job. The body may be missing.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "http/http-error.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "manifest.h"
#include "names.h"
#include "parse.h"
#include "request-body.h"

#include <string.h>

enum {
        BODY_MAX = 16 * 1024,
};

static const JsonField fields[] = {
        { .key = "chain", .kind = JSON_FIELD_BOOL, .optional = true },
        { .key = "disks",
          .kind = JSON_FIELD_ARRAY,
          .optional = true,
          .min = 1,
          .max = MANIFEST_DISKS_MAX },
};

static int append_request(sd_bus_message *call, const char *backup_id, const json_t *body)
{
        const json_t *chain = json_object_get(body, "chain");
        int r;

        r = sd_bus_message_append(call, "s", backup_id);
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && chain)
                r = sd_bus_message_append(call, "{sv}", "chain", "b", (int) json_is_true(chain));
        return r < 0 ? r : begun_append_disks(call, json_object_get(body, "disks"));
}

static const char *read_body(HttpRequest *request, json_t **ret_body,
                             char error[static JSON_FIELDS_ERROR_SIZE])
{
        CLEANUP(json_decref_p) json_t *body = NULL;
        const json_t *key;
        const char *why;
        size_t i;

        why = request_body_read(&(RequestBody){ fields, ELEMENTSOF(fields), BODY_MAX, true },
                                request, &body, error);
        if (why)
                return why;
        json_array_foreach (json_object_get(body, "disks"), i, key)
                if (!json_is_integer(key) || json_integer_value(key) < 1 ||
                    json_integer_value(key) > (json_int_t) DISK_KEY_MAX)
                        return "Each of disks must be the key of a disk.";
        *ret_body = TAKE(body);
        return NULL;
}

static void begin_verify(HubTask *task)
{
        static const BegunRoute route = { "VerifyBackup", read_body, append_request };

        begun_call(task, &route);
}

void api_verify_backup(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_verify, NULL, NULL);
}
