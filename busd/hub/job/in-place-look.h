/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A look at the VM that a restore in place is about, before hours go into reading the backup back: one that runs, or has snapshots, is
 * refused at once. Its node looks again, and closer, when it begins.
 */
#pragma once

typedef struct Job Job;

/* Ends in job_fail() or in then(), which also follows when nobody can be asked now. */
void in_place_look(Job *job, void (*then)(Job *job));
