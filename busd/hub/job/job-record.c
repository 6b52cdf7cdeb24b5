/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The task of the commit (see job-record.h), from the rows of the job.
 */
#include "job/job-record.h"

#include "build-id.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "job/jobs.h"
#include "job/run.h"
#include "small-file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        RESULT_NAME_SIZE = 64,
};

static void result_name(const Job *job, const JobDisk *disk, char ret_name[static RESULT_NAME_SIZE])
{
        (void) snprintf(ret_name, RESULT_NAME_SIZE, "finished-%" PRIu64 "-%s", job->id, disk->text);
}

bool job_owns_finish_result(const Job *job, const char *name)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                char own[RESULT_NAME_SIZE];

                result_name(job, job->disks + i, own);
                if (strcmp(own, name) == 0)
                        return !job_state_is_final(job->state);
        }
        return false;
}

void job_finish_result_path(const Job *job, const JobDisk *disk,
                            char ret_path[static UNIT_FILE_PATH_SIZE])
{
        char name[RESULT_NAME_SIZE];

        result_name(job, disk, name);
        unit_file_path(name, UNIT_FILE_OUT, ret_path);
}

int job_finish_result_keep(const Job *job, const JobDisk *disk, const json_t *result)
{
        char path[UNIT_FILE_PATH_SIZE];
        _cleanup_free_ char *text = json_dumps(result, JSON_COMPACT);
        int r;

        if (!text)
                return -ENOMEM;
        job_finish_result_path(job, disk, path);
        /* On a tmpfs: durable means nothing there, whole means all. */
        fault_point("result.keep.before");
        r = small_file_write(path, 0640, text, strlen(text));
        fault_point("result.keep.after");
        return r;
}

/* Adds the texts of row that are there, under the names that files use. */
static int add_texts(json_t *object, const json_t *row, const char *const pairs[][2], size_t n)
{
        int r = object ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                json_t *value = json_object_get(row, pairs[i][0]);

                if (value && json_object_set(object, pairs[i][1], value) < 0)
                        r = -ENOMEM;
        }
        return r;
}

static const char *const disk_fields[][2] = {
        { "Key", "disk_key" },
        { "BackupType", "backup_type" },
        { "ParentBackupId", "parent_backup_id" },
        { "CapacityBytes", "capacity_bytes" },
        { "BackingUuid", "backing_uuid" },
        { "ChangeId", "change_id" },
        { "Reason", "reason" },
};
static const char *const place_fields[][2] = {
        { "UnitNumber", "unit_number" },
        { "Controller", "controller" },
};
static const char *const excluded_fields[][2] = {
        { "Key", "disk_key" },          { "UnitNumber", "unit_number" },
        { "Controller", "controller" }, { "CapacityBytes", "capacity_bytes" },
        { "Reason", "reason" },
};

static json_t *manifest(const Job *job, const JobDisk *disk)
{
        json_t *manifest = json_pack("{s:i, s:s, s:s, s:O}", "format", 1, "backup_id",
                                     job_text(job, "BackupId"), "instance_uuid",
                                     job_text(job, "InstanceUuid"), "created_usec",
                                     json_object_get(job->row, "CreatedUSec"));

        if (add_texts(manifest, disk->row, disk_fields, ELEMENTSOF(disk_fields)) < 0) {
                json_decref(manifest);
                return NULL;
        }
        return manifest;
}

static int add_disk(json_t *disks, json_t *tasks, const Job *job, const JobDisk *disk)
{
        char path[UNIT_FILE_PATH_SIZE];
        json_t *entry = json_object();
        int r;

        job_finish_result_path(job, disk, path);
        r = add_texts(entry, disk->row, disk_fields, ELEMENTSOF(disk_fields));
        if (r >= 0)
                r = add_texts(entry, disk->row, place_fields, ELEMENTSOF(place_fields));
        if (r >= 0)
                r = json_array_append_new(disks, entry);
        else
                json_decref(entry);
        return r < 0 ? r
                     : json_array_append_new(tasks,
                                             json_pack("{s:I, s:s, s:o}", "disk_key",
                                                       (json_int_t) disk->key, "finish_result",
                                                       path, "manifest", manifest(job, disk)));
}

static int add_excluded(json_t *excluded, const JobDisk *disk)
{
        json_t *entry = json_object();
        int r = add_texts(entry, disk->row, excluded_fields, ELEMENTSOF(excluded_fields));

        if (r >= 0)
                return json_array_append_new(excluded, entry);
        json_decref(entry);
        return r;
}

static json_t *record(const Job *job, json_t *disks, json_t *excluded)
{
        static const char *const fields[][2] = {
                { "BackupId", "backup_id" },   { "InstanceUuid", "instance_uuid" },
                { "ContextId", "context_id" }, { "Vm", "vm_name" },
                { "VmPath", "vm_path" },       { "BackupType", "backup_type" },
                { "Principal", "principal" },  { "CreatedUSec", "created_usec" },
        };
        static const char *const state_fields[][2] = {
                { "hardware", "hardware" },
                { "quiesced", "quiesced" },
        };
        json_t *record = json_pack("{s:i, s:I, s:s, s:O, s:O}", "format", 1, "committed_usec",
                                   (json_int_t) clock_realtime_usec(), "version", build_version(),
                                   "disks", disks, "excluded", excluded);

        if (add_texts(record, job->row, fields, ELEMENTSOF(fields)) < 0 ||
            add_texts(record, job->vm_state, state_fields, ELEMENTSOF(state_fields)) < 0) {
                json_decref(record);
                return NULL;
        }
        return record;
}

json_t *job_commit_task(const Job *job)
{
        CLEANUP(json_decrefp)
        json_t *disks = json_array(), *excluded = json_array(), *tasks = json_array(),
               *task = job_place(job);
        int r = disks && excluded && tasks && task ? 0 : -ENOMEM;

        for (size_t i = 0; r >= 0 && i < job->n_disks; i++)
                r = job_disk_takes_part(job->disks + i)
                                    ? add_disk(disks, tasks, job, job->disks + i)
                                    : add_excluded(excluded, job->disks + i);
        if (r >= 0)
                r = json_object_set_new(task, "record", record(job, disks, excluded));
        if (r >= 0)
                r = json_object_set(task, "disks", tasks);
        return r < 0 ? NULL : TAKE(task);
}
