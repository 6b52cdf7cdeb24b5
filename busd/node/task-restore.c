/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restores as data (see task-restore.h).
 */
#include "task-restore.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "log.h"
#include "node.h"
#include "parse.h"
#include "task-run.h"
#include "task-step.h"
#include "task-unit.h"
#include "text.h"
#include "unit/unit-files.h"

#include <inttypes.h>
#include <string.h>

enum {
        UNDO_SEC = 5, /* below TimeoutStopSec= of its unit; the ledger knows what is owed */
};

bool task_is_restore(const Task *task)
{
        return strcmp(task_text(task, "Kind"), "restore") == 0;
}

static const json_t *request_of(const Task *task)
{
        return json_object_get(task->row, "Request");
}

static const json_t *in_place_of(const Task *task)
{
        return json_object_get(request_of(task), "in_place");
}

bool restore_is_in_place(const Task *task)
{
        return task_is_restore(task) && in_place_of(task);
}

const char *restore_in_place_uuid(const Task *task)
{
        return json_string_value(json_object_get(in_place_of(task), "instance_uuid")) ?: "";
}

RestoreStep restore_step(const Task *task)
{
        if (task->state == TASK_ACCEPTED)
                return restore_is_in_place(task) && !json_object_get(task->row, "Look")
                                       ? RESTORE_LOOK
                                       : RESTORE_IMPORT;
        if (task->state != TASK_COPYING)
                return RESTORE_END;
        return restore_is_in_place(task) && json_object_get(task->row, "Copy") ? RESTORE_SWAP
                                                                               : RESTORE_IMPORT;
}

bool restore_is_kept(const Task *task)
{
        return !*task_text(task, "Ending") && strcmp(task_text(task, "Outcome"), "abandoned") != 0;
}

static const json_t *find_disk(const json_t *disks, const json_t *like)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk)
                if (json_equal(json_object_get(disk, "disk_key"),
                               json_object_get(like, "disk_key")))
                        return disk;
        return NULL;
}

static const json_t *looked(const Task *task)
{
        return json_object_get(task->row, "Look");
}

/* What becomes part of names at vCenter: unlike that of any other job. */
static void mark_of(const Task *task, char ret_mark[static 80])
{
        (void) snprintf(ret_mark, 80, "sendense-%s-%" PRIu64 "-%" PRIu64, task->node->installation,
                        task->job, task->attempt);
}

static json_t *look_spec(const Task *task)
{
        char mark[80];

        mark_of(task, mark);
        return json_pack("{s:o, s:s, s:O, s:O, s:s, s:O*}", "vcenter", task_vcenter(task),
                         "instance_uuid", restore_in_place_uuid(task), "hardware",
                         json_object_get(request_of(task), "hardware"), "disks",
                         json_object_get(request_of(task), "disks"), "mark", mark, "force",
                         json_object_get(request_of(task), "force"));
}

/* Each disk on the datastore of the one whose place it takes: there it can be moved beside it. */
static json_t *disks_with_datastores(const Task *task)
{
        CLEANUP(json_decref_p)
        json_t *disks = json_deep_copy(json_object_get(request_of(task), "disks"));
        json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk) {
                const json_t *place = find_disk(json_object_get(looked(task), "disks"), disk);

                if (!place ||
                    json_object_set(disk, "datastore", json_object_get(place, "datastore")) < 0)
                        return NULL;
        }
        return TAKE(disks);
}

static int make_beside(const Task *task, json_t *spec)
{
        json_t *disks = disks_with_datastores(task);
        char mark[80];

        mark_of(task, mark);
        if (!disks)
                return -1;
        return json_object_update_new(spec,
                                      json_pack("{s:s, s:s, s:O, s:o}", "name", mark, "beside",
                                                restore_in_place_uuid(task), "datastore",
                                                json_object_get(looked(task), "datastore"), "disks",
                                                disks));
}

