/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of task states (see task-state.h).
 */
#include "task-state.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

static const char *const states[TASK_STATE_MAX] = {
        [TASK_ACCEPTED] = "accepted",   [TASK_SNAPSHOTTING] = "snapshotting",
        [TASK_COPYING] = "copying",     [TASK_COPIED] = "copied",
        [TASK_RELEASING] = "releasing", [TASK_RELEASED] = "released",
        [TASK_FAILED] = "failed",       [TASK_CANCELLED] = "cancelled",
};

static const char *const events[TASK_EVENT_MAX] = {
        [TASK_EVENT_BEGIN] = "begin",
        [TASK_EVENT_BEGIN_IMPORT] = "begin-import",
        [TASK_EVENT_SNAPSHOT_TAKEN] = "snapshot-taken",
        [TASK_EVENT_COPIED] = "copied",
        [TASK_EVENT_RELEASE] = "release",
        [TASK_EVENT_UNDO] = "undo",
        [TASK_EVENT_DONE] = "done",
        [TASK_EVENT_DONE_FAILED] = "done-failed",
        [TASK_EVENT_DONE_CANCELLED] = "done-cancelled",
};

static const struct {
        TaskState state;
        TaskEvent event;
        TaskState after;
} steps[] = {
        { TASK_ACCEPTED, TASK_EVENT_BEGIN, TASK_SNAPSHOTTING },
        { TASK_ACCEPTED, TASK_EVENT_BEGIN_IMPORT, TASK_COPYING },
        { TASK_ACCEPTED, TASK_EVENT_UNDO, TASK_RELEASING },
        { TASK_SNAPSHOTTING, TASK_EVENT_SNAPSHOT_TAKEN, TASK_COPYING },
        { TASK_SNAPSHOTTING, TASK_EVENT_UNDO, TASK_RELEASING },
        { TASK_COPYING, TASK_EVENT_COPIED, TASK_COPIED },
        { TASK_COPYING, TASK_EVENT_UNDO, TASK_RELEASING },
        { TASK_COPIED, TASK_EVENT_RELEASE, TASK_RELEASING },
        { TASK_COPIED, TASK_EVENT_UNDO, TASK_RELEASING },
        { TASK_RELEASING, TASK_EVENT_DONE, TASK_RELEASED },
        { TASK_RELEASING, TASK_EVENT_DONE_FAILED, TASK_FAILED },
        { TASK_RELEASING, TASK_EVENT_DONE_CANCELLED, TASK_CANCELLED },
};

const char *task_state_to_string(TaskState state)
{
        return state >= 0 && state < TASK_STATE_MAX ? states[state] : NULL;
}

TaskState task_state_from_string(const char *text)
{
        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (strcmp(states[i], text) == 0)
                        return (TaskState) i;
        return TASK_STATE_INVALID;
}

const char *task_event_to_string(TaskEvent event)
{
        return event >= 0 && event < TASK_EVENT_MAX ? events[event] : NULL;
}

bool task_state_is_final(TaskState state)
{
        return state == TASK_RELEASED || state == TASK_FAILED || state == TASK_CANCELLED;
}

TaskState task_state_after(TaskState state, TaskEvent event)
{
        for (size_t i = 0; i < ELEMENTSOF(steps); i++)
                if (steps[i].state == state && steps[i].event == event)
                        return steps[i].after;
        return (TaskState) -EPROTO;
}
