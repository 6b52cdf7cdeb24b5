/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The steps of a job about a backup that is there (see work.h), in the place of those of run.h:
 * queued → copying (its unit works) → finishing (what came of it is written down) → completed.
 */
#pragma once

#include "job/ticket.h"
#include "job/work.h"

typedef struct UnitState UnitState;

void run_work_start(Job *job); /* out of the queue */
void run_work(Job *job); /* in copying */
void run_work_finish(Job *job); /* in finishing */
void run_work_undo(Job *job);

/* Of a job that can only go forward and could not: it tries for as long as it takes, or until somebody gives it up. Then it ends as was
 * decided, and what it left stays as it is. -EBUSY: it does not wait for that. */
bool run_work_is_stuck(const Job *job);
int run_work_give_up(Job *job, const char *principal);

/* The work is done: its result (borrowed) is written down, and the job ends as the type judges. */
void run_work_done(Job *job, const json_t *result);

/* A unit of the job has changed. */
void run_work_on_unit(Job *job, const UnitName *name, const char *unit, const void *state);

/* What is to be done again. Every half second, in copying. */
void run_work_tick(Job *job, uint64_t now_usec);

/* How far its unit says it is with a disk. */
void run_work_progress(Job *job, uint32_t disk_key, uint64_t done, uint64_t total);

/* Between run-work.c and run-work-undo.c: the one unit of the job, by name; started with a verb of its program, and looked at once it has; stopped;
 * whether it has ended; its files, removed; and the end of the one that undoes. */
const char *run_work_unit(const Job *job, char ret_unit[static UNIT_NAME_SIZE]);
int run_work_start_unit(Job *job, const char *verb, JobThen then);
void run_work_look_after_start(Job *job);
void run_work_stop_unit(Job *job, JobThen then);
bool run_work_has_ended(const UnitState *state);
void run_work_remove_files(const Job *job);
void run_work_undo_ended(Job *job, const UnitState *state);
