/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A restore at the node: a task whose copy makes a VM. It has no snapshot; what it may owe is the new VM, known by an instance UUID that
 * stands in the ledger before vCenter is asked for anything. The VM is whole when the task is copied, and held for the hub: then it is
 * kept, or removed when the hub gave it up.
 *
 * In place, the new VM only brings the disks: a look at the VM that is there is first, and stands in the ledger; when the import is done,
 * and its files stand there too, a swap exchanges them, and the new VM goes. Then what is owed is the VM as it was, or its old disks.
 */
#pragma once

#include "task.h"

/* What its units do, one after the other; only a restore in place has a look and a swap. */
typedef enum RestoreStep {
        RESTORE_LOOK,
        RESTORE_IMPORT,
        RESTORE_SWAP,
        RESTORE_END,
} RestoreStep;

bool task_is_restore(const Task *task);
bool restore_is_in_place(const Task *task);

/* The UUID of the VM whose disks are exchanged; "" when it is no restore in place. */
const char *restore_in_place_uuid(const Task *task);

/* The step that is next, or open. */
RestoreStep restore_step(const Task *task);

/* The hub wants the VM, or was silent for too long: nobody has said that it is to go. */
bool restore_is_kept(const Task *task);

/* What the unit of the step is told (a new reference); NULL when out of memory. */
json_t *restore_spec(const Task *task);

/* Whether anything is to be done at vCenter before the task ends. */
bool restore_needs_end(const Task *task);

/* Whether a restore in place is not done with its VM yet, so that no backup of it begins, or no other one. Kept, only files are left to
 * delete that are not the VM's; and what somebody uses is his. */
bool restore_obstructs(const Task *task, bool is_restore);

/* What it is that could not be done at the end, for people: "cannot be removed". */
const char *restore_end_words(const Task *task);

/* Takes the result of the last step. 1: something is left to do, ret_why says what. */
int restore_take_end(Task *task, const json_t *result, char ret_why[static 512]);

/* Adds what the bus shows of a restore. */
void restore_show(const Task *task, json_t *show);
