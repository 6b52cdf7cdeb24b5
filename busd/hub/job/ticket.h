/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a job waits for. An answer that comes when the job has gone on to something else, or is no more,
 * is dropped here and nowhere else.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Job Job;
typedef struct JobDisk JobDisk;

typedef void (*JobThen)(Job *job, JobDisk *disk, int error, const char *text);
typedef void (*JobResult)(Job *job, JobDisk *disk, const json_t *result, const char *name,
                          const char *text);

typedef struct Ticket Ticket;

/* disk and then may be NULL. -ENOMEM. */
int ticket_new(Job *job, JobDisk *disk, JobThen then, Ticket **ret_ticket);
int ticket_new_result(Job *job, JobDisk *disk, JobResult then, Ticket **ret_ticket);

/* The question was not asked: forgets it without an answer. */
void ticket_discard(Ticket *ticket);

/* Fit for UnitDone; frees the ticket. */
void ticket_done(int error, const char *text, void *ticket);

/* Whether anybody waits for the answer still: the job is there, and has not begun something else. */
bool ticket_is_awaited(void *ticket);

/* Fit for ImageRunDone; frees the ticket. */
void ticket_image_done(const json_t *result, const char *unit, const char *name, const char *text,
                       void *ticket);
