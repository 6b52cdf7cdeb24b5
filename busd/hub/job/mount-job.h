/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a job of type mount has in memory: made from its row, for work-mount.c. Its disks are those of the backup, in job->disks.
 */
#pragma once

#include "job/job.h"

/* One block, because it is freed with the job. */
typedef struct Mount {
        bool is_writable, wants_port, is_served, is_stopping;
        uint32_t uid; /* whose the sockets are */
        uint64_t until_usec; /* CLOCK_REALTIME */
} Mount;

/* NULL before mount_load(). */
Mount *mount_of(const Job *job);

/* Once for each life of the job in memory. -ENOENT: the backup has no such disk. */
int mount_load(Job *job);

/* What is written down when all disks answer. NULL: no memory. */
json_t *mount_served_result(const Job *job);

/* "mounted until …" */
void mount_set_phase(Job *job);
