/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of a task as units: their names, what they are told, and how they are started.
 */
#pragma once

#include "task.h"
#include "unit/units.h"

#include <jansson.h>

/* The unit of the step that the task's state stands for. */
int task_unit_name(const Task *task, char ret_unit[static UNIT_NAME_SIZE]);

/* Where vCenter is and whom to trust, for every unit of the task (a new reference). */
json_t *task_vcenter(const Task *task);

/* What the unit reads. NULL when out of memory. */
json_t *task_unit_task(const Task *task, char ret_error[static 256]);

/* Whether that unit is given the keys of the exports. */
bool task_unit_needs_keys(const Task *task);

/* Makes its files and starts it. Done when the program was executed. */
int task_unit_start(Task *task, const json_t *spec, UnitDone done);

/* Whether only what has changed is read of a disk of the snapshot; if not, *ret_reason says why (NULL: nobody asked for
 * an increment). */
bool task_disk_is_incremental(const Task *task, const json_t *disk, const char **ret_reason);
