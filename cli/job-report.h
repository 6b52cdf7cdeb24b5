/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a job that is watched looks: a line for each step and a bar on a terminal, lines alone elsewhere,
 * one JSON object a line with --json.
 */
#pragma once

#include "ctl.h"
#include "job-bar.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JobReport {
        uint64_t id;
        char step[96]; /* the line that was printed last */
        bool begun;
        int percent; /* the last that was printed */
        JobBar bar; /* what stands on the terminal */
        uint64_t usec, bytes; /* of the last look, for the rate */
        double rate; /* bytes per second, 0: not known yet */
} JobReport;

/* What is known of the job now. */
void job_report_update(JobReport *report, const json_t *job);

/* A word to the watcher on stderr. */
void job_report_note(JobReport *report, const char *text);

/* The end: what GetJob said last. Returns the exit status of it. */
ExitStatus job_report_end(JobReport *report, const json_t *job);
