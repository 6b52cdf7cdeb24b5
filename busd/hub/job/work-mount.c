/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A backup as block devices for a while (see work.h): a qemu-nbd for each disk, over the sealed image and the layers below it. The job
 * stays in copying for as long as they serve, and completes when somebody ends it, when its time is over, and after a reboot. That
 * all disks have answered is written down before anybody is told: from then on a writable mount is never made anew in silence,
 * because what was written into it is gone with its server.
 */
#include "job/work-mount.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "hub-config.h"
#include "job/export-watch.h"
#include "job/jobs.h"
#include "job/mount-job.h"
#include "job/mount-question.h"
#include "job/run-work.h"
#include "job/run.h"
#include "log.h"
#include "store/store-job.h"
#include "unit/export-psk.h"
#include "unit/mount-unit.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { MOUNT_REASON_SIZE = 128 };

#define TIME_IS_OVER "its time is over"

/* systemd ends a mount that the hub has not ended by then. */
#define LATE_USEC (2 * USEC_PER_SEC)

/* ── Its end ── */

static bool is_over(const Mount *mount)
{
        return mount->until_usec > 0 && mount->until_usec <= clock_realtime_usec();
}

static void end(Job *job, const char *reason)
{
        json_t *result = json_pack("{s:s, s:b}", "reason", reason, "served",
                                   mount_of(job)->is_served || job->work_result);

        if (!result) {
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                       "The mount of %s ends: %s (job %" PRIu64 ")", job_text(job, "BackupId"),
                       reason, job->id);
        mount_of(job)->is_stopping = true;
        run_work_done(job, result);
        json_decref(result);
}

static void on_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        if (error < 0) {
                job->stop_failed = true;
                (void) job_log(job, disk, LOG_ERR, error, MESSAGE_NONE,
                               "A unit of the mount cannot be stopped: %s", text ?: "");
        }
        if (!job_last_of_waiting(job))
                return;
        if (job->stop_failed && job->ending != JOB_STATE_INVALID) {
                run_undo_again(job);
                return;
        }
        for (size_t i = 0; i < job->n_disks; i++) {
                char unit[UNIT_NAME_SIZE];

                job->disks[i].port = 0;
                unit_files_remove(export_unit_name(job, job->disks + i, UNIT_MOUNT_SERVICE, unit));
        }
        job->after_stop(job);
}

static void stop_unit(Job *job, JobDisk *disk, UnitKind kind)
{
        char unit[UNIT_NAME_SIZE];
        Ticket *ticket;
        int r = ticket_new(job, disk, on_stopped, &ticket);

        export_unit_name(job, disk, kind, unit);
        if (r >= 0) {
                r = units_stop(job->jobs->units, unit, ticket_done, ticket);
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                on_stopped(job, disk, r, strerror(-r));
}

/* The socket goes with its service's next trigger: it is stopped first. */
void mount_stop(Job *job, void (*then)(Job *job))
{
        job->generation++;
        job->after_stop = then;
        job->stop_failed = false;
        /* What cannot be understood has nothing but the job's target and slice, which then() ends. */
        if (mount_load(job) < 0 || job->n_disks == 0) {
                then(job);
                return;
        }
        mount_of(job)->is_stopping = true;
        job->n_waiting = 2 * (unsigned) job->n_disks;
        for (size_t i = 0; i < job->n_disks; i++)
                stop_unit(job, job->disks + i, UNIT_MOUNT_SOCKET);
        for (size_t i = 0; i < job->n_disks; i++)
                stop_unit(job, job->disks + i, UNIT_MOUNT_SERVICE);
}

/* The server's own words. */
static void fail_disk(Job *job, JobDisk *disk, const char *name, const char *what)
{
        char unit[UNIT_NAME_SIZE], line[UNIT_ERROR_LINE_SIZE];

        export_unit_name(job, disk, UNIT_MOUNT_SERVICE, unit);
        unit_files_read_error(unit, line);
        job_fail_unless_going_down(job, name, "Disk %s: %s%s%s", disk->text, what,
                                   *line ? ": " : "", line);
}

/* ── Being made ── */

static void on_written(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error == -ESTALE) {
                jobs_reload(job);
                return;
        }
        if (error < 0)
                job_fail(job, BUS_ERROR_FAILED, "The mount cannot be written down: %s",
                         strerror(-error));
        if (error < 0 || job->has_error)
                return;
        fault_point("mount.served.after");
        mount_of(job)->is_served = true;
        if (mount_of(job)->served) {
                mount_of(job)->served(job);
                return;
        }
        (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                       "Backup %s is mounted%s by job %" PRIu64 ", asked for by %s",
                       job_text(job, "BackupId"), mount_of(job)->is_writable ? ", writable," : "",
                       job->id, job_text(job, "Principal"));
        mount_set_phase(job);
}

