/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The string tables of policy-types.h.
 */
#include "policy-types.h"

#include "word-table.h"

static const char *const policy_run_kinds[POLICY_RUN_KIND_MAX] = {
        [POLICY_RUN_BACKUP] = "backup",
        [POLICY_RUN_PRUNE] = "prune",
};

static const char *const policy_run_causes[POLICY_RUN_CAUSE_MAX] = {
        [POLICY_CAUSE_TIMER] = "timer",
        [POLICY_CAUSE_MISSED] = "missed",
        [POLICY_CAUSE_ASKED] = "asked",
};

static const char *const policy_run_states[POLICY_RUN_STATE_MAX] = {
        [POLICY_RUN_RUNNING] = "running",
        [POLICY_RUN_COMPLETED] = "completed",
        [POLICY_RUN_FAILED] = "failed",
        [POLICY_RUN_SKIPPED] = "skipped",
};

static const char *const policy_vm_states[POLICY_VM_STATE_MAX] = {
        [POLICY_VM_WAITING] = "waiting", [POLICY_VM_BACKUP] = "backup",
        [POLICY_VM_PRUNE] = "prune",     [POLICY_VM_COMPLETED] = "completed",
        [POLICY_VM_FAILED] = "failed",   [POLICY_VM_SKIPPED] = "skipped",
};

DEFINE_WORDS(PolicyRunKind, policy_run_kind)
DEFINE_WORDS(PolicyRunCause, policy_run_cause)
DEFINE_WORDS(PolicyRunState, policy_run_state)
DEFINE_WORDS(PolicyVmState, policy_vm_state)
