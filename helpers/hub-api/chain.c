/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DELETE /api/v1/backups/{backup_id}, which begins a job, and GET /api/v1/vms/{vm}/chain (see api.h).
 */
#include "api.h"

#include "begun.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-task.h"
#include "json-cleanup.h"

#include <string.h>

/* 1, 0; -1: neither. */
static int read_force(HttpRequest *request)
{
        const char *force = http_request_query(request, "force");

        if (!force || strcmp(force, "false") == 0)
                return 0;
        return strcmp(force, "true") == 0 ? 1 : -1;
}

static void begin_delete(HubTask *task)
{
        static const char *const known[] = { "force" };
        int r, force = read_force(task->request);
        sd_bus_message *call = NULL;

        if (force < 0 || http_request_query_unknown(task->request, known, ELEMENTSOF(known))) {
                hub_refuse_with(task, 400, BUS_ERROR_INVALID_ARGUMENT, NULL,
                                "This path takes the query force, which is true or false.");
                return;
        }
        r = hub_call_new(task, "DeleteBackup", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s",
                                          http_request_param(task->request, "backup_id"));
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        if (r >= 0 && force)
                r = sd_bus_message_append(call, "{sv}", "force", "b", 1);
        hub_call_send(task, call, r, begun_answer);
}

void api_delete_backup(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_delete, NULL, NULL);
}

static void on_chain(HubTask *task, sd_bus_message *reply, const sd_bus_error *error)
{
        json_t *layers = error ? NULL : hub_read(reply);

        if (error || !layers)
                hub_refuse(task, error ?: &hub_answer_unknown);
        else
                hub_answer(task, 200, json_pack("{s:o}", "layers", layers));
}

static void begin_chain(HubTask *task)
{
        sd_bus_message *call = NULL;
        int r;

        r = hub_call_new(task, "GetChain", &call);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", http_request_param(task->request, "vm"));
        if (r >= 0)
                r = sd_bus_message_open_container(call, 'a', "{sv}");
        hub_call_send(task, call, r, on_chain);
}

void api_show_chain(HttpRequest *request, void *userdata)
{
        hub_task_start(userdata, request, begin_chain, NULL, NULL);
}
