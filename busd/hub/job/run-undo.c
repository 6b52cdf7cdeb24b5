/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Undoing what a job did (see run.h), once its end is written down: units, ports, files, then the final
 * state. Files that cannot be removed now (the repository is away) stay an obligation; units are never
 * left running. A commit record that exists is stronger than the decision: then the job completes.
 */
#include "job/run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "image-run.h"
#include "job/export-watch.h"
#include "job/jobs.h"
#include "job/run-work.h"
#include "log.h"
#include "store/store-lease.h"

#include <string.h>

static void write_final(Job *job)
{
        bool is_cancel = job->ending == JOB_CANCELLED;
        json_t *done = job->files_owed ? json_pack("[s]", "units")
                                       : json_pack("[s, s]", "units", "files");

        if (done && !job->owes_release)
                (void) json_array_append_new(done, json_string(JOB_OWES_SNAPSHOT));

        job_advance_to(job, is_cancel ? JOB_EVENT_UNDONE_CANCELLED : JOB_EVENT_UNDONE_FAILED,
                       job->files_owed ? "undone but for its files, which stay an obligation"
                       : job->owes_release
                                       ? "undone but for its snapshot, which stays an obligation"
                                       : "all is undone",
                       json_pack("{s:s, s:o, s:I}", "DiskState",
                                 disk_state_to_string(is_cancel ? DISK_CANCELLED : DISK_FAILED),
                                 "ObligationsDone", done, "FinishedUSec",
                                 (json_int_t) clock_realtime_usec()),
                       jobs_job_ended);
}

static void finish_undo(Job *job)
{
        run_remove_files(job);
        fault_point("undo.groups.before");
        run_stop_groups(job, write_final);
}

static void on_undone(Job *job, JobDisk *disk, const json_t *result, const char *name,
                      const char *text)
{
        const char *outcome = json_string_value(json_object_get(result, "outcome")) ?: "";

        (void) disk;
        if (result && strcmp(outcome, "committed") == 0) {
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                               "Backup %s has its commit record already: it is complete, and the "
                               "job "
                               "is not undone",
                               job_text(job, "BackupId"));
                run_committed(job);
                return;
        }
        job->files_owed = !result;
        fault_point("undo.files.after");
        if (!result)
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_OBLIGATION_OPEN,
                               "Files of %s cannot be removed from %s yet: %s (%s); the hub tries "
                               "again by itself",
                               job_text(job, "BackupId"), job_text(job, "RepositoryPath"), text,
                               name);
        finish_undo(job);
}

static void undo_files(Job *job)
{
        const ImageTask task = {
                .job = job->id,
                .step = "undo",
                .verb = "undo",
                .timeout_usec = job_step_usec(job),
                .n_runs = IMAGE_RUNS,
                .write_path = job_text(job, "RepositoryPath"),
        };
        json_t *spec = job_place(job), *keys = json_array();

        for (size_t i = 0; keys && i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        (void) json_array_append_new(keys, json_integer(job->disks[i].key));
        if (spec && json_object_set_new(spec, "disk_keys", keys) < 0) {
                json_decref(spec);
                spec = NULL;
        }
        job_set_phase(job, "removing files");
        fault_point("undo.files.before");
        job_image(job, NULL, &task, spec, on_undone);
}

static void on_leases_gone(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error < 0) {
                run_undo_again(job);
                return;
        }
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].port = 0;
        if (job->has_obligations)
                undo_files(job);
        else
                finish_undo(job);
}

static void on_units_gone(Job *job)
{
        fault_point("undo.leases.before");
        job_write(job, store_lease_free, json_pack("{s:I}", "Job", (json_int_t) job->id),
                  HUB_PRINCIPAL, on_leases_gone);
}

static void on_steps_gone(Job *job)
{
        if (job->stop_failed)
                run_undo_again(job);
        else
                export_stop_all(job, on_units_gone);
}

static void undo_here(Job *job)
{
        /* Steps of sendense-image that were under way when the end was decided. */
        static const char *const steps[] = { "prepare", "commit", "undo", NULL };
        static const char *const disk_steps[] = { "create", "finish", NULL };

        job_set_phase(job, "undoing");
        run_stop_steps(job, steps, disk_steps, on_steps_gone);
}

/* The node first: what it still writes would meet exports that are gone. */
void run_undo(Job *job)
{
        fault_point("undo.steps.before");
        job->generation++;
        job->files_owed = false;
        if (job->owes_release && job->is_start_on_way) {
                /* A node that is told before it knows the job would say that it has nothing of it, and begin it then. */
                job->undo_waits = true;
                job_set_phase(job, "waits for an answer of its node");
        } else if (job->type != JOB_BACKUP)
                run_work_undo(job);
        else if (job->owes_release)
                run_release_abandoned(job, undo_here);
        else
                undo_here(job);
}

/* The tick tries again; until then the job stays open, because something of it may still run. */
void run_undo_again(Job *job)
{
        uint64_t wait_sec = job->n_undo_attempts < 6 ? 1ULL << job->n_undo_attempts : 60;

        job->generation++;
        job->n_undo_attempts++;
        job->undo_due_usec = clock_monotonic_usec() + wait_sec * USEC_PER_SEC;
        job_set_phase(job, "waits to be undone");
}
