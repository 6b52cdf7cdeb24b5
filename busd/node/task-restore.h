/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A restore at the node: a task whose copy makes a VM. It has no look and no snapshot; what it may owe is the new VM, known by an
 * instance UUID that stands in the ledger before vCenter is asked for anything. The VM is whole when the task is copied, and held for the
 * hub: then it is kept, or removed when the hub gave it up.
 */
#pragma once

#include "task.h"

bool task_is_restore(const Task *task);

/* The hub wants the VM, or was silent for too long: nobody has said that it is to go. */
bool restore_is_kept(const Task *task);

/* What the units are told (new references); NULL when out of memory. */
json_t *restore_import_spec(const Task *task);
json_t *restore_end_spec(const Task *task);

/* Whether anything is to be done at vCenter before the task ends. */
bool restore_needs_end(const Task *task);

/* Takes the result of the last step. */
void restore_take_end(Task *task, const json_t *result);

/* Adds what the bus shows of a restore. */
void restore_show(const Task *task, json_t *show);
