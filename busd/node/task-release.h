/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The snapshot after the copy: held for the hub, for so long and no longer, then removed, which is tried until it is done.
 * Between these rooms and task-run.c, which nobody else calls.
 */
#pragma once

#include "task.h"

/* Waits for the hub, from the end of the copy on. */
void task_hold(Task *task);

/* In the state releasing: removes the snapshot, waits for a login, or ends the task. */
void task_release_enter(Task *task);

/* It did not work; it is tried again. */
void task_release_failed(Task *task, const char *name, const char *text);

/* ── Of task-run.c ── */

/* The answer is that of the ledger. */
int task_move(Task *task, TaskEvent event);
int task_store(Task *task);

void task_timer_set(Task *task, uint64_t usec, sd_event_time_handler_t handler);
void task_timer_off(Task *task);

/* Whoever waits for its turn looks again, once this is done. */
void task_wake_waiting(Node *node);

/* Nothing is owed any more. */
void task_finish(Task *task);
