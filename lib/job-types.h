/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words for jobs, disks and backups. Each is spelled once, here: SQL, D-Bus, JSON and the journal
 * all use these strings. Pure; what may follow what is decided elsewhere.
 *
 * x_to_string() gives NULL for a value that is none; x_from_string() gives X_INVALID, a negative
 * errno, for a word that is none.
 */
#pragma once

#include <stdbool.h>

typedef enum JobType {
        JOB_BACKUP,
        JOB_RESTORE,
        JOB_DELETE, /* a backup, which may merge layers */
        JOB_VERIFY, /* a backup's digests */
        JOB_MOUNT, /* a backup, as block devices for a while */
        JOB_FILES, /* out of a backup */
        JOB_TYPE_MAX,
        JOB_TYPE_INVALID = -22,
} JobType;

typedef enum JobState {
        JOB_QUEUED,
        JOB_PREPARING,
        JOB_EXPORTING,
        JOB_COPYING,
        JOB_FINISHING,
        JOB_RELEASING,
        JOB_COMPLETED,
        JOB_FAILED,
        JOB_CANCELLED,
        JOB_STATE_MAX,
        JOB_STATE_INVALID = -22,
} JobState;

/* One disk of one backup job. */
typedef enum DiskState {
        DISK_PENDING,
        DISK_EXPORTING,
        DISK_COPYING,
        DISK_COPIED, /* all of it committed by the copy task */
        DISK_CHECKED, /* image checked, digests and manifest written */
        DISK_COMPLETED, /* part of a VM commit record */
        DISK_EXCLUDED, /* not backed up, with a reason */
        DISK_FAILED,
        DISK_CANCELLED,
        DISK_STATE_MAX,
        DISK_STATE_INVALID = -22,
} DiskState;

/* Of a whole backup, and of each image in it: one disk may be read as a full in an incremental. */
typedef enum BackupType {
        BACKUP_FULL,
        BACKUP_INCREMENTAL,
        BACKUP_TYPE_MAX,
        BACKUP_TYPE_INVALID = -22,
} BackupType;

const char *job_type_to_string(JobType type);
JobType job_type_from_string(const char *text);

/* A restore, a look into a backup or a mount: somebody waits for what was lost. */
bool job_type_gets_back(JobType type);

const char *job_state_to_string(JobState state);
JobState job_state_from_string(const char *text);

/* completed, failed or cancelled: nothing follows. */
bool job_state_is_final(JobState state);

const char *disk_state_to_string(DiskState state);
DiskState disk_state_from_string(const char *text);

const char *backup_type_to_string(BackupType type);
BackupType backup_type_from_string(const char *text);