static void all_served(Job *job)
{
        json_t *result = mount_served_result(job);

        json_decref(job->work_result);
        job->work_result = json_incref(result);
        fault_point("mount.served.before");
        job_write(job, store_job_advance,
                  json_pack("{s:s, s:s, s:s, s:o}", "To", job_state_to_string(job->state), "Reason",
                            "all its disks can be read", "WorkType", job_type_to_string(job->type),
                            "WorkResult", result),
                  HUB_PRINCIPAL, on_written);
}

static void on_answer(Job *job, JobDisk *disk, int error, const char *text, uint64_t size_bytes,
                      const char *instance)
{
        char what[256];

        if (error < 0) {
                (void) snprintf(what, sizeof(what), "its mount does not answer (%s)",
                                text ?: strerror(-error));
                fail_disk(job, disk, BUS_ERROR_EXPORT_FAILED, what);
                return;
        }
        if (size_bytes != disk->capacity_bytes) {
                (void) snprintf(what, sizeof(what),
                                "its image has %" PRIu64 " bytes, and the disk %" PRIu64,
                                size_bytes, disk->capacity_bytes);
                fail_disk(job, disk, BUS_ERROR_IMAGE_DAMAGED, what);
                return;
        }
        (void) snprintf(disk->invocation_id, sizeof(disk->invocation_id), "%s", instance);
        disk->is_exported = true;
        if (job_last_of_waiting(job))
                all_served(job);
}

static void on_started(Job *job, JobDisk *disk, int error, const char *text)
{
        if (error == -EADDRINUSE && disk->port > 0) {
                jobs_block_port(job->jobs, disk->port);
                job_fail(job, BUS_ERROR_PORT_TAKEN,
                         "Disk %s: port %" PRIu16 " is in use by a program that is not ours "
                         "(ss -ltnp shows it); ask again for another",
                         disk->text, disk->port);
        } else if (error < 0)
                fail_disk(job, disk, BUS_ERROR_EXPORT_FAILED, text ?: strerror(-error));
        else {
                fault_point("mount.started.after");
                mount_ask(job, disk, on_answer);
        }
}

