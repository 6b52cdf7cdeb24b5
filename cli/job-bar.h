/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far a job is, on a terminal: a bar for each disk and one for all of them below, drawn over the ones before. A terminal that
 * is dumb or small gets the last one alone, which needs no escape sequence.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

typedef struct JobBar {
        size_t letters; /* of the last line that stands there */
        size_t lines; /* above it */
} JobBar;

/* Of BytesDone and BytesTotal of a job or a disk; -1 when there is nothing to measure. */
int job_bar_percent(const json_t *object);

/* text follows the bar of all. */
void job_bar_draw(JobBar *bar, const json_t *job, const char *text);

/* The terminal is as before. */
void job_bar_clear(JobBar *bar);
