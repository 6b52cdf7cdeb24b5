/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restores as data (see task-restore.h).
 */
#include "task-restore.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "log.h"
#include "parse.h"
#include "task-step.h"
#include "task-unit.h"
#include "unit/unit-files.h"

#include <string.h>

enum {
        UNDO_SEC = 5, /* below TimeoutStopSec= of its unit; the ledger knows what is owed */
};

bool task_is_restore(const Task *task)
{
        return strcmp(task_text(task, "Kind"), "restore") == 0;
}

bool restore_is_kept(const Task *task)
{
        return !*task_text(task, "Ending") && strcmp(task_text(task, "Outcome"), "abandoned") != 0;
}

static const json_t *request_of(const Task *task)
{
        return json_object_get(task->row, "Request");
}

json_t *restore_import_spec(const Task *task)
{
        static const char *const same[] = {
                "folder",   "resource_pool", "host",  "datastore", "networks",
                "hardware", "keep_macs",     "force", "disks",
        };
        CLEANUP(json_decref_p) json_t *spec = NULL;
        char progress[UNIT_FILE_PATH_SIZE];

        runtime_path(PROGRESS_SOCKET, progress);
        spec = json_pack("{s:o, s:s, s:s, s:I, s:s, s:i}", "vcenter", task_vcenter(task), "name",
                         task_request(task, "vm_name"), "instance_uuid", task_text(task, "NewUuid"),
                         "job", (json_int_t) task->job, "progress", progress, "undo_sec", UNDO_SEC);
        for (size_t i = 0; spec && i < ELEMENTSOF(same); i++) {
                json_t *value = json_object_get(request_of(task), same[i]);

                if (value && json_object_set(spec, same[i], value) < 0)
                        return NULL;
        }
        return TAKE(spec);
}

static bool is_switched_on(const Task *task)
{
        return json_is_true(json_object_get(request_of(task), "power_on"));
}

json_t *restore_end_spec(const Task *task)
{
        return json_pack("{s:o, s:s, s:b, s:b}", "vcenter", task_vcenter(task), "instance_uuid",
                         task_text(task, "NewUuid"), "keep", restore_is_kept(task), "power_on",
                         is_switched_on(task));
}

bool restore_needs_end(const Task *task)
{
        return task_owes(task) && (!restore_is_kept(task) || is_switched_on(task));
}

void restore_take_end(Task *task, const json_t *result)
{
        const LogContext context = task_context(task);
        json_t *state = json_object_get(result, "power_state");
        const json_t *warnings = json_object_get(result, "warnings"), *warning;
        size_t i;

        if (json_is_string(state))
                task_set(task, "PowerState", json_incref(state));
        if (json_array_size(warnings) == 0)
                return;
        json_array_foreach (warnings, i, warning)
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE, "%s",
                                 json_string_value(warning) ?: "");
        task_set(task, "Warnings", json_deep_copy(warnings));
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

void restore_show(const Task *task, json_t *show)
{
        const json_t *made = json_object_get(task->row, "Copy"), *item;
        CLEANUP(json_decref_p) json_t *left_out = json_array(), *warnings = json_array();
        const char *power = task_text(task, "PowerState");
        size_t i;

        json_array_foreach (json_object_get(made, "left_out"), i, item)
                (void) json_array_append_new(left_out,
                                             json_pack("{s:s, s:s}", "Type", text_of(item, "type"),
                                                       "Label", text_of(item, "label")));
        /* In the order in which they came. */
        (void) json_array_extend(warnings, json_object_get(made, "warnings"));
        (void) json_array_extend(warnings, json_object_get(show, "Warnings"));
        (void) json_object_update_new(
                        show, json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:O, s:O}", "Kind",
                                        "restore", "OwesVm", task_owes(task), "NewInstanceUuid",
                                        task_text(task, "NewUuid"), "NewMoref",
                                        text_of(made, "vm_moref"), "NewPath", text_of(made, "path"),
                                        "PowerState", *power ? power : text_of(made, "power_state"),
                                        "LeftOut", left_out, "Warnings", warnings));
}
