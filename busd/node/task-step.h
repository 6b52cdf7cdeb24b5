/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A step of a task as a unit, from its start to its end; between task-run.c, which says what follows, and systemd.
 */
#pragma once

#include "log.h"
#include "task.h"

/* Runs the unit of the task's state, or finds the one that runs. */
void task_step_begin(Task *task);

/* Stops the unit, whatever it does; then task_enter(). */
void task_step_close(Task *task);

/* Systemd did not say how the unit is that is open. */
void task_step_ask_again(Task *task);

/* ── Of task-run.c ── */

/* The unit has ended well or not: exactly one of them, once. */
void task_step_ok(Task *task, const json_t *result);
void task_step_failed(Task *task, const char *name, const char *text);

/* task_enter() after a while, or with a unit open task_step_ask_again(). */
void task_retry(Task *task, uint64_t delay_sec);

/* For journal lines; valid as long as the task. */
LogContext task_context(const Task *task);
