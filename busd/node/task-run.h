/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a task goes on: each step is a unit, whose result is stored before the unit is stopped and before the next
 * step begins. Whatever ends a task leads through "releasing", because a snapshot may be there. Logs.
 */
#pragma once

#include "task.h"

typedef struct UnitState UnitState;

/* Takes it up in the state it is in. */
void task_enter(Task *task);

/* After a start of the daemon: is_same_boot says whether its units can still be there. */
void task_recover(Task *task, bool is_same_boot);

/* News of a unit of the task. */
void task_on_unit(Task *task, const char *unit, const UnitState *state);

/* Cancels it: 0, or -EALREADY when it is over or ending. */
int task_cancel(Task *task, const char *principal);

/* The hub has its backup ("committed") or gave it up ("abandoned"). -EINVAL: neither; -EBUSY: it still copies. Said
 * again it is no error. */
int task_release(Task *task, const char *outcome, const char *principal);

/* Stops the slice of a job that is over, unless somebody uses it. */
void task_stop_slice(Task *task);
