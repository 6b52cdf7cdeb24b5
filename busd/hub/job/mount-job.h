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
        uint64_t until_usec; /* CLOCK_REALTIME; 0: as long as its job wants it */

        /* Of a job that reads what it mounts; NULL in a mount. */
        void (*served)(Job *job); /* all disks can be read, and that is written down */
        void (*stopped)(Job *job); /* what follows when nothing serves any more */
} Mount;

/* NULL before mount_load(). */
Mount *mount_of(const Job *job);

/* Once for each life of the job in memory. -ENOENT: the backup has no such disk. */
int mount_load(Job *job);

/* What is written down when all disks answer. NULL: no memory. */
json_t *mount_served_result(const Job *job);

/* Whether the servers of the result that the job's row has can still be there. */
bool mount_is_of_this_boot(const Job *job);

/* "mounted until …" */
void mount_set_phase(Job *job);
