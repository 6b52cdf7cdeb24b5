/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From copied data to a backup (see run.h): exports end, each image is checked and digested by a unit,
 * one unit seals, renames and writes the VM commit record, and one transaction says so. The record is
 * the truth: each part may be repeated until it exists, and after that only the rows can follow.
 */
#include "job/run.h"

#include "build-id.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "image-run.h"
#include "job/export-watch.h"
#include "job/job-record.h"
#include "job/jobs.h"
#include "job/sent-sums.h"
#include "log.h"
#include "store/store-job.h"
#include "store/store-lease.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        FINISH_MIN_RATE = 4 << 20, /* bytes a second; pieces of an increment are read twice */
};

static void finish_step(const JobDisk *disk, char ret_step[static UNIT_STEP_MAX + 1])
{
        (void) snprintf(ret_step, UNIT_STEP_MAX + 1, "finish-%s", disk->text);
}

/* The rows follow the record. */
static void write_completed(Job *job)
{
        json_t *changes = json_pack("{s:s, s:b, s:[s, s]}", "DiskState",
                                    disk_state_to_string(DISK_COMPLETED), "ChangeIds", 1,
                                    "ObligationsDone", "units", "files");

        fault_point("finish.groups.after");
        /* Whatever was decided before: from here on it can only complete. */
        job->ending = JOB_STATE_INVALID;
        job->has_error = job->wants_cancel = false;
        job->error_name[0] = job->error_text[0] = '\0';
        if (job->owes_release) {
                job_advance_to(job, JOB_EVENT_COMMITTED_HOLDING,
                               "the VM commit record exists; its snapshot is still held", changes,
                               run_enter);
                return;
        }
        if (job->node_id > 0)
                (void) json_array_append_new(json_object_get(changes, "ObligationsDone"),
                                             json_string(JOB_OWES_SNAPSHOT));
        if (changes)
                (void) json_object_set_new(changes, "FinishedUSec",
                                           json_integer((json_int_t) clock_realtime_usec()));
        job_advance_to(job, JOB_EVENT_COMMITTED, "the VM commit record exists", changes,
                       jobs_job_ended);
}

static void on_groups_gone(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk;
        /* A slice that would not go is found again by cleanup; the backup is there. */
        if (error < 0)
                (void) job_log(job, NULL, LOG_WARNING, error, MESSAGE_NONE,
                               "Slice or target of the job cannot be stopped: %s, ignoring", text);
        if (job_last_of_waiting(job))
                job->after_stop(job);
}

void run_stop_groups(Job *job, void (*then)(Job *job))
{
        const UnitKind kinds[] = { UNIT_JOB_TARGET, UNIT_JOB_SLICE };

        job->after_stop = then;
        job->n_waiting = ELEMENTSOF(kinds);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                const UnitName name = { .kind = kinds[i], .job = job->id };
                char unit[UNIT_NAME_SIZE];
                Ticket *ticket;
                int r = unit_name_to_string(&name, unit);

                if (r >= 0)
                        r = ticket_new(job, NULL, on_groups_gone, &ticket);
                if (r >= 0) {
                        r = units_stop(job->jobs->units, unit, ticket_done, ticket);
                        if (r < 0)
                                ticket_discard(ticket);
                }
                if (r < 0)
                        on_groups_gone(job, NULL, r, strerror(-r));
        }
}

void run_remove_files(Job *job)
{
        char unit[UNIT_NAME_SIZE];

        unit_files_remove(copy_unit_name(job, unit));
        for (size_t i = 0; i < job->n_disks; i++)
                unit_files_remove(export_unit_name(job, job->disks + i, UNIT_EXPORT_SERVICE, unit));
}

static void remove_finish_results(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                char path[UNIT_FILE_PATH_SIZE];

                job_finish_result_path(job, job->disks + i, path);
                (void) unlink(path);
        }
}

void run_committed(Job *job)
{
        (void) job_log(job, NULL, LOG_INFO, 0, MESSAGE_BACKUP_COMMITTED,
                       "Backup %s of %s is committed", job_text(job, "BackupId"),
                       job_text(job, "Vm"));
        fault_point("finish.commit.after");
        remove_finish_results(job);
        run_remove_files(job);
        fault_point("finish.groups.before");
        run_stop_groups(job, write_completed);
}

static void on_committed(Job *job, JobDisk *disk, const json_t *result, const char *name,
                         const char *text)
{
        (void) disk;
        if (!result) {
                job_fail_unless_going_down(job, name, "The backup cannot be committed: %s", text);
                return;
        }
        run_committed(job);
}

static void commit(Job *job)
{
        const ImageTask task = {
                .job = job->id,
                .step = "commit",
                .verb = "commit",
                .timeout_usec = job_step_usec(job),
                .n_runs = IMAGE_RUNS,
                .write_path = job_text(job, "RepositoryPath"),
        };

        job_set_phase(job, "committing");
        fault_point("finish.commit.before");
        job_image(job, NULL, &task, job_commit_task(job), on_committed);
}

static void on_disks_checked(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error == -ESTALE) {
                jobs_reload(job);
                return;
        }
        if (error < 0)
                job_fail(job, BUS_ERROR_FAILED, "The checked disks cannot be written down: %s",
                         strerror(-error));
        else if (!job->has_error)
                commit(job);
}