static json_t *import_spec(const Task *task)
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
        if (spec && restore_is_in_place(task) && make_beside(task, spec) < 0)
                return NULL;
        return TAKE(spec);
}

/* The places and files of the look, and where the import has made the new ones. */
static json_t *swap_disks(const Task *task)
{
        const json_t *made = json_object_get(json_object_get(task->row, "Copy"), "disks");
        CLEANUP(json_decref_p)
        json_t *disks = json_deep_copy(json_object_get(looked(task), "disks"));
        json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk) {
                json_t *file = json_object_get(find_disk(made, disk), "datastore_path");

                (void) json_object_del(disk, "datastore");
                if (file && json_object_set(disk, "staged_file", file) < 0)
                        return NULL;
        }
        return TAKE(disks);
}

/* By its moref the VM that was made is known when its UUID finds it no more. NULL until the import has told it. */
static const json_t *made_moref(const Task *task)
{
        return json_object_get(json_object_get(task->row, "Copy"), "vm_moref");
}

static json_t *swap_spec(const Task *task)
{
        return json_pack("{s:o, s:s, s:O*, s:s, s:O*, s:o}", "vcenter", task_vcenter(task),
                         "instance_uuid", restore_in_place_uuid(task), "vm_moref",
                         json_object_get(looked(task), "vm_moref"), "staging_uuid",
                         task_text(task, "NewUuid"), "staging_moref", made_moref(task), "disks",
                         swap_disks(task));
}

/* Once it was switched on, it is its user's to switch off. */
static bool is_switched_on(const Task *task)
{
        return json_is_true(json_object_get(request_of(task), "power_on")) &&
               !json_is_true(json_object_get(task->row, "PowerDone"));
}

static json_t *end_spec(const Task *task)
{
        json_t *spec;

        if (!restore_is_in_place(task))
                return json_pack("{s:o, s:s, s:O*, s:b, s:b}", "vcenter", task_vcenter(task),
                                 "instance_uuid", task_text(task, "NewUuid"), "vm_moref",
                                 made_moref(task), "keep", restore_is_kept(task), "power_on",
                                 is_switched_on(task));
        spec = swap_spec(task);
        if (!spec ||
            json_object_update_new(spec,
                                   json_pack("{s:b, s:O*, s:b, s:O*}", "keep",
                                             restore_is_kept(task), "keep_disks",
                                             json_object_get(in_place_of(task), "keep_disks"),
                                             "power_on", is_switched_on(task), "change_version",
                                             json_object_get(json_object_get(task->row, "Swap"),
                                                             "change_version"))) < 0) {
                json_decref(spec);
                return NULL;
        }
        return spec;
}

json_t *restore_spec(const Task *task)
{
        switch (restore_step(task)) {
        case RESTORE_LOOK:
                return look_spec(task);
        case RESTORE_IMPORT:
                return import_spec(task);
        case RESTORE_SWAP:
                return swap_spec(task);
        case RESTORE_END:
                break;
        }
        return end_spec(task);
}

/* Somebody works with what it brought: it is his. */
static bool is_used(const Task *task)
{
        return json_is_true(json_object_get(task->row, "IsUsed"));
}

bool restore_needs_end(const Task *task)
{
        return task_owes(task) && !is_used(task) &&
               (restore_is_in_place(task) || !restore_is_kept(task) || is_switched_on(task));
}

bool restore_obstructs(const Task *task, bool is_restore)
{
        if (!restore_is_in_place(task) || task_state_is_final(task->state) || is_used(task))
                return false;
        if (task->state != TASK_RELEASING || !restore_is_kept(task))
                return true;
        /* A VM that is still to be switched on is none to restore into. */
        return is_restore && is_switched_on(task);
}

const char *restore_end_words(const Task *task)
{
        if (restore_is_in_place(task))
                return restore_is_kept(task) ? "brought to its end" : "taken back";
        return restore_is_kept(task) ? "switched on" : "removed";
}

