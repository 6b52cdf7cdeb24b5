/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What results of units mean for the row (see task-result.h).
 */
#include "task-result.h"

#include "log.h"
#include "task-step.h"
#include "task-unit.h"
#include "utf8.h"

#include <string.h>

/* The disk of the snapshot with this key. */
static const json_t *find_disk(const Task *task, json_int_t key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(json_object_get(task->row, "Snapshot"), "disks"), i,
                            disk)
                if (json_integer_value(json_object_get(disk, "disk_key")) == key)
                        return disk;
        return NULL;
}

/* What the row keeps of a copy. Digests of many disks are too much for it; they stay in a file beside it. Why a disk was
 * read whole is told by whoever decided it: the copier, or this node before it. */
json_t *task_result_summary(const Task *task, const json_t *result)
{
        json_t *copy = json_deep_copy(result), *disk;
        size_t i;

        json_array_foreach (json_object_get(copy, "disks"), i, disk) {
                const json_t *from = find_disk(
                                task, json_integer_value(json_object_get(disk, "disk_key")));
                const char *reason = NULL;

                (void) json_object_del(disk, "digest");
                if (from && !task_disk_is_incremental(task, from, &reason) && reason &&
                    !json_object_get(disk, "reason"))
                        (void) json_object_set_new(disk, "reason", json_string(reason));
        }
        return copy;
}

/* What is not as it should be and no failure: for the journal, and for those who ask for the task. A name in it may have been cut. */
static void warn(Task *task, char *text)
{
        const LogContext context = task_context(task);
        json_t *list = json_object_get(task->row, "Warnings");

        utf8_make_valid(text);
        (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE, "%s", text);
        if (list)
                (void) json_array_append_new(list, json_string(text));
        else
                task_set(task, "Warnings", json_pack("[s]", text));
}

/* A VM that was deleted took its snapshot along; one that this user may not see any more did not. */
void task_result_of_release(Task *task, const json_t *result)
{
        const char *vm = task_request(task, "vm_name");
        const char *host = task_request(task, "vcenter_host");
        char text[512];

        if (json_is_true(json_object_get(result, "vm_missing"))) {
                (void) snprintf(text, sizeof(text),
                                "%.100s is not at %.100s any more, so there was no snapshot to "
                                "remove. If it was not deleted, look for its snapshot '%.80s'",
                                vm, host, task_text(task, "SnapshotName"));
                warn(task, text);
        }
        if (json_is_true(json_object_get(result, "consolidation_needed"))) {
                (void) snprintf(text, sizeof(text),
                                "The snapshot of %.100s is removed, but the VM needs "
                                "consolidation, and %.100s could not do it",
                                vm, host);
                warn(task, text);
        }
}
