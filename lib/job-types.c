/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The string tables of job-types.h. An entry that is missing would be NULL, which the unit test of
 * this room refuses.
 */
#include "job-types.h"

#include "cleanup.h"

#include <errno.h>
#include <string.h>

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

static const char *table_get(const char *const *table, size_t n, int value)
{
        return value >= 0 && (size_t) value < n ? table[value] : NULL;
}

static int table_find(const char *const *table, size_t n, const char *text)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(table[i], text) == 0)
                        return (int) i;
        return -EINVAL;
}

#define DEFINE_WORDS(type, name)                                              \
        const char *name##_to_string(type value)                              \
        {                                                                     \
                return table_get(name##s, ELEMENTSOF(name##s), (int) value);  \
        }                                                                     \
        type name##_from_string(const char *text)                             \
        {                                                                     \
                return (type) table_find(name##s, ELEMENTSOF(name##s), text); \
        }

DEFINE_WORDS(JobType, job_type)
DEFINE_WORDS(JobState, job_state)
DEFINE_WORDS(DiskState, disk_state)
DEFINE_WORDS(BackupType, backup_type)

bool job_state_is_final(JobState state)
{
        return state == JOB_COMPLETED || state == JOB_FAILED || state == JOB_CANCELLED;
}