/* That is the end of it: whoever looks at the task learns where his files are. */
static void take_used(Task *task, const char *text)
{
        const LogContext context = task_context(task);
        CLEANUP(json_decref_p)
        json_t *warnings = json_deep_copy(json_object_get(task->row, "Warnings"));
        const char *error = task_text(task, "ErrorText");
        _cleanup_free_ char *both = *error ? text_format("%s; %s", error, text) : NULL;

        if (!warnings)
                warnings = json_array();
        (void) json_array_append_new(warnings, json_string(text));
        task_set(task, "Warnings", TAKE(warnings));
        task_set(task, "ErrorText", json_string(both ? both : text));
        task_set(task, "IsUsed", json_true());
        (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE, "%s", text);
}

int restore_take_end(Task *task, const json_t *result, char ret_why[static 512])
{
        const LogContext context = task_context(task);
        const json_t *warnings = json_object_get(result, "warnings"), *warning;
        const json_t *left = json_object_get(result, "left");
        json_t *state = json_object_get(result, "power_state");
        size_t i;

        if (json_is_string(state))
                task_set(task, "PowerState", json_incref(state));
        json_array_foreach (warnings, i, warning)
                (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE, "%s",
                                 json_string_value(warning) ?: "");
        if (json_array_size(warnings) > 0)
                task_set(task, "Warnings", json_deep_copy(warnings));
        if (json_is_string(json_object_get(result, "used")))
                take_used(task, json_string_value(json_object_get(result, "used")));
        if (json_array_size(left) == 0)
                return 0;
        task_set(task, "PowerDone", json_true());
        (void) snprintf(ret_why, 512,
                        "%.200s has its new disks, and of the old ones %zu cannot be removed: "
                        "%.200s",
                        task_request(task, "vm_name"), json_array_size(left),
                        json_string_value(json_object_get(json_array_get(left, 0), "why")) ?: "");
        return 1;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* What the VM had, when that is wanted. */
static json_t *kept_files(const Task *task)
{
        const json_t *disk, *disks = json_object_get(looked(task), "disks");
        json_t *list = json_array();
        size_t i;

        if (json_is_true(json_object_get(in_place_of(task), "keep_disks")))
                json_array_foreach (disks, i, disk)
                        if (*text_of(disk, "old_file"))
                                (void) json_array_append_new(
                                                list, json_string(text_of(disk, "old_file")));
        return list;
}

void restore_show(const Task *task, json_t *show)
{
        const json_t *made =
                        json_object_get(task->row, restore_is_in_place(task) ? "Swap" : "Copy");
        const json_t *item;
        CLEANUP(json_decref_p) json_t *left_out = json_array(), *warnings = json_array();
        const char *power = task_text(task, "PowerState");
        size_t i;

        json_array_foreach (json_object_get(made, "left_out"), i, item)
                (void) json_array_append_new(left_out,
                                             json_pack("{s:s, s:s}", "Type", text_of(item, "type"),
                                                       "Label", text_of(item, "label")));
        /* In the order in which they came. */
        (void) json_array_extend(warnings, json_object_get(looked(task), "warnings"));
        (void) json_array_extend(warnings, json_object_get(made, "warnings"));
        (void) json_array_extend(warnings, json_object_get(show, "Warnings"));
        (void) json_object_update_new(
                        show,
                        json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:O, s:O, s:b, s:b, s:o}", "Kind",
                                  "restore", "OwesVm", task_owes(task), "NewInstanceUuid",
                                  restore_is_in_place(task) ? restore_in_place_uuid(task)
                                                            : task_text(task, "NewUuid"),
                                  "NewMoref", text_of(made, "vm_moref"), "NewPath",
                                  text_of(made, "path"), "PowerState",
                                  *power ? power : text_of(made, "power_state"), "LeftOut",
                                  left_out, "Warnings", warnings, "InPlace",
                                  restore_is_in_place(task), "SwapBegan",
                                  json_object_get(task->row, "SwapBegan") != NULL, "KeptFiles",
                                  kept_files(task)));
}
