/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counting (see job-figures.h).
 */
#include "job/job-figures.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

void job_figures_left(JobFigures *figures, JobState state, uint64_t usec, uint64_t bytes)
{
        figures->state_count[state]++;
        figures->state_usec[state] += usec;
        figures->state_bytes[state] += bytes;
}

void job_figures_ready(JobFigures *figures, uint64_t usec)
{
        figures->exports_ready++;
        figures->exports_ready_usec += usec;
        if (usec > figures->exports_ready_max_usec)
                figures->exports_ready_max_usec = usec;
}

void job_figures_died(JobFigures *figures, const char *result)
{
        if (strcmp(result, "signal") == 0 || strcmp(result, "oom-kill") == 0 ||
            strcmp(result, "watchdog") == 0)
                figures->exports_killed++;
        else
                figures->exports_crashed++;
}

static json_t *phases(const JobFigures *figures)
{
        json_t *rows = json_array();

        for (JobState state = 0; rows && state < JOB_STATE_MAX; state++)
                if (!job_state_is_final(state) &&
                    json_array_append_new(
                                    rows,
                                    json_pack("{s:s, s:I, s:I, s:I}", "State",
                                              job_state_to_string(state), "Count",
                                              (json_int_t) figures->state_count[state], "USec",
                                              (json_int_t) figures->state_usec[state], "Bytes",
                                              (json_int_t) figures->state_bytes[state])) < 0) {
                        json_decref(rows);
                        return NULL;
                }
        return rows;
}

static json_t *full_instead(const JobFigures *figures)
{
        json_t *rows = json_array();

        for (FullReason reason = 0; rows && reason < FULL_REASON_MAX; reason++)
                if (json_array_append_new(rows,
                                          json_pack("{s:s, s:I}", "Reason",
                                                    full_reason_to_string(reason), "Count",
                                                    (json_int_t) figures->full_instead[reason])) <
                    0) {
                        json_decref(rows);
                        return NULL;
                }
        return rows;
}

int job_figures_add(const JobFigures *figures, json_t *dict)
{
        CLEANUP(json_decrefp)
        json_t *more = json_pack("{s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                                 "PhaseFigures", phases(figures), "FullInstead",
                                 full_instead(figures), "CopiedBytes",
                                 (json_int_t) figures->copied_bytes, "LeasesFailed",
                                 (json_int_t) figures->leases_failed, "ExportsStarted",
                                 (json_int_t) figures->exports_started, "ExportsCrashed",
                                 (json_int_t) figures->exports_crashed, "ExportsKilled",
                                 (json_int_t) figures->exports_killed, "ExportsReady",
                                 (json_int_t) figures->exports_ready, "ExportsReadyUSec",
                                 (json_int_t) figures->exports_ready_usec, "ExportsReadyMaxUSec",
                                 (json_int_t) figures->exports_ready_max_usec);

        return more && json_object_update(dict, more) == 0 ? 0 : -ENOMEM;
}
