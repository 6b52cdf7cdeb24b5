/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The policies of the hub: sees to it that each has its timer, begins runs, and leads those that are open to their end. What is to be
 * done next follows from the rows alone, so that a hub that was killed goes on. One for each hub, in the loop's thread.
 */
#pragma once

#include "policy/policy-timers.h"
#include "store/store-call.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef struct Jobs Jobs;
typedef struct Policies Policies;
typedef struct Repositories Repositories;

/* Borrows jobs and repositories, which must end later or answer what is open before. */
int policies_new(sd_bus *bus, Jobs *jobs, Repositories *repositories, Policies **ret_policies);
Policies *policies_free(Policies *policies);

/* The hub ends: no timer is asked for any more. Before the store is freed. */
void policies_going_down(Policies *policies);

/* The database has come (back): timers are made as the rows say, and open runs go on. */
void policies_database_ready(Policies *policies);

/* One was set or removed, and its timer with it: rows that were read before say something else. */
void policies_changed(Policies *policies);

/* Something of a run may have ended: it is looked at soon. */
void policies_look(Policies *policies);

PolicyTimers *policies_timers(const Policies *policies);

/* request as store_policy_run_begin() without NowUSec, kept until done. Errors as store_call(). */
int policies_run(Policies *policies, json_t *request, StoreAnswer done, void *userdata);

/* Adds to vm, of store_policy_look(), what policy_plan() says of it. */
int policies_plan(const Policies *policies, const json_t *vm, json_t **ret_rows);

/* The timer of a policy cannot be made for this reason, or "". */
const char *policies_timer_error(const Policies *policies, const char *name);
void policies_timer_told(Policies *policies, const char *name, int error, const char *text);

/* A run that its timer asks for is to be written down as missed: it was due while there was no timer. Told once. */
bool policies_take_late(Policies *policies, const char *name);
