/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this hub has counted of its jobs since it started: how long they were in each state, what was copied, how their exports came
 * up and ended. Numbers alone, and kept in memory: a watcher that reads them regularly misses nothing but what was under way when a
 * hub ended.
 */
#pragma once

#include "job-types.h"
#include "job/plan.h"

#include <jansson.h>
#include <stdint.h>

typedef struct UnitState UnitState;

typedef struct JobFigures {
        uint64_t state_count[JOB_STATE_MAX], state_usec[JOB_STATE_MAX]; /* of jobs that left it */
        uint64_t state_bytes[JOB_STATE_MAX]; /* that they had moved in it */
        uint64_t copied_bytes; /* of copies that are complete */
        uint64_t full_instead
                        [FULL_REASON_MAX]; /* disks of these that were read whole, though their changes were asked for */
        uint64_t leases_failed; /* ports that somebody else had, and searches that found none */
        uint64_t exports_started, exports_crashed, exports_killed;
        uint64_t exports_ready, exports_ready_usec,
                        exports_ready_max_usec; /* from the request on */
} JobFigures;

/* A job has left the state after so long, and with so much done. */
void job_figures_left(JobFigures *figures, JobState state, uint64_t usec, uint64_t bytes);

/* An export has answered, so long after it was asked for. */
void job_figures_ready(JobFigures *figures, uint64_t usec);

/* One has ended that nobody had stopped; result is systemd's word for how. */
void job_figures_died(JobFigures *figures, const char *result);

/* Adds them to what GetFigures tells: PhaseFigures, FullInstead, CopiedBytes, LeasesFailed, Exports…. -ENOMEM. */
int job_figures_add(const JobFigures *figures, json_t *dict);
