/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A task as data (see task.h).
 */
#include "task.h"

#include "cleanup.h"
#include "json-cleanup.h"
#include "task-look.h"
#include "task-restore.h"
#include "utf8.h"

#include <inttypes.h>
#include <string.h>

Task *task_new(Node *node, json_t *row)
{
        CLEANUP(json_decref_p) json_t *owned = row;
        Task *task = malloc(sizeof(*task));

        if (!task)
                return NULL;
        *task = (Task){
                .node = node,
                .row = TAKE(owned),
        };
        task->job = task_number(task, "Job");
        task->attempt = task_number(task, "Attempt");
        task->state = task_state_from_string(task_text(task, "State"));
        return task;
}

Task *task_free(Task *task)
{
        if (!task)
                return NULL;
        sd_event_source_disable_unref(task->timer);
        json_decref(task->row);
        secret_free(task->password);
        secret_free(task->refused);
        secret_free(task->keys);
        free(task);
        return NULL;
}

const char *task_text(const Task *task, const char *key)
{
        return json_string_value(json_object_get(task->row, key)) ?: "";
}

uint64_t task_number(const Task *task, const char *key)
{
        return (uint64_t) json_integer_value(json_object_get(task->row, key));
}

const char *task_request(const Task *task, const char *key)
{
        return json_string_value(json_object_get(json_object_get(task->row, "Request"), key)) ?: "";
}

bool task_place_differs(const Task *task, const json_t *place)
{
        const json_t *request = json_object_get(task->row, "Request");
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *) place, key, value)
                if (!json_equal(value, json_object_get(request, key)))
                        return true;
        return false;
}

void task_set_place(Task *task, const json_t *place)
{
        (void) json_object_update(json_object_get(task->row, "Request"), (json_t *) place);
}

bool task_owes(const Task *task)
{
        return json_is_true(json_object_get(task->row, "OwesSnapshot")) ||
               json_is_true(json_object_get(task->row, "OwesVm"));
}

void task_set_owes(Task *task, bool owes)
{
        task_set(task, task_is_restore(task) ? "OwesVm" : "OwesSnapshot", json_boolean(owes));
}

void task_debt(const Task *task, char ret_text[static TASK_DEBT_SIZE])
{
        if (restore_is_in_place(task))
                (void) snprintf(ret_text, TASK_DEBT_SIZE, "The restore of '%.255s' in place",
                                task_request(task, "vm_name"));
        else if (task_is_restore(task))
                (void) snprintf(ret_text, TASK_DEBT_SIZE, "The VM '%.255s' of a restore",
                                task_request(task, "vm_name"));
        else
                (void) snprintf(ret_text, TASK_DEBT_SIZE, "The snapshot '%.80s' of %.255s",
                                task_text(task, "SnapshotName"), task_request(task, "vm_name"));
}

void task_set(Task *task, const char *key, json_t *value)
{
        /* Without memory the old value stays, and the next step writes the row again. */
        (void) json_object_set_new(task->row, key, value);
}

void task_set_text(Task *task, const char *key, const char *text)
{
        _cleanup_free_ char *valid = strdup(text);

        if (!valid)
                return;
        utf8_make_valid(valid);
        task_set(task, key, json_string(valid));
}

uint64_t task_bytes_done(const Task *task)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < task->n_disks; i++)
                sum += task->disks[i].bytes_done;
        return sum;
}

uint64_t task_bytes_total(const Task *task)
{
        uint64_t sum = 0;

        for (unsigned i = 0; i < task->n_disks; i++)
                sum += task->disks[i].bytes_total;
        return sum;
}

bool task_progress(Task *task, uint32_t disk_key, uint64_t bytes_done, uint64_t bytes_total)
{
        unsigned i = 0;

        while (i < task->n_disks && task->disks[i].key != disk_key)
                i++;
        if (i == TASK_DISKS_MAX)
                return false;
        if (i == task->n_disks)
                task->n_disks++;
        task->disks[i] = (TaskDisk){ disk_key, bytes_done, bytes_total };
        return true;
}

static TaskDisk progress_of(const Task *task, json_int_t key)
{
        for (unsigned i = 0; i < task->n_disks; i++)
                if (task->disks[i].key == (uint64_t) key)
                        return task->disks[i];
        return (TaskDisk){};
}

/* Adds what the copy's result says of the disk. */
static void add_copied(const Task *task, json_int_t key, json_t *row)
{
        static const char *const texts[][2] = {
                { "backup_type", "BackupType" },
                { "reason", "Reason" },
                { "change_id", "ChangeId" },
        };
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(json_object_get(task->row, "Copy"), "disks"), i, disk) {
                if (json_integer_value(json_object_get(disk, "disk_key")) != key)
                        continue;
                for (size_t j = 0; j < ELEMENTSOF(texts); j++)
                        if (json_object_get(disk, texts[j][0]))
                                (void) json_object_set(row, texts[j][1],
                                                       json_object_get(disk, texts[j][0]));
        }
}

/* Those of the snapshot, or those that a restore was asked for. */
static const json_t *task_disks(const Task *task)
{
        return json_object_get(
                        json_object_get(task->row, task_is_restore(task) ? "Request" : "Snapshot"),
                        "disks");
}

