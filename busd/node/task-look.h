/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The look at a VM before its snapshot: what would fail a copy is refused while nothing is made yet. Two steps of a task that is
 * accepted: "look" asks vCenter for the VM and its disks, "check" opens what would be read and what would be written.
 */
#pragma once

#include "task.h"

typedef enum TaskLook {
        TASK_LOOK_ASK, /* sendense-vsphere prepare */
        TASK_LOOK_CHECK, /* sendense-backup-client check */
        TASK_LOOK_DONE,
} TaskLook;

/* The step that is next. */
TaskLook task_look(const Task *task);

/* What its program is told (a new reference). NULL when out of memory. */
json_t *task_look_spec(const Task *task);

/* Takes the result of the step. -ESTALE when the disks that were found are not those of the request: ret_error says which. */
int task_look_take(Task *task, const json_t *result, char ret_error[static 256]);

/* Each of these disks that can be copied has a target, and each target a disk, or one that was left out with a reason.
 * -ESTALE as above. */
int task_check_targets(const Task *task, const json_t *disks, const json_t *excluded,
                       char ret_error[static 256]);

/* Why the request leaves a disk of vCenter's out; NULL when it does not. Borrowed. */
const char *task_excludes(const Task *task, const json_t *disk);
