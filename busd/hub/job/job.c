/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The job as a value (see job.h): made from its row, asked for what it knows. Does nothing by itself.
 */
#include "job/job.h"

#include "cleanup.h"
#include "clock.h"
#include "job/jobs.h"
#include "job/run.h"
#include "job/work.h"
#include "node/node-release.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-id128.h>

static const char *text_of(const json_t *row, const char *key)
{
        return json_string_value(json_object_get(row, key)) ?: "";
}

static uint64_t number_of(const json_t *row, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(row, key));

        return value > 0 ? (uint64_t) value : 0;
}

const char *job_text(const Job *job, const char *key)
{
        return text_of(job->row, key);
}

const char *disk_text(const JobDisk *disk, const char *key)
{
        return text_of(disk->row, key);
}

LogContext job_context(const Job *job, const JobDisk *disk)
{
        return (LogContext){
                .job = job->id,
                .vm = job_text(job, "Vm"),
                .disk = disk ? disk->text : NULL,
                .phase = job_state_to_string(job->state),
        };
}

static int disk_load(JobDisk *disk, json_t *row)
{
        *disk = (JobDisk){
                .row = row,
                .id = number_of(row, "Id"),
                .key = (uint32_t) number_of(row, "Key"),
                .state = disk_state_from_string(text_of(row, "State")),
                .type = backup_type_from_string(text_of(row, "BackupType")),
                .capacity_bytes = number_of(row, "CapacityBytes"),
                .port = (uint16_t) number_of(row, "Port"),
        };
        if (disk->id == 0 || disk->key == 0 || disk->state == DISK_STATE_INVALID ||
            disk->type == BACKUP_TYPE_INVALID || disk->capacity_bytes == 0)
                return -EBADMSG;
        (void) snprintf(disk->text, sizeof(disk->text), "%" PRIu32, disk->key);
        (void) snprintf(disk->file, sizeof(disk->file), "%s", text_of(row, "File"));
        (void) snprintf(disk->export_name, sizeof(disk->export_name), "%s",
                        text_of(row, "ExportName"));
        return 0;
}

static int load_disks(Job *job)
{
        json_t *rows = json_object_get(job->row, "Disks");
        size_t n = json_array_size(rows);
        int r = 0;

        if (job->type != JOB_BACKUP)
                return n == 0 ? 0 : -EBADMSG;
        if (n == 0 || n > JOB_DISKS_MAX)
                return -EBADMSG;
        job->disks = calloc(n, sizeof(JobDisk));
        if (!job->disks)
                return -ENOMEM;
        for (job->n_disks = 0; r >= 0 && job->n_disks < n; job->n_disks++)
                r = disk_load(job->disks + job->n_disks, json_array_get(rows, job->n_disks));
        return r;
}

void job_close_stream(Job *job)
{
        if (job->stream >= 0)
                (void) close(take_fd(&job->stream));
}

static void job_free(Job *job)
{
        if (!job)
                return;
        json_decref(job->write.in);
        json_decref(job->row);
        json_decref(job->vm_state);
        json_decref(job->copied);
        json_decref(job->work);
        json_decref(job->work_result);
        free(job->progress);
        free(job->state_of_work);
        job_close_stream(job);
        free(job->advance);
        free(job->disks);
        free(job);
}
DEFINE_CLEANUP(Job *, job_free)

static bool owes(const json_t *row, const char *kind)
{
        const json_t *obligation;
        size_t i;

        json_array_foreach (json_object_get(row, "Obligations"), i, obligation)
                if (strcmp(text_of(obligation, "Kind"), kind) == 0)
                        return true;
        return false;
}

