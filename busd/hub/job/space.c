/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Room that is promised (see space.h).
 */
#include "job/space.h"

#include "hub-config.h"
#include "job/jobs.h"

enum {
        PARTS = 1024, /* of the reading, as fine as it is looked at */
};

uint64_t space_of_image(BackupType type, uint64_t last_bytes, uint64_t capacity_bytes,
                        uint64_t first_full_percent)
{
        if (last_bytes > 0)
                return last_bytes < capacity_bytes ? last_bytes : capacity_bytes;
        return type == BACKUP_FULL ? capacity_bytes / 100 * first_full_percent : 0;
}

uint64_t space_to_come(uint64_t expected_bytes, uint64_t done_bytes, uint64_t total_bytes)
{
        uint64_t part_bytes = total_bytes / PARTS;

        if (part_bytes == 0 || done_bytes >= total_bytes)
                return done_bytes < total_bytes ? expected_bytes : 0;
        /* In this order, so that nothing overflows. */
        return expected_bytes / PARTS * ((total_bytes - done_bytes) / part_bytes);
}

static uint64_t add(uint64_t a, uint64_t b)
{
        return b < INT64_MAX - a ? a + b : INT64_MAX;
}

static uint64_t of_disk(const Job *job, const JobDisk *disk)
{
        json_int_t last = json_integer_value(json_object_get(disk->row, "LastSizeBytes"));

        return space_of_image(disk->type, last > 0 ? (uint64_t) last : 0, disk->capacity_bytes,
                              job->jobs->config->repository_first_full_percent);
}

uint64_t space_needed(const Job *job)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        sum = add(sum, of_disk(job, job->disks + i));
        return sum;
}

/* One that ends gives back what it has; one that is copied has all that it will have. */
static bool is_promised(const Job *job)
{
        if (job->type != JOB_BACKUP || job->has_error || job->ending != JOB_STATE_INVALID)
                return false;
        return job->state == JOB_EXPORTING || job->state == JOB_COPYING ||
               (job->state == JOB_PREPARING && job->is_space_taken);
}

static uint64_t to_come(const Job *job)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;

                if (job_disk_takes_part(disk))
                        sum = add(sum, space_to_come(of_disk(job, disk), disk->bytes_done,
                                                     disk->bytes_total ?: disk->capacity_bytes));
        }
        return sum;
}

uint64_t space_promised(const Job *job)
{
        const json_t *repository = json_object_get(job->row, "RepositoryId");
        const Jobs *jobs = job->jobs;
        uint64_t sum = 0;

        for (size_t i = 0; i < jobs->n_all; i++) {
                const Job *other = jobs->all[i];

                if (other != job && is_promised(other) &&
                    json_equal(repository, json_object_get(other->row, "RepositoryId")))
                        sum = add(sum, to_come(other));
        }
        return sum;
}
