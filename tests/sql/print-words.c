/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prints which words each state column must have, one line "table.column word,word,…", from the tables
 * of lib. tests/sql/schema.sh compares it with the database, both ways.
 */
#include "cleanup.h"
#include "job-types.h"
#include "policy-types.h"

#include <stdio.h>

static const char *job_type(int value)
{
        return job_type_to_string((JobType) value);
}

static const char *job_state(int value)
{
        return job_state_to_string((JobState) value);
}

static const char *disk_state(int value)
{
        return disk_state_to_string((DiskState) value);
}

static const char *backup_type(int value)
{
        return backup_type_to_string((BackupType) value);
}

static const char *run_kind(int value)
{
        return policy_run_kind_to_string((PolicyRunKind) value);
}

static const char *run_cause(int value)
{
        return policy_run_cause_to_string((PolicyRunCause) value);
}

static const char *run_state(int value)
{
        return policy_run_state_to_string((PolicyRunState) value);
}

static const char *vm_state(int value)
{
        return policy_vm_state_to_string((PolicyVmState) value);
}

static const struct {
        const char *column;
        const char *(*to_string)(int value);
        int n;
} columns[] = {
        { "backup_disks.backup_type", backup_type, BACKUP_TYPE_MAX },
        { "backup_disks.state", disk_state, DISK_STATE_MAX },
        { "backup_jobs.backup_type", backup_type, BACKUP_TYPE_MAX },
        { "backup_jobs.job_type", job_type, JOB_TYPE_MAX },
        { "backup_jobs.state", job_state, JOB_STATE_MAX },
        { "job_events.from_state", job_state, JOB_STATE_MAX },
        { "job_events.to_state", job_state, JOB_STATE_MAX },
        { "policy_run_vms.state", vm_state, POLICY_VM_STATE_MAX },
        { "policy_runs.cause", run_cause, POLICY_RUN_CAUSE_MAX },
        { "policy_runs.kind", run_kind, POLICY_RUN_KIND_MAX },
        { "policy_runs.state", run_state, POLICY_RUN_STATE_MAX },
};

int main(void)
{
        for (size_t i = 0; i < ELEMENTSOF(columns); i++) {
                (void) printf("%s ", columns[i].column);
                for (int value = 0; value < columns[i].n; value++)
                        (void) printf("%s%s", value > 0 ? "," : "", columns[i].to_string(value));
                (void) putchar('\n');
        }
        /* What a job may end as once something is undone. */
        (void) printf("backup_jobs.ending %s,%s\n", job_state_to_string(JOB_FAILED),
                      job_state_to_string(JOB_CANCELLED));
        for (int state = 0; state < JOB_STATE_MAX; state++)
                if (job_state_is_final((JobState) state))
                        (void) printf("final %s\n", job_state_to_string((JobState) state));
        return ferror(stdout) ? 1 : 0;
}