int job_new(Jobs *jobs, json_t *row, Job **ret_job)
{
        CLEANUP(job_free_p) Job *job = malloc(sizeof(Job));
        int r;

        if (!job)
                return -ENOMEM;
        *job = (Job){
                .jobs = jobs,
                .state_usec = clock_monotonic_usec(),
                .id = number_of(row, "Id"),
                .row = json_incref(row),
                .type = job_type_from_string(text_of(row, "Type")),
                .state = job_state_from_string(text_of(row, "State")),
                .ending = job_state_from_string(text_of(row, "Ending")),
                .stream = -1,
        };
        if (job->id == 0 || job->state == JOB_STATE_INVALID ||
            (job->type != JOB_BACKUP && !work_kind(job)))
                return -EBADMSG;
        job->vm_state = json_loads(text_of(row, "VmState"), 0, NULL);
        if (job->type != JOB_BACKUP) {
                job->work = json_loads(text_of(row, "Work"), 0, NULL);
                job->work_result = json_loads(text_of(row, "WorkResult"), 0, NULL);
        }
        job->has_obligations = json_array_size(json_object_get(row, "Obligations")) > 0;
        job->node_id = number_of(row, "NodeId");
        job->owes_release = owes(row, JOB_OWES_SNAPSHOT) || owes(row, JOB_OWES_VM);
        (void) snprintf(job->error_name, sizeof(job->error_name), "%s", text_of(row, "ErrorName"));
        (void) snprintf(job->error_text, sizeof(job->error_text), "%s", text_of(row, "ErrorText"));
        r = load_disks(job);
        if (r < 0)
                return r;
        *ret_job = TAKE(job);
        return 0;
}

void job_remove(Job *job)
{
        job->is_removed = true;
        job->release = node_release_cancel(job->release);
        job_answer_cancel(job, -ECANCELED);
        job->generation++;
        if (job->n_tickets == 0)
                job_free(job);
}

void job_ticket_done(Job *job)
{
        job->n_tickets--;
        if (job->is_removed && job->n_tickets == 0)
                job_free(job);
}

JobDisk *job_find_disk(Job *job, uint32_t key)
{
        for (size_t i = 0; i < job->n_disks; i++)
                if (job->disks[i].key == key)
                        return job->disks + i;
        return NULL;
}

bool job_disk_takes_part(const JobDisk *disk)
{
        return disk->state != DISK_EXCLUDED;
}

size_t job_n_disks_taking_part(const Job *job)
{
        size_t n = 0;

        for (size_t i = 0; i < job->n_disks; i++)
                n += job_disk_takes_part(job->disks + i);
        return n;
}

uint64_t job_credential(const Job *job)
{
        uint64_t wanted = number_of(json_object_get(job->work, "target"), "vcenter_id");

        return wanted > 0 ? wanted : number_of(job->row, "CredentialId");
}

bool job_was_accepted(const Job *job)
{
        return job->is_at_node || *job_text(job, "Unit") != '\0';
}

uint64_t job_bytes_done(const Job *job)
{
        uint64_t sum = 0;

        for (size_t i = 0; i < job->n_disks; i++)
                sum += job->disks[i].bytes_done;
        for (size_t i = 0; i < job->n_progress; i++)
                sum += job->progress[i].done;
        return sum;
}

uint64_t job_bytes_total(const Job *job)
{
        uint64_t sum = 0;

        /* What reads a mount is nobody's progress. */
        for (size_t i = 0; job->type != JOB_MOUNT && i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        sum += job->disks[i].bytes_total ?: job->disks[i].capacity_bytes;
        for (size_t i = 0; i < job->n_progress; i++)
                sum += job->progress[i].total;
        return sum;
}

void job_set_phase(Job *job, const char *phase)
{
        (void) snprintf(job->phase, sizeof(job->phase), "%s", phase);
        utf8_make_valid(job->phase); /* a name in it may have been cut */
        jobs_announce(job);
}

void job_moved(Job *job)
{
        job->moved_usec = clock_monotonic_usec();
        job->is_still = false;
}

int event_id_make(char ret_id[static EVENT_ID_SIZE])
{
        sd_id128_t id;
        int r = sd_id128_randomize(&id);

        if (r >= 0)
                (void) sd_id128_to_string(id, ret_id);
        return r;
}
