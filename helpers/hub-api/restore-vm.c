/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * POST /api/v1/backups/{backup_id}/restore-vm (see api.h): begins the restore of a whole VM and answers with its job.
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-task.h"
#include "json-cleanup.h"
#include "json-fields.h"
#include "request-body.h"

#include <string.h>

enum {
        BODY_MAX = 64 * 1024,
        TEXT_MAX = 1024,
};

#define TEXT(k)                                                                                  \
        {                                                                                        \
                .key = (k), .kind = JSON_FIELD_TEXT, .optional = true, .min = 1, .max = TEXT_MAX \
        }
#define FLAG(k)                                                       \
        {                                                             \
                .key = (k), .kind = JSON_FIELD_BOOL, .optional = true \
        }

/* Of the target; then those of the options. */
static const JsonField fields[] = {
        TEXT("vcenter"),    TEXT("name"),
        TEXT("folder"),     TEXT("resource_pool"),
        TEXT("host"),       TEXT("datastore"),
        FLAG("power_on"),   FLAG("keep_macs"),
        FLAG("force"),      FLAG("in_place"),
        FLAG("keep_disks"), { .key = "networks", .kind = JSON_FIELD_OBJECT, .optional = true },
        TEXT("node"),       FLAG("verify"),
        FLAG("damaged_ok"),
};

enum {
        N_TARGET = 12, /* the first ones, networks the last of them */
};

static int append_networks(sd_bus_message *call, const json_t *networks)
{
        const char *old;
        json_t *value;
        int r;

        r = sd_bus_message_open_container(call, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(call, "s", "networks");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'v', "a{ss}");
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{ss}");
        json_object_foreach ((json_t *) networks, old, value)
                if (r >= 0)
                        r = sd_bus_message_append(call, "{ss}", old, json_string_value(value));
        for (int n = 0; r >= 0 && n < 3; n++)
                r = sd_bus_message_close_container(call);
        return r;
}

static int append_member(sd_bus_message *call, const json_t *body, const JsonField *field)
{
        const json_t *value = json_object_get(body, field->key);

        if (!value)
                return 0;
        if (field->kind == JSON_FIELD_OBJECT)
                return append_networks(call, value);
        if (field->kind == JSON_FIELD_BOOL)
                return sd_bus_message_append(call, "{sv}", field->key, "b",
                                             (int) json_is_true(value));
        return sd_bus_message_append(call, "{sv}", field->key, "s", json_string_value(value));
}

static int append_dict(sd_bus_message *call, const json_t *body, size_t first, size_t end)
{
        int r = sd_bus_message_open_container(call, 'a', "{sv}");

        for (size_t i = first; i < end && r >= 0; i++)
                r = append_member(call, body, fields + i);
        return r;
}

/* The last dictionary stays open: hub_call_send() adds to it. */
static int append_request(sd_bus_message *call, const char *backup_id, const json_t *body)
{
        int r;

        r = sd_bus_message_append(call, "s", backup_id);
        if (r >= 0)
                r = append_dict(call, body, 0, N_TARGET);
        if (r >= 0)
                r = sd_bus_message_close_container(call);
        return r < 0 ? r : append_dict(call, body, N_TARGET, ELEMENTSOF(fields));
}

static const char *read_body(HttpRequest *request, json_t **ret_body,
                             char error[static JSON_FIELDS_ERROR_SIZE])
{
        CLEANUP(json_decref_p) json_t *body = NULL;
        const char *why, *old;
        json_t *value;

        why = request_body_read(&(RequestBody){ fields, ELEMENTSOF(fields), BODY_MAX, true },
                                request, &body, error);
        if (why)
                return why;
        json_object_foreach (json_object_get(body, "networks"), old, value)
                if (!json_is_string(value))
                        return "networks must be an object of texts.";
        *ret_body = TAKE(body);
        return NULL;
}

static void begin_restore(HubTask *task)
{
        static const BegunRoute route = { "RestoreVm", read_body, append_request };

        begun_call(task, &route);
}

void api_restore_vm(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_restore, NULL, NULL);
}
