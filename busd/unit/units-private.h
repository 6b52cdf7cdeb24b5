/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rooms of unit/ know of each other: the object behind units.h and its parts. Nobody outside of
 * this folder includes it.
 */
#pragma once

#include "names.h"
#include "unit/systemd-link.h"
#include "unit/units.h"

#include <stdio.h>

enum { UNIT_JOB_PATH_SIZE = 64 };

typedef struct Followed Followed;
typedef struct UnitJob UnitJob;
typedef struct UnitQuery UnitQuery;
typedef struct UnitAsk UnitAsk;

struct Units {
        SystemdLink *link;
        UnitSide side;
        UnitsHandler handler;
        void *userdata;
        sd_bus_slot *changed, *removed, *job_removed, *reloading;
        LinkCall *subscribe;
        sd_event_source *look_round;
        Followed *followed;
        UnitJob *jobs;
        UnitAsk *asks;
        size_t n_calls; /* of jobs and asks */
        bool is_ending;
};

/* units-follow: what was told, and what is. */

/* A change of a unit that is ours, by signal. */
int units_on_changed(sd_bus_message *m, void *units, sd_bus_error *error);
int units_on_removed(sd_bus_message *m, void *units, sd_bus_error *error);

/* Looks up all units that were told to be there. */
void units_follow_again(Units *units);
/* Somebody was answered with this state: its changes from here on are told. */
void units_follow(Units *units, const char *unit, const UnitState *state);
/* The last known state, NULL when the unit was never seen or is gone. */
const UnitState *units_known(const Units *units, const char *unit);
void units_follow_done(Units *units);

/* unit-job: starts and stops. */

int units_on_job_removed(sd_bus_message *m, void *units, sd_bus_error *error);
/* Looks up the units of all open jobs. */
void unit_jobs_again(Units *units);
/* Ends them all with -ECANCELED. */
void unit_jobs_cancel(Units *units);

/* unit-query: one unit as it is, without loading one that is not. */

/* job is "" when the unit has none. state->exists=false for one that is not loaded. */
typedef void (*UnitQueryDone)(int error, const char *text, const UnitState *state, const char *job,
                              void *userdata);

/* *handle is NULL again before done is called. */
int unit_query(SystemdLink *link, const char *unit, UnitQueryDone done, void *userdata,
               UnitQuery **handle);
void unit_query_drop(UnitQuery **handle);
