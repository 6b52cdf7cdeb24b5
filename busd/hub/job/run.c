/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the steps of a job share (see run.h): which step a state asks for, the runs of sendense-image and
 * their end, the counting of parallel answers, the paths.
 */
#include "job/run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "hub-config.h"
#include "image-run.h"
#include "job/jobs.h"
#include "job/run-work.h"
#include "log.h"
#include "names.h"
#include "unit/units.h"

#include <errno.h>
#include <string.h>

void run_enter(Job *job)
{
        job->generation++;
        job->n_waiting = 0;
        if (job->ending != JOB_STATE_INVALID) {
                run_undo(job);
                return;
        }
        switch (job->state) {
        case JOB_QUEUED:
                break; /* jobs_pump() */
        case JOB_PREPARING:
                run_prepare(job);
                break;
        case JOB_EXPORTING:
                run_export(job);
                break;
        case JOB_COPYING:
                if (job->type != JOB_BACKUP)
                        run_work(job);
                else if (job->node_id > 0)
                        run_node(job);
                else
                        run_copy(job);
                break;
        case JOB_FINISHING:
                if (job->type != JOB_BACKUP)
                        run_work_finish(job);
                else
                        run_finish(job);
                break;
        case JOB_RELEASING:
                run_release(job);
                break;
        case JOB_COMPLETED:
        case JOB_FAILED:
        case JOB_CANCELLED:
        case JOB_STATE_MAX:
        case JOB_STATE_INVALID:
        default:
                job_fail(job, BUS_ERROR_FAILED, "This hub does not know how to go on from %s",
                         job_state_to_string(job->state) ?: "an unknown state");
        }
}

bool job_last_of_waiting(Job *job)
{
        return --job->n_waiting == 0;
}

json_t *job_place(const Job *job)
{
        const char *uuid = job_text(job, "RepositoryUuid");
        json_t *place = json_pack("{s:s, s:s, s:s}", "repository", job_text(job, "RepositoryPath"),
                                  "instance_uuid", job_text(job, "InstanceUuid"), "backup_id",
                                  job_text(job, "BackupId"));

        if (place && *uuid &&
            json_object_set_new(place, "repository_uuid", json_string(uuid)) < 0) {
                json_decref(place);
                return NULL;
        }
        return place;
}

void job_image_path(const Job *job, const JobDisk *disk, char ret_path[static JOB_PATH_SIZE])
{
        (void) snprintf(ret_path, JOB_PATH_SIZE, "%s/%s.partial", job_text(job, "RepositoryPath"),
                        disk->file);
}

json_t *job_image_spec(const JobDisk *disk, const char *path)
{
        const char *parent = disk_text(disk, "ParentBackupId");
        char backing[BACKUP_ID_SIZE + sizeof(".qcow2")];

        (void) snprintf(backing, sizeof(backing), "%s.qcow2", parent);
        return json_pack("{s:s, s:I, s:s*}", "path", path, "capacity_bytes",
                         (json_int_t) disk->capacity_bytes, "backing", *parent ? backing : NULL);
}

uint64_t job_step_usec(const Job *job)
{
        return job->jobs->config->repository_step_usec;
}

void job_image(Job *job, JobDisk *disk, const ImageTask *task, json_t *spec, JobResult then)
{
        CLEANUP(json_decrefp) json_t *owned = spec;
        ImageTask asked = *task;
        char text[256];
        Ticket *ticket;
        int r;

        /* One of several disks has failed while the others were being asked for. */
        if (job->has_error && job->ending == JOB_STATE_INVALID)
                return;
        r = owned ? ticket_new_result(job, disk, then, &ticket) : -ENOMEM;
        asked.is_wanted = ticket_is_awaited;
        if (r >= 0) {
                r = image_run(job->jobs->units, &asked, TAKE(owned), ticket_image_done, ticket);
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r >= 0)
                return;
        (void) snprintf(text, sizeof(text), "Cannot ask for the step %s: %s", task->step,
                        strerror(-r));
        then(job, disk, NULL, BUS_ERROR_FAILED, text);
}

static void on_step_gone(Job *job, JobDisk *disk, int error, const char *text)
{
        if (error < 0) {
                (void) job_log(job, disk, LOG_ERR, error, MESSAGE_NONE,
                               "A step of the job cannot be stopped: %s", text ?: "");
                if (!job->stop_failed)
                        (void) snprintf(job->stop_text, sizeof(job->stop_text), "%s",
                                        text ?: strerror(-error));
                job->stop_failed = true;
        }
        if (job_last_of_waiting(job))
                job->after_stop(job);
}

static void stop_step(Job *job, JobDisk *disk, const char *step)
{
        const ImageTask task = { .job = job->id, .step = step };
        char unit[UNIT_NAME_SIZE];
        Ticket *ticket;
        int r = image_task_unit(&task, unit);

        if (r >= 0)
                r = ticket_new(job, disk, on_step_gone, &ticket);
        if (r >= 0) {
                r = units_stop(job->jobs->units, unit, ticket_done, ticket);
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                on_step_gone(job, disk, r, strerror(-r));
}

static unsigned count(const char *const *steps)
{
        unsigned n = 0;

        while (steps && steps[n])
                n++;
        return n;
}

void run_stop_steps(Job *job, const char *const *steps, const char *const *disk_steps,
                    void (*then)(Job *job))
{
        unsigned n_steps = count(steps), n_disk_steps = count(disk_steps);

        job->after_stop = then;
        job->stop_failed = false;
        job->n_waiting = n_steps + n_disk_steps * (unsigned) job->n_disks;
        for (unsigned i = 0; i < n_steps; i++)
                stop_step(job, NULL, steps[i]);
        for (size_t i = 0; i < job->n_disks; i++)
                for (unsigned j = 0; j < n_disk_steps; j++) {
                        char step[UNIT_STEP_MAX + 1];

                        (void) snprintf(step, sizeof(step), "%s-%s", disk_steps[j],
                                        job->disks[i].text);
                        stop_step(job, job->disks + i, step);
                }
}
