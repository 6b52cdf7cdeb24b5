/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undoing what jobs that are over have left: obligations that could not be met at their end, units and
 * leases of no open job. By itself when something is due, and at once by `sendensectl cleanup`. Touches
 * nothing of a job that is open, and no backup that has its commit record.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Jobs Jobs;
typedef struct Sweeper Sweeper;

/* lines: an array of what was done, and of what could not be done and why. Borrowed. */
typedef void (*SweepDone)(const json_t *lines, void *userdata);

/* Told whenever the number of open obligations changes. */
typedef void (*SweepCount)(unsigned n_open, void *userdata);

/* Borrows jobs. */
int sweeper_new(Jobs *jobs, SweepCount count, void *userdata, Sweeper **ret_sweeper);
Sweeper *sweeper_free(Sweeper *sweeper);

/* Everything, due or not, now or after the sweep that is under way. -EBUSY while somebody waits for another
 * one already, -ENOTCONN without the database. */
int sweeper_run(Sweeper *sweeper, SweepDone done, void *userdata);

/* What is due, now or after the sweep that is under way. */
void sweeper_look(Sweeper *sweeper);

/* What stood in the way may be gone: of the hub itself (0), which has just begun, or of that node, which
 * answers again. All that is owed there is due at once. */
void sweeper_hurry(Sweeper *sweeper, uint64_t node_id);

/* A job has ended, perhaps owing something: the number is told soon. */
void sweeper_count(Sweeper *sweeper);

unsigned sweeper_n_open(const Sweeper *sweeper);
