/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of job-state.h. What is not in it cannot happen.
 */
#include "job/job-state.h"

#include "cleanup.h"

#include <errno.h>

static const char *const job_events[JOB_EVENT_MAX] = {
        [JOB_EVENT_START] = "start",
        [JOB_EVENT_START_WORK] = "start-work",
        [JOB_EVENT_PREPARED] = "prepared",
        [JOB_EVENT_EXPORTED] = "exported",
        [JOB_EVENT_COPIED] = "copied",
        [JOB_EVENT_COMMITTED] = "committed",
        [JOB_EVENT_COMMITTED_HOLDING] = "committed-holding",
        [JOB_EVENT_RELEASED] = "released",
        [JOB_EVENT_UNDONE_FAILED] = "undone-failed",
        [JOB_EVENT_UNDONE_CANCELLED] = "undone-cancelled",
        [JOB_EVENT_DONE_AFTER_ALL] = "done-after-all",
};

static const struct {
        JobState state;
        JobEvent event;
        JobState next;
} transitions[] = {
        { JOB_QUEUED, JOB_EVENT_START, JOB_PREPARING },
        { JOB_QUEUED, JOB_EVENT_START_WORK, JOB_COPYING },
        { JOB_PREPARING, JOB_EVENT_PREPARED, JOB_EXPORTING },
        { JOB_EXPORTING, JOB_EVENT_EXPORTED, JOB_COPYING },
        { JOB_COPYING, JOB_EVENT_COPIED, JOB_FINISHING },
        { JOB_FINISHING, JOB_EVENT_COMMITTED, JOB_COMPLETED },
        /* A deletion that was given up when there was no way back. */
        { JOB_COPYING, JOB_EVENT_DONE_AFTER_ALL, JOB_COMPLETED },
        { JOB_FINISHING, JOB_EVENT_DONE_AFTER_ALL, JOB_COMPLETED },
        { JOB_FINISHING, JOB_EVENT_COMMITTED_HOLDING, JOB_RELEASING },
        { JOB_RELEASING, JOB_EVENT_RELEASED, JOB_COMPLETED },
        /* A job that has its commit record is a backup: from releasing on it can only complete. */
        { JOB_QUEUED, JOB_EVENT_UNDONE_FAILED, JOB_FAILED },
        { JOB_PREPARING, JOB_EVENT_UNDONE_FAILED, JOB_FAILED },
        { JOB_EXPORTING, JOB_EVENT_UNDONE_FAILED, JOB_FAILED },
        { JOB_COPYING, JOB_EVENT_UNDONE_FAILED, JOB_FAILED },
        { JOB_FINISHING, JOB_EVENT_UNDONE_FAILED, JOB_FAILED },
        { JOB_QUEUED, JOB_EVENT_UNDONE_CANCELLED, JOB_CANCELLED },
        { JOB_PREPARING, JOB_EVENT_UNDONE_CANCELLED, JOB_CANCELLED },
        { JOB_EXPORTING, JOB_EVENT_UNDONE_CANCELLED, JOB_CANCELLED },
        { JOB_COPYING, JOB_EVENT_UNDONE_CANCELLED, JOB_CANCELLED },
        { JOB_FINISHING, JOB_EVENT_UNDONE_CANCELLED, JOB_CANCELLED },
};

const char *job_event_to_string(JobEvent event)
{
        return event >= 0 && event < JOB_EVENT_MAX ? job_events[event] : NULL;
}

JobState job_state_after(JobState state, JobEvent event)
{
        for (size_t i = 0; i < ELEMENTSOF(transitions); i++)
                if (transitions[i].state == state && transitions[i].event == event)
                        return transitions[i].next;
        return (JobState) -EPROTO;
}
