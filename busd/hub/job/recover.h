/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking up what an earlier life of the hub left: open jobs from the database, units from systemd. Called
 * by jobs.c when the database is there for the first time, and at each tick until it has succeeded.
 */
#pragma once

typedef struct Jobs Jobs;

void recover_begin(Jobs *jobs);

/* Tries again what could not be asked. */
void recover_tick(Jobs *jobs);
