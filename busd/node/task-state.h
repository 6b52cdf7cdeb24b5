/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The states of a task of the node, and what may follow what: one table, state by event. Pure.
 */
#pragma once

#include <stdbool.h>

typedef enum TaskState {
        TASK_ACCEPTED, /* it stands in the ledger; the VM is looked at, nothing is made */
        TASK_SNAPSHOTTING,
        TASK_COPYING,
        TASK_COPIED, /* every byte is durable where it belongs, the snapshot or the new VM is held for the hub */
        TASK_RELEASING, /* the snapshot is being removed, whatever for; the new VM kept or removed */
        TASK_RELEASED,
        TASK_FAILED,
        TASK_CANCELLED,
        TASK_STATE_MAX,
        TASK_STATE_INVALID = -22,
} TaskState;

typedef enum TaskEvent {
        TASK_EVENT_BEGIN,
        TASK_EVENT_BEGIN_IMPORT, /* of a restore, which has no snapshot */
        TASK_EVENT_SNAPSHOT_TAKEN,
        TASK_EVENT_COPIED,
        TASK_EVENT_RELEASE, /* the hub has it, or gave it up, or was silent for too long */
        TASK_EVENT_UNDO, /* it failed, or was cancelled */
        TASK_EVENT_DONE, /* nothing is owed any more */
        TASK_EVENT_DONE_FAILED,
        TASK_EVENT_DONE_CANCELLED,
        TASK_EVENT_MAX,
        TASK_EVENT_INVALID = -22,
} TaskEvent;

const char *task_state_to_string(TaskState state); /* NULL when it is none */
TaskState task_state_from_string(const char *text);
const char *task_event_to_string(TaskEvent event);

bool task_state_is_final(TaskState state);

/* The state after event in state. -EPROTO when event cannot happen there. */
TaskState task_state_after(TaskState state, TaskEvent event);
