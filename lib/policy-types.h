/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of policies and their runs, as the database, the bus and people have them. A word is spelled in policy-types.c alone.
 * Pure.
 */
#pragma once

typedef enum PolicyRunKind {
        POLICY_RUN_BACKUP, /* backs up, then deletes what the rule does not keep */
        POLICY_RUN_PRUNE, /* only the latter */
        POLICY_RUN_KIND_MAX,
        POLICY_RUN_KIND_INVALID = -22,
} PolicyRunKind;

typedef enum PolicyRunCause {
        POLICY_CAUSE_TIMER,
        POLICY_CAUSE_MISSED, /* its timer told, and nobody heard it then */
        POLICY_CAUSE_ASKED, /* somebody asked for it */
        POLICY_RUN_CAUSE_MAX,
        POLICY_RUN_CAUSE_INVALID = -22,
} PolicyRunCause;

typedef enum PolicyRunState {
        POLICY_RUN_RUNNING,
        POLICY_RUN_COMPLETED, /* all that was to be done was done, or was left out for a reason that passes */
        POLICY_RUN_FAILED, /* for one of its VMs at least */
        POLICY_RUN_SKIPPED, /* the one before it was not over */
        POLICY_RUN_STATE_MAX,
        POLICY_RUN_STATE_INVALID = -22,
} PolicyRunState;

/* Of one VM in a run. */
typedef enum PolicyVmState {
        POLICY_VM_WAITING,
        POLICY_VM_BACKUP, /* its backup is under way */
        POLICY_VM_PRUNE, /* what the rule does not keep is being deleted, one after the other */
        POLICY_VM_COMPLETED,
        POLICY_VM_FAILED,
        POLICY_VM_SKIPPED, /* it had another job */
        POLICY_VM_STATE_MAX,
        POLICY_VM_STATE_INVALID = -22,
} PolicyVmState;

const char *policy_run_kind_to_string(PolicyRunKind kind);
PolicyRunKind policy_run_kind_from_string(const char *text);
const char *policy_run_cause_to_string(PolicyRunCause cause);
PolicyRunCause policy_run_cause_from_string(const char *text);
const char *policy_run_state_to_string(PolicyRunState state);
PolicyRunState policy_run_state_from_string(const char *text);
const char *policy_vm_state_to_string(PolicyVmState state);
PolicyVmState policy_vm_state_from_string(const char *text);