/* How large they are is written before the record: a hub that is killed behind that has no result any more. */
static void all_finished(Job *job)
{
        json_t *disks = json_array();

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;

                if (job_disk_takes_part(disk))
                        (void) json_array_append_new(
                                        disks,
                                        json_pack("{s:I, s:I, s:I}", "Id", (json_int_t) disk->id,
                                                  "SizeBytes", (json_int_t) disk->size_bytes,
                                                  "StoredBytes", (json_int_t) disk->stored_bytes));
        }
        job_write(job, store_job_advance,
                  json_pack("{s:s, s:s, s:o, s:s}", "To", job_state_to_string(job->state), "Reason",
                            "every image is checked and has its digests", "Disks", disks,
                            "DiskState", disk_state_to_string(DISK_CHECKED)),
                  HUB_PRINCIPAL, on_disks_checked);
}

static void tell_compared(const Job *job, const JobDisk *disk, const json_t *result)
{
        json_int_t bytes = json_integer_value(json_object_get(result, "compared_bytes"));
        json_int_t untold = json_integer_value(json_object_get(result, "untold_blocks"));

        if (!json_object_get(result, "compared_bytes"))
                return;
        (void) job_log(job, disk, LOG_INFO, 0, MESSAGE_NONE,
                       "Disk %s: %" JSON_INTEGER_FORMAT " KiB are what the node has read",
                       disk->text, bytes >> 10);
        if (untold > 0)
                (void) job_log(job, disk, LOG_NOTICE, 0, MESSAGE_NONE,
                               "Disk %s: %" JSON_INTEGER_FORMAT
                               " blocks were not compared: too many pieces of them have changed",
                               disk->text, untold);
}

/* The commit reads the result from a file of its own: the unit's goes with the unit. */
static void on_finished(Job *job, JobDisk *disk, const json_t *result, const char *name,
                        const char *text)
{
        int r;

        if (!result) {
                job_fail_unless_going_down(job, name, "Disk %s: %s", disk->text, text);
                return;
        }
        disk->size_bytes = (uint64_t) json_integer_value(json_object_get(result, "size_bytes"));
        disk->stored_bytes = (uint64_t) json_integer_value(json_object_get(result, "stored_bytes"));
        r = job_finish_result_keep(job, disk, result);
        if (r < 0) {
                job_fail(job, BUS_ERROR_FAILED, "Disk %s: its result cannot be kept: %s",
                         disk->text, strerror(-r));
                return;
        }
        tell_compared(job, disk, result);
        if (json_integer_value(json_object_get(result, "leaks_repaired")) > 0)
                (void) job_log(job, disk, LOG_NOTICE, 0, MESSAGE_NONE,
                               "Disk %s: leaked clusters were given back", disk->text);
        if (job_last_of_waiting(job))
                all_finished(job);
}

/* With the sums of whoever copied it, if there are some. Why a node has told none stands in the journal already, unless what it told
 * was lost with the hub before. */
static json_t *finish_spec(const Job *job, const JobDisk *disk, const char *path)
{
        json_t *spec = job_image_spec(disk, path), *sent = NULL;
        int r = spec ? sent_sums_read(job, disk, &sent) : -ENOMEM;

        if (r == 0 && job->node_id > 0 && job->is_recovered)
                (void) job_log(job, disk, LOG_NOTICE, 0, MESSAGE_NONE,
                               "Disk %s is not compared with what its node has read: the sums are "
                               "not here",
                               disk->text);
        if (r < 0)
                (void) job_log(job, disk, LOG_WARNING, r, MESSAGE_NONE,
                               "Disk %s cannot be compared with what its node has read: %s, "
                               "ignoring",
                               disk->text, strerror(-r));
        if (r > 0 && json_object_set_new(spec, "sent", sent) < 0) {
                json_decref(spec);
                return NULL;
        }
        return spec;
}

static void finish_image(Job *job, JobDisk *disk)
{
        char step[UNIT_STEP_MAX + 1], path[JOB_PATH_SIZE];
        const ImageTask task = {
                .job = job->id,
                .step = step,
                .verb = "finish",
                .timeout_usec = job_step_usec(job) +
                                2 * disk->capacity_bytes / FINISH_MIN_RATE * USEC_PER_SEC,
                .write_path = path,
                .as_export_user = true,
        };
        finish_step(disk, step);
        job_image_path(job, disk, path);
        job_image(job, disk, &task, finish_spec(job, disk, path), on_finished);
}

static void finish_images(Job *job)
{
        job_set_phase(job, "checking images");
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        finish_image(job, job->disks + i);
}

static void on_leases_gone(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error < 0) {
                job_fail(job, BUS_ERROR_FAILED, "The leases cannot be removed: %s",
                         strerror(-error));
                return;
        }
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].port = 0;
        jobs_pump(job->jobs);
        if (!job->has_error)
                finish_images(job);
}

static void on_exports_gone(Job *job)
{
        job_write(job, store_lease_free, json_pack("{s:I}", "Job", (json_int_t) job->id),
                  HUB_PRINCIPAL, on_leases_gone);
}

static void on_commit_gone(Job *job)
{
        if (job->stop_failed)
                job_fail_unless_going_down(job, BUS_ERROR_FAILED,
                                           "The commit of the hub before cannot be ended: %s",
                                           job->stop_text);
        else
                export_stop_all(job, on_exports_gone);
}

void run_finish(Job *job)
{
        static const char *const commit_step[] = { "commit", NULL };

        job_set_phase(job, "ending exports");
        /* A commit outlives the hub that asked for it, and renames what would be checked here
         * again. */
        if (job->is_recovered)
                run_stop_steps(job, commit_step, NULL, on_commit_gone);
        else
                export_stop_all(job, on_exports_gone);
}