static void start_disk(Job *job, JobDisk *disk)
{
        char unit[UNIT_NAME_SIZE], path[JOB_PATH_SIZE], errors[UNIT_FILE_PATH_SIZE];
        char psk[UNIT_FILE_PATH_SIZE];
        const Mount *mount = mount_of(job);
        uint64_t until_usec = mount->until_usec > 0 ? mount->until_usec + LATE_USEC : 0;
        uint64_t now_usec = clock_realtime_usec();
        bool has_tls = job->node_id > 0 && job->jobs->config->export_tls_psk;
        const MountUnit mounted = {
                .job = job->id,
                .disk_key = disk->key,
                .uid = mount->uid,
                .port = disk->port,
                .image_path = path,
                .error_path = errors,
                .psk_path = has_tls ? psk : NULL,
                .is_writable = mount->is_writable,
                .until_usec = until_usec,
                .lasts_usec = until_usec == 0         ? 0
                              : until_usec > now_usec ? until_usec - now_usec
                                                      : 1,
                .memory_max = job->jobs->config->export_memory_bytes,
        };
        Ticket *ticket;
        int r;

        (void) snprintf(path, sizeof(path), "%s/%s", job_text(job, "RepositoryPath"), disk->file);
        export_unit_name(job, disk, UNIT_MOUNT_SERVICE, unit);
        unit_file_path(unit, UNIT_FILE_ERROR, errors);
        unit_file_path(unit, UNIT_FILE_PSK, psk);
        disk->is_exported = false;
        r = unit_files_make(unit, NULL);
        if (r >= 0 && has_tls)
                r = export_psk_make(unit, disk->export_name, NULL);
        if (r >= 0)
                r = ticket_new(job, disk, on_started, &ticket);
        if (r >= 0) {
                fault_point("mount.start.before");
                r = mount_unit_start(job->jobs->units, &mounted, ticket_done, ticket);
                fault_point("mount.start.after");
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                job_fail(job, BUS_ERROR_EXPORT_FAILED, "Disk %s: cannot ask for its mount: %s",
                         disk->text, strerror(-r));
}

static void start_all(Job *job)
{
        mount_of(job)->is_stopping = false;
        job->n_waiting = (unsigned) job->n_disks;
        for (size_t i = 0; i < job->n_disks && !job->has_error; i++) {
                JobDisk *disk = job->disks + i;

                disk->port = mount_of(job)->wants_port ? jobs_take_port(job->jobs) : 0;
                if (mount_of(job)->wants_port && disk->port == 0)
                        job_fail(job, BUS_ERROR_PORTS_EXHAUSTED,
                                 "Disk %s: no port of [Exports] Ports= is free", disk->text);
                else
                        start_disk(job, disk);
        }
}

/* ── After a start of the hub ── */

static void on_answer_again(Job *job, JobDisk *disk, int error, const char *text,
                            uint64_t size_bytes, const char *instance)
{
        char what[256];

        (void) size_bytes;
        if (error < 0) {
                (void) snprintf(what, sizeof(what), "its mount is gone (%s)",
                                text ?: strerror(-error));
                fail_disk(job, disk, BUS_ERROR_EXPORT_FAILED, what);
        } else if (mount_of(job)->is_writable && strcmp(instance, disk->invocation_id) != 0)
                fail_disk(job, disk, BUS_ERROR_EXPORT_FAILED,
                          "its server died, and what was written into it is gone");
        else {
                disk->is_exported = true;
                if (!job_last_of_waiting(job))
                        return;
                mount_of(job)->is_served = true;
                if (mount_of(job)->served)
                        mount_of(job)->served(job);
                else
                        mount_set_phase(job);
        }
}

static uint64_t number_of(const json_t *object, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 ? (uint64_t) value : 0;
}

/* It was served when this hub started: whoever uses it has noticed nothing. */
void mount_take_up(Job *job)
{
        const json_t *disk_row;
        size_t i;

        json_array_foreach (json_object_get(job->work_result, "disks"), i, disk_row) {
                JobDisk *disk = job_find_disk(job, (uint32_t) number_of(disk_row, "disk_key"));

                if (!disk)
                        continue;
                disk->port = (uint16_t) number_of(disk_row, "port");
                (void) snprintf(disk->invocation_id, sizeof(disk->invocation_id), "%s",
                                json_string_value(json_object_get(disk_row, "invocation_id"))
                                                ?: "");
        }
        job->n_waiting = (unsigned) job->n_disks;
        for (i = 0; i < job->n_disks; i++)
                mount_look(job, job->disks + i, on_answer_again);
}

void mount_serve(Job *job)
{
        if (job->is_recovered)
                mount_stop(job, start_all); /* what a first attempt left */
        else
                start_all(job);
}

void mount_fail_load(Job *job, int error)
{
        if (error == -ENOENT)
                job_fail(job, BUS_ERROR_NOT_FOUND,
                         "Backup %s has no such disk; sendensectl backup show %s lists them",
                         job_text(job, "BackupId"), job_text(job, "BackupId"));
        else
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
}

static void run(Job *job)
{
        int r = mount_load(job);

        if (r < 0)
                mount_fail_load(job, r);
        else if (job->work_result && !mount_is_of_this_boot(job))
                end(job, "the machine was started anew");
        else if (job->work_result && is_over(mount_of(job)))
                end(job, TIME_IS_OVER);
        else if (job->work_result)
                mount_take_up(job);
        else if (is_over(mount_of(job)))
                end(job, "its time was over before it began");
        else
                mount_serve(job);
}

/* ── While it serves ── */

static void tick(Job *job, uint64_t now_usec)
{
        const Mount *mount = mount_of(job);

        (void) now_usec;
        if (mount && mount->is_served && !mount->is_stopping && !job->write.is_open &&
            is_over(mount))
                end(job, TIME_IS_OVER);
}

/* A server that dies is started again by systemd, unless clients have written into it. */
void mount_on_unit(Job *job, const UnitName *name, const char *unit, const void *state_of_unit)
{
        JobDisk *disk = job_find_disk(job, name->disk_key);
        const UnitState *state = state_of_unit;
        const Mount *mount = mount_of(job);
        char what[160];

        if (!disk || !mount || mount->is_stopping || job->state != JOB_COPYING || job->has_error ||
            (name->kind != UNIT_MOUNT_SERVICE && name->kind != UNIT_MOUNT_SOCKET))
                return;
        /* Before its first start a unit is inactive, and that is no death. */
        if (state->exists && strcmp(state->active, "failed") != 0 &&
            (!disk->is_exported || name->kind == UNIT_MOUNT_SERVICE ||
             strcmp(state->active, "inactive") != 0))
                return;
        if (!state->exists && !disk->is_exported)
                return;
        if (mount->is_served && !job->write.is_open && is_over(mount)) {
                end(job, TIME_IS_OVER);
                return;
        }
        (void) snprintf(what, sizeof(what), "%s %s (%s, status %d)%s", unit,
                        strcmp(state->active, "failed") == 0 ? "died" : "was stopped",
                        *state->result ? state->result : "gone", state->exec_status,
                        mount->is_writable && disk->is_exported
                                        ? "; what was written into it is gone"
                                        : "");
        fail_disk(job, disk, BUS_ERROR_EXPORT_FAILED, what);
}

int mount_end(Job *job, const char *principal)
{
        char reason[MOUNT_REASON_SIZE];

        if (job->type != JOB_MOUNT || job_state_is_final(job->state) ||
            job->ending != JOB_STATE_INVALID || job->has_error || job->state == JOB_FINISHING)
                return -EALREADY;
        if (!mount_is_served(job) || job->write.is_open)
                return job->state == JOB_COPYING && mount_of(job) && mount_of(job)->is_stopping
                                       ? -EALREADY
                                       : -EAGAIN;
        (void) snprintf(reason, sizeof(reason), "ended by %s", principal);
        end(job, reason);
        return 0;
}

const WorkKind work_mount = {
        .type = JOB_MOUNT,
        .unit = UNIT_MOUNT_SERVICE,
        .phase = "being mounted",
        .run = run,
        .stop = mount_stop,
        .on_unit = mount_on_unit,
        .tick = tick,
};
