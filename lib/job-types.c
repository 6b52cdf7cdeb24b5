/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The string tables of job-types.h. An entry that is missing would be NULL, which the unit test of
 * this room refuses.
 */
#include "job-types.h"

#include "word-table.h"

static const char *const job_types[JOB_TYPE_MAX] = {
        [JOB_BACKUP] = "backup", [JOB_RESTORE] = "restore", [JOB_DELETE] = "delete",
        [JOB_VERIFY] = "verify", [JOB_MOUNT] = "mount",     [JOB_FILES] = "files",
};

static const char *const job_states[JOB_STATE_MAX] = {
        [JOB_QUEUED] = "queued",       [JOB_PREPARING] = "preparing", [JOB_EXPORTING] = "exporting",
        [JOB_COPYING] = "copying",     [JOB_FINISHING] = "finishing", [JOB_RELEASING] = "releasing",
        [JOB_COMPLETED] = "completed", [JOB_FAILED] = "failed",       [JOB_CANCELLED] = "cancelled",
};

static const char *const disk_states[DISK_STATE_MAX] = {
        [DISK_PENDING] = "pending",     [DISK_EXPORTING] = "exporting",
        [DISK_COPYING] = "copying",     [DISK_COPIED] = "copied",
        [DISK_CHECKED] = "checked",     [DISK_COMPLETED] = "completed",
        [DISK_EXCLUDED] = "excluded",   [DISK_FAILED] = "failed",
        [DISK_CANCELLED] = "cancelled",
};

static const char *const backup_types[BACKUP_TYPE_MAX] = {
        [BACKUP_FULL] = "full",
        [BACKUP_INCREMENTAL] = "incremental",
};

DEFINE_WORDS(JobType, job_type)
DEFINE_WORDS(JobState, job_state)
DEFINE_WORDS(DiskState, disk_state)
DEFINE_WORDS(BackupType, backup_type)

bool job_type_gets_back(JobType type)
{
        return type == JOB_RESTORE || type == JOB_FILES || type == JOB_MOUNT;
}

bool job_state_is_final(JobState state)
{
        return state == JOB_COMPLETED || state == JOB_FAILED || state == JOB_CANCELLED;
}
