/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the queue to empty images (see run.h). What will have to be undone is written in the transaction
 * that lets the job out of the queue, before anything exists. Both units may run again after a crash:
 * they make their files anew, and nothing is in them yet. What still runs of before is ended first.
 */
#include "job/run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "image-run.h"
#include "job/jobs.h"
#include "job/run-work.h"
#include "job/space.h"
#include "log.h"
#include "parse.h"
#include "unit/units.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        PATH_OWED_MAX = 360, /* with the ids behind it not longer than OWED_SIZE */
};

#define ROOM_AGAIN_USEC (5 * USEC_PER_SEC)

static void on_started(Job *job)
{
        job->has_obligations = true;
        run_enter(job);
}

/* What a failure must undo, for people: a path that the column has no room for loses its middle. The ids at
 * its end make it the only one of its kind. */
static void files_owed(const Job *job, char ret_subject[static OWED_SIZE])
{
        const char *path = job_text(job, "RepositoryPath");
        const char *cut = strlen(path) > PATH_OWED_MAX ? "..." : "";

        (void) snprintf(ret_subject, OWED_SIZE, "%.*s%s/%.36s/*/%.95s.qcow2", PATH_OWED_MAX, path,
                        cut, job_text(job, "InstanceUuid"), job_text(job, "BackupId"));
        utf8_make_valid(ret_subject);
}

void run_start(Job *job)
{
        char units[64], files[OWED_SIZE];

        if (job->type != JOB_BACKUP) {
                run_work_start(job);
                return;
        }
        (void) snprintf(units, sizeof(units), "sendense-job@%" PRIu64 ".target", job->id);
        files_owed(job, files);
        job_advance_to(job, JOB_EVENT_START, "its turn in the queue has come",
                       json_pack("{s:I, s:[{s:s, s:s}, {s:s, s:s}]}", "StartedUSec",
                                 (json_int_t) clock_realtime_usec(), "Obligations", "Kind", "units",
                                 "Subject", units, "Kind", "files", "Subject", files),
                       on_started);
}

/* The images' names are known from now on; they stand in the rows before anybody may write to them. */
static void all_created(Job *job)
{
        CLEANUP(json_decrefp) json_t *disks = json_array();

        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i) &&
                    json_array_append_new(disks, json_pack("{s:I, s:s}", "Id",
                                                           (json_int_t) job->disks[i].id, "File",
                                                           job->disks[i].file)) < 0) {
                        job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                        return;
                }
        job_advance_to(job, JOB_EVENT_PREPARED, "every image is made",
                       json_pack("{s:O, s:s, s:s}", "Disks", disks, "DiskState",
                                 disk_state_to_string(DISK_EXPORTING), "RepositoryUuid",
                                 job_text(job, "RepositoryUuid")),
                       run_enter);
}

static void on_created(Job *job, JobDisk *disk, const json_t *result, const char *name,
                       const char *text)
{
        if (!result) {
                job_fail_unless_going_down(job, name, "Disk %s: the image cannot be made: %s",
                                           disk->text, text);
                return;
        }
        disk->is_direct = json_is_true(json_object_get(result, "direct"));
        if (job_last_of_waiting(job))
                all_created(job);
}

static void create_image(Job *job, JobDisk *disk)
{
        char step[32], path[JOB_PATH_SIZE];
        const ImageTask task = {
                .job = job->id,
                .step = step,
                .verb = "create",
                .timeout_usec = job_step_usec(job),
                .write_path = path,
                .as_export_user = true,
        };
        (void) snprintf(step, sizeof(step), "create-%s", disk->text);
        job_image_path(job, disk, path);
        job_image(job, disk, &task, job_image_spec(disk, path), on_created);
}

/* Those that run end, and what they have not taken up is free then: the job begins once it has room. */
static void wait_for_room(Job *job, const char *text)
{
        if (!job->is_waiting_for_room)
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                               "Job %" PRIu64 " waits for room in repository %s: %s", job->id,
                               job_text(job, "Repository"), text);
        job->is_waiting_for_room = true;
        job->is_space_taken = false;
        job->room_due_usec = clock_monotonic_usec() + ROOM_AGAIN_USEC;
        job_set_phase(job, "waits: running backups may need the room in its repository");
}

static void on_prepared(Job *job, JobDisk *disk, const json_t *result, const char *name,
                        const char *text)
{
        (void) disk;
        if (!result && strcmp(name, BUS_ERROR_BUSY) == 0) {
                wait_for_room(job, text);
                return;
        }
        if (!result) {
                job_fail_unless_going_down(job, name, "Repository %s: %s",
                                           job_text(job, "Repository"), text);
                return;
        }
        /* In a repository that nobody had looked at; it becomes durable with the next state. */
        if (json_object_set(job->row, "RepositoryUuid",
                            json_object_get(result, "repository_uuid")) < 0) {
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        job->is_waiting_for_room = false;
        job_set_phase(job, "making images");
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        create_image(job, job->disks + i);
}

/* sendense-image names the files by the same rule; the names stand here for the rows. */
static int name_files(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;
                int n;

                if (!job_disk_takes_part(disk))
                        continue;
                n = snprintf(disk->file, sizeof(disk->file), "%s/%s/%s.qcow2",
                             job_text(job, "InstanceUuid"), disk->text, job_text(job, "BackupId"));
                if (n < 0 || (size_t) n >= sizeof(disk->file))
                        return -ENAMETOOLONG;
        }
        return 0;
}

static void prepare(Job *job)
{
        const ImageTask task = {
                .job = job->id,
                .step = "prepare",
                .verb = "prepare",
                .timeout_usec = job_step_usec(job),
                .write_path = job_text(job, "RepositoryPath"),
        };
        const HubConfig *config = job->jobs->config;
        CLEANUP(json_decrefp) json_t *spec = job_place(job);
        json_t *keys = json_array();

        for (size_t i = 0; keys && i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        (void) json_array_append_new(keys, json_integer(job->disks[i].key));
        if (!spec || json_object_set_new(spec, "disk_keys", keys) < 0 ||
            json_object_update_new(spec, json_pack("{s:I, s:I, s:I}", "reserve_bytes",
                                                   (json_int_t) config->repository_reserve_bytes,
                                                   "needed_bytes", (json_int_t) space_needed(job),
                                                   "promised_bytes",
                                                   (json_int_t) space_promised(job))) < 0 ||
            name_files(job) < 0) {
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        job->is_space_taken = true;
        if (!job->is_waiting_for_room)
                job_set_phase(job, "preparing the repository");
        job_image(job, NULL, &task, TAKE(spec), on_prepared);
}

bool run_prepare_waits(const Job *job)
{
        return job->room_due_usec > 0 && job->state == JOB_PREPARING && !job->has_error &&
               job->ending == JOB_STATE_INVALID;
}

void run_prepare_again(Job *job)
{
        job->room_due_usec = 0;
        prepare(job);
}

static void on_old_images_gone(Job *job)
{
        if (job->stop_failed)
                job_fail_unless_going_down(job, BUS_ERROR_FAILED,
                                           "An image that the hub before was making cannot be "
                                           "ended: %s",
                                           job->stop_text);
        else
                prepare(job);
}

void run_prepare(Job *job)
{
        static const char *const image_steps[] = { "create", NULL };

        if (!job->is_recovered) {
                prepare(job);
                return;
        }
        /* Who makes an image outlives the hub that asked for it, and has open what would be
         * removed here. */
        job_set_phase(job, "ending what was begun");
        run_stop_steps(job, NULL, image_steps, on_old_images_gone);
}