/* The disks of the task, how far they are, and what became of them. */
static json_t *show_disks(const Task *task)
{
        json_t *list = json_array(), *disk;
        size_t i;

        json_array_foreach (task_disks(task), i, disk) {
                json_int_t key = json_integer_value(json_object_get(disk, "disk_key"));
                const TaskDisk progress = progress_of(task, key);
                json_t *row;

                if (task_excludes(task, disk))
                        continue;
                row = json_pack("{s:I, s:I, s:I, s:I}", "Key", key, "CapacityBytes",
                                json_integer_value(json_object_get(disk, "capacity_bytes")),
                                "BytesDone", (json_int_t) progress.bytes_done, "BytesTotal",
                                (json_int_t) progress.bytes_total);
                if (!row)
                        continue;
                add_copied(task, key, row);
                (void) json_array_append_new(list, row);
        }
        return list;
}

/* Disks that are not in the backup, and why: those that no snapshot holds, and those that the request leaves out. */
static json_t *show_excluded(const Task *task)
{
        const json_t *snapshot = json_object_get(task->row, "Snapshot"), *disk;
        json_t *list = json_array();
        size_t i;

        json_array_foreach (json_object_get(snapshot, "excluded"), i, disk)
                (void) json_array_append_new(list,
                                             json_pack("{s:O, s:O*, s:O*}", "Key",
                                                       json_object_get(disk, "disk_key"), "Label",
                                                       json_object_get(disk, "label"), "Reason",
                                                       json_object_get(disk, "reason")));
        json_array_foreach (json_object_get(snapshot, "disks"), i, disk)
                if (task_excludes(task, disk))
                        (void) json_array_append_new(
                                        list, json_pack("{s:O, s:O*, s:s}", "Key",
                                                        json_object_get(disk, "disk_key"), "Label",
                                                        json_object_get(disk, "label"), "Reason",
                                                        task_excludes(task, disk)));
        return list;
}

/* Of the snapshot first, then the task's own. */
static json_t *show_warnings(const Task *task)
{
        json_t *list = json_array();

        (void) json_array_extend(
                        list, json_object_get(json_object_get(task->row, "Snapshot"), "warnings"));
        (void) json_array_extend(list, json_object_get(task->row, "Warnings"));
        return list;
}

/* As text: it goes on to a file of the hub, and nobody on the way looks into it. */
static void show_hardware(json_t *show, const json_t *snapshot, bool with_nvram)
{
        CLEANUP(json_decref_p)
        json_t *hardware = json_copy(json_object_get(snapshot, "hardware"));
        _cleanup_free_ char *text = NULL;

        if (!with_nvram)
                (void) json_object_del(hardware, "nvram");
        text = hardware ? json_dumps(hardware, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        if (text)
                (void) json_object_set_new(show, "Hardware", json_string(text));
}

/* While it runs it is asked twice a second. */
static bool is_copied(const Task *task)
{
        return task->state != TASK_ACCEPTED && task->state != TASK_SNAPSHOTTING &&
               task->state != TASK_COPYING;
}

json_t *task_show_briefly(const Task *task)
{
        json_t *show = task_show(task);

        show_hardware(show, json_object_get(task->row, "Snapshot"), false);
        return show;
}

void task_waits_for(const Task *task, char ret_text[static TASK_WAITING_SIZE])
{
        if (task->state == TASK_COPIED && restore_is_in_place(task))
                (void) snprintf(ret_text, TASK_WAITING_SIZE,
                                "its hub; if that has lost the job, type at the node: sendensectl "
                                "task release %" PRIu64 " committed (the VM keeps the disks of the "
                                "backup) or abandoned (it gets its own back)",
                                task->job);
        else
                (void) snprintf(ret_text, TASK_WAITING_SIZE, "%s", task->waiting);
}

json_t *task_show(const Task *task)
{
        char waits_for[TASK_WAITING_SIZE];
        const json_t *snapshot = json_object_get(task->row, "Snapshot");
        json_t *show;

        task_waits_for(task, waits_for);
        show = json_pack("{s:I, s:I, s:s, s:s, s:s, s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:I, s:I, "
                         "s:I, s:s, s:s, s:o*}",
                         "Id", (json_int_t) task->job, "Attempt", (json_int_t) task->attempt, "Vm",
                         task_request(task, "vm_name"), "State", task_state_to_string(task->state),
                         "Unit", task->unit, "ProcessId", (json_int_t) task->process_id,
                         "OwesSnapshot", task_owes(task) && !task_is_restore(task), "SnapshotName",
                         task_text(task, "SnapshotName"), "Ending", task_text(task, "Ending"),
                         "Outcome", task_text(task, "Outcome"), "ErrorName",
                         task_text(task, "ErrorName"), "Error", task_text(task, "ErrorText"),
                         "BytesDone", (json_int_t) task_bytes_done(task), "BytesTotal",
                         (json_int_t) task_bytes_total(task), "CreatedUSec",
                         (json_int_t) task_number(task, "CreatedUSec"), "Waiting", waits_for,
                         "VcenterHost", task_request(task, "vcenter_host"), "Disks",
                         show_disks(task));

        (void) json_object_set_new(show, "ReleaseError",
                                   json_string(task_text(task, "ReleaseError")));
        (void) json_object_set_new(show, "Excluded", show_excluded(task));
        (void) json_object_set_new(show, "Warnings", show_warnings(task));
        if (json_is_boolean(json_object_get(snapshot, "quiesced")))
                (void) json_object_set(show, "Quiesced", json_object_get(snapshot, "quiesced"));
        show_hardware(show, snapshot, is_copied(task));
        if (task_is_restore(task))
                restore_show(task, show);
        return show;
}
