/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What follows from the rows of one VM in a run: its backup begins, what its rule does not keep is deleted, one after the other. Only
 * policies.c, which looks at the rows, sees this.
 */
#pragma once

#include "policy/policies.h"

/* What it has begun is over; is_changed: the rows have, so that more may follow at once. */
typedef void (*PolicyStepDone)(bool is_changed, void *userdata);

typedef struct PolicyStepper {
        Jobs *jobs;
        Policies *policies;
        PolicyStepDone done;
        void *userdata;
} PolicyStepper;

/* run and vm: of store_policy_run_load(). 1: done is called, perhaps before this returns. 0: there is nothing to do now. */
int policy_step(const PolicyStepper *stepper, const json_t *run, const json_t *vm);
