/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A mount as a value (see mount-job.h): from its row, and as it is shown. Does nothing by itself.
 */
#include "job/mount-job.h"

#include "cleanup.h"
#include "job/jobs.h"
#include "job/work-mount.h"
#include "parse.h"
#include "unit/mount-unit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

Mount *mount_of(const Job *job)
{
        return job->state_of_work;
}

/* ── What was asked ── */

json_t *mount_work(const json_t *keys, bool is_writable, bool wants_port, uint32_t uid,
                   uint64_t until_usec)
{
        return json_pack("{s:O*, s:b, s:b, s:I, s:I}", "disks", keys, "writable", is_writable,
                         "port", wants_port, "uid", (json_int_t) uid, "until_usec",
                         (json_int_t) until_usec);
}

static uint64_t number_of(const json_t *object, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 ? (uint64_t) value : 0;
}

static void add_disk(Job *job, json_t *row)
{
        JobDisk *disk = job->disks + job->n_disks++;

        *disk = (JobDisk){
                .row = row,
                .id = number_of(row, "Id"),
                .key = (uint32_t) number_of(row, "Key"),
                .state = DISK_COMPLETED,
                .type = backup_type_from_string(disk_text(&(JobDisk){ .row = row }, "BackupType")),
                .capacity_bytes = number_of(row, "CapacityBytes"),
        };
        (void) snprintf(disk->text, sizeof(disk->text), "%" PRIu32, disk->key);
        (void) snprintf(disk->file, sizeof(disk->file), "%s", disk_text(disk, "File"));
        mount_name(job->id, disk->key, disk->export_name);
}

static bool is_wanted(const json_t *keys, uint64_t key)
{
        const json_t *wanted;
        size_t i;

        json_array_foreach (keys, i, wanted)
                if (json_integer_value(wanted) == (json_int_t) key)
                        return true;
        return !keys;
}

static int load_disks(Job *job)
{
        const json_t *keys = json_object_get(job->work, "disks"), *key;
        json_t *rows = json_object_get(job->row, "TargetDisks"), *row;
        size_t i;

        job->disks = calloc(json_array_size(rows) + 1, sizeof(JobDisk));
        if (!job->disks)
                return -ENOMEM;
        json_array_foreach (rows, i, row)
                if (disk_state_from_string(disk_text(&(JobDisk){ .row = row }, "State")) ==
                                    DISK_COMPLETED &&
                    is_wanted(keys, number_of(row, "Key")))
                        add_disk(job, row);
        json_array_foreach (keys, i, key)
                if (!job_find_disk(job, (uint32_t) json_integer_value(key)))
                        return -ENOENT;
        return job->n_disks == 0 ? -ENOENT : 0;
}

int mount_load(Job *job)
{
        Mount *mount = mount_of(job);

        if (mount)
                return 0;
        mount = malloc(sizeof(Mount));
        if (!mount)
                return -ENOMEM;
        *mount = (Mount){
                .is_writable = json_is_true(json_object_get(job->work, "writable")),
                .wants_port = json_is_true(json_object_get(job->work, "port")),
                .uid = (uint32_t) number_of(job->work, "uid"),
                .until_usec = number_of(job->work, "until_usec"),
        };
        job->state_of_work = mount;
        return load_disks(job);
}

void mount_set_phase(Job *job)
{
        char phase[sizeof(job->phase)], when[32] = "";
        time_t until = (time_t) (mount_of(job)->until_usec / USEC_PER_SEC);
        struct tm tm;

        if (gmtime_r(&until, &tm))
                (void) strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
        (void) snprintf(phase, sizeof(phase), "mounted until %s", when);
        job_set_phase(job, phase);
}

json_t *mount_served_result(const Job *job)
{
        json_t *disks = json_array(), *result;

        for (size_t i = 0; disks && i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;

                (void) json_array_append_new(disks, json_pack("{s:I, s:i, s:s}", "disk_key",
                                                              (json_int_t) disk->key, "port",
                                                              (int) disk->port, "invocation_id",
                                                              disk->invocation_id));
        }
        result = json_pack("{s:b, s:s, s:o}", "served", 1, "boot_id", job->jobs->boot_id, "disks",
                           disks);
        return result;
}

bool mount_is_of_this_boot(const Job *job)
{
        const char *boot = json_string_value(json_object_get(job->work_result, "boot_id")) ?: "";

        return strcmp(boot, job->jobs->boot_id) == 0;
}

bool mount_is_served(const Job *job)
{
        const Mount *mount = mount_of(job);

        return job->type == JOB_MOUNT && mount && mount->is_served && !mount->is_stopping &&
               job->state == JOB_COPYING && !job->has_error;
}

static json_t *describe_disk(const Job *job, const JobDisk *disk)
{
        json_t *row = json_pack("{s:I, s:I, s:s}", "Key", (json_int_t) disk->key, "CapacityBytes",
                                (json_int_t) disk->capacity_bytes, "ExportName", disk->export_name);
        char uri[MOUNT_URI_SIZE], path[UNIT_FILE_PATH_SIZE];

        if (disk->port > 0) {
                (void) snprintf(uri, sizeof(uri), "nbd://127.0.0.1:%" PRIu16 "/%s", disk->port,
                                disk->export_name);
                (void) json_object_set_new(row, "Port", json_integer(disk->port));
        } else {
                mount_socket_path(job->id, disk->key, path);
                mount_uri(job->id, disk->key, uri);
                (void) json_object_set_new(row, "Socket", json_string(path));
        }
        (void) json_object_set_new(row, "Uri", json_string(uri));
        return row;
}

json_t *mount_describe(const Job *job)
{
        const Mount *mount = mount_of(job);
        json_t *disks = json_array();

        for (size_t i = 0; disks && i < job->n_disks; i++)
                (void) json_array_append_new(disks, describe_disk(job, job->disks + i));
        return json_pack("{s:I, s:s, s:s, s:s, s:s, s:b, s:b, s:O*, s:I, s:o}", "Job",
                         (json_int_t) job->id, "BackupId", job_text(job, "BackupId"), "Vm",
                         job_text(job, "Vm"), "Repository", job_text(job, "Repository"),
                         "Principal", job_text(job, "Principal"), "Served", mount_is_served(job),
                         "Writable", json_is_true(json_object_get(job->work, "writable")),
                         "CreatedUSec", json_object_get(job->row, "CreatedUSec"), "ExpiresUSec",
                         (json_int_t) (mount ? mount->until_usec
                                             : number_of(job->work, "until_usec")),
                         "Disks", disks);
}
