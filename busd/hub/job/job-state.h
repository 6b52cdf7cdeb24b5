/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may follow what in the life of a job: one table, state by event. Pure. The runner asks it
 * before every change, so that no path in the program can invent a way of its own.
 */
#pragma once

#include "job-types.h"

typedef enum JobEvent {
        JOB_EVENT_START, /* the queue lets it go */
        JOB_EVENT_START_WORK, /* the same, of a job that works on a backup that is there */
        JOB_EVENT_PREPARED, /* folders and empty images are there */
        JOB_EVENT_EXPORTED, /* every export has shown its size and its instance */
        JOB_EVENT_COPIED, /* the copy's result is stored */
        JOB_EVENT_COMMITTED, /* the VM commit record exists, and no snapshot is held */
        JOB_EVENT_COMMITTED_HOLDING, /* it exists, and a node holds the snapshot */
        JOB_EVENT_RELEASED, /* the node has removed it */
        JOB_EVENT_UNDONE_FAILED, /* all is undone that was begun */
        JOB_EVENT_UNDONE_CANCELLED,
        JOB_EVENT_DONE_AFTER_ALL, /* there was no way back, and it was brought to its end */
        JOB_EVENT_MAX,
        JOB_EVENT_INVALID = -22,
} JobEvent;

const char *job_event_to_string(JobEvent event);

/* The state after event in state. -EPROTO when event cannot happen there. */
JobState job_state_after(JobState state, JobEvent event);
