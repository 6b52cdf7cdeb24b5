/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy (see run.h): behind one small interface. A unit gets targets and sources, reports progress,
 * and leaves a result. Here it is the built-in copier, sendense-import, which reads NBD URIs on the hub;
 * a node takes its place. Its unit stays loaded after its end, so a hub that was away finds the result.
 */
#include "job/run.h"

#include "build-config.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "job/export-watch.h"
#include "job/jobs.h"
#include "log.h"
#include "tls-psk.h"
#include "unit/copy-unit.h"
#include "unit/export-psk.h"
#include "unit/progress-socket.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { TARGET_SIZE = 512 };

#define LOOK_AGAIN_USEC USEC_PER_SEC

/* Its export, with TLS if that has a key, which systemd puts beside the copy. */
static void copy_target(const Job *job, const JobDisk *disk, char ret_target[static TARGET_SIZE])
{
        char unit[UNIT_NAME_SIZE], path[UNIT_FILE_PATH_SIZE];

        export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
        if (!export_psk_find(unit, path))
                (void) snprintf(ret_target, TARGET_SIZE, "nbd://127.0.0.1:%" PRIu16 "/%s",
                                disk->port, disk->export_name);
        else
                (void) snprintf(ret_target, TARGET_SIZE,
                                "nbds://%s@127.0.0.1:%" PRIu16
                                "/%s?tls-psk-file=/run/credentials/%s/" TLS_PSK_FILE,
                                disk->export_name, disk->port, disk->export_name,
                                copy_unit_name(job, unit));
}

/* What the copy is told about one disk. */
static json_t *copy_disk(const Job *job, const JobDisk *disk)
{
        char target[TARGET_SIZE];

        copy_target(job, disk, target);
        return json_pack("{s:I, s:s, s:s, s:I, s:s}", "disk_key", (json_int_t) disk->key, "source",
                         disk_text(disk, "SourceUri"), "target", target, "capacity_bytes",
                         (json_int_t) disk->capacity_bytes, "invocation_id", disk->invocation_id);
}

static json_t *copy_task(const Job *job)
{
        char socket[UNIT_FILE_PATH_SIZE];
        json_t *disks = json_array();

        for (size_t i = 0; disks && i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i) &&
                    json_array_append_new(disks, copy_disk(job, job->disks + i)) < 0) {
                        json_decref(disks);
                        return NULL;
                }
        runtime_path(PROGRESS_SOCKET, socket);
        return json_pack("{s:I, s:s, s:o}", "job", (json_int_t) job->id, "progress", socket,
                         "disks", disks);
}

static void on_collected(Job *job)
{
        run_enter(job);
}

/* The copy has ended and said that all is well. */
static void copied(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        job->disks[i].bytes_done = job->disks[i].capacity_bytes;
        job_advance_to(job, JOB_EVENT_COPIED, "all disks are copied and flushed",
                       json_pack("{s:s}", "DiskState", disk_state_to_string(DISK_COPIED)),
                       on_collected);
}

static void collect(Job *job, const UnitState *state)
{
        CLEANUP(json_decrefp) json_t *result = NULL;
        char unit[UNIT_NAME_SIZE];
        const char *name;
        int r;

        if (job->is_collected)
                return;
        job->is_collected = true;
        fault_point("copy.result.before");
        r = unit_files_read_result(copy_unit_name(job, unit), &result);
        name = json_string_value(json_object_get(result, "error_name"));
        if (r >= 0 && state->exec_status == 0 && strcmp(state->active, "active") == 0 &&
            strcmp(json_string_value(json_object_get(result, "result")) ?: "", "ok") == 0)
                copied(job);
        else if (r >= 0 && name && strcmp(name, BUS_ERROR_REPOSITORY_FULL) == 0)
                job_fail_unless_going_down(
                                job, name,
                                "Repository %s, %s, is full: %s; free space or make the "
                                "file system larger",
                                job_text(job, "Repository"), job_text(job, "RepositoryPath"),
                                json_string_value(json_object_get(result, "error_text")) ?: "");
        else if (r >= 0 && name && strncmp(name, "com.sendense.Error.", 19) == 0)
                job_fail_unless_going_down(job, name, "The copy failed: %s",
                                           json_string_value(json_object_get(result, "error_text"))
                                                           ?: "");
        else
                job_fail_unless_going_down(job, BUS_ERROR_COPY_FAILED,
                                           "The copy ended without a result (%s, status %d); "
                                           "journalctl -u %s shows its last words",
                                           *state->result ? state->result : state->active,
                                           state->exec_status, unit);
}

void run_copy_on_unit(Job *job, const char *unit, const void *state_of_unit)
{
        const UnitState *state = state_of_unit;

        (void) unit;
        if (job->state != JOB_COPYING || !job->is_copy_started || job->has_error)
                return;
        if (!state->exists) {
                if (!job->is_collected)
                        job_fail_unless_going_down(job, BUS_ERROR_COPY_FAILED,
                                                   "The copy is gone without a result");
                return;
        }
        if (strcmp(state->sub, "exited") == 0 || strcmp(state->active, "failed") == 0)
                collect(job, state);
}

static void on_started(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk;
        if (error < 0)
                job_fail_unless_going_down(job,
                                           error == -ENOEXEC ? BUS_ERROR_TOOL_MISSING
                                                             : BUS_ERROR_COPY_FAILED,
                                           "The copy does not start: %s", text ?: strerror(-error));
        else {
                fault_point("copy.started.after");
                job_set_phase(job, "copying");
        }
}

/* The keys of all exports, for one copier. 1: there are some; 0: none. */
static int give_keys(const Job *job, const char *copy_unit)
{
        char unit[UNIT_NAME_SIZE], path[UNIT_FILE_PATH_SIZE];
        int r = 0;

        for (size_t i = 0; r >= 0 && i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        r = export_psk_add(copy_unit, export_unit_name(job, job->disks + i,
                                                                       UNIT_EXPORT_SERVICE, unit));
        return r < 0 ? r : export_psk_find(copy_unit, path);
}

static void start_copy(Job *job)
{
        char unit[UNIT_NAME_SIZE], in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        char psk[UNIT_FILE_PATH_SIZE];
        CLEANUP(json_decrefp) json_t *task = copy_task(job);
        CopyUnit copy = {
                .job = job->id,
                .in_path = in,
                .out_path = out,
                .program = SENDENSE_LIBEXEC_DIR "/sendense-import",
        };
        Ticket *ticket;
        int r;

        copy_unit_name(job, unit);
        unit_file_path(unit, UNIT_FILE_IN, in);
        unit_file_path(unit, UNIT_FILE_OUT, out);
        unit_file_path(unit, UNIT_FILE_PSK, psk);
        r = task ? unit_files_make(unit, task) : -ENOMEM;
        if (r >= 0)
                r = give_keys(job, unit);
        if (r > 0)
                copy.psk_path = psk;
        if (r >= 0)
                r = ticket_new(job, NULL, on_started, &ticket);
        if (r >= 0) {
                job->is_copy_started = true;
                fault_point("copy.start.before");
                r = copy_unit_start(job->jobs->units, &copy, ticket_done, ticket);
                fault_point("copy.start.after");
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                job_fail(job, BUS_ERROR_COPY_FAILED, "Cannot ask for the copy: %s", strerror(-r));
}

typedef struct Look {
        Job *job;
        unsigned generation;
} Look;

/* The row that says copying is older than the unit: no unit means that it was never started. One that
 * ended stays loaded. */
static void on_looked(int error, const UnitState *state, void *userdata)
{
        _cleanup_free_ Look *look = userdata;
        Job *job = look->job;

        if (!job->is_removed && job->generation == look->generation) {
                /* It says nothing of the copy: nothing is ended for that. */
                if (error < 0)
                        job->ask_due_usec = clock_monotonic_usec() + LOOK_AGAIN_USEC;
                else if (!state->exists)
                        start_copy(job);
                else {
                        job->is_copy_started = true;
                        job_set_phase(job, "copying");
                        run_copy_on_unit(job, "", state);
                }
        }
        job_ticket_done(job);
}

static void look_for_copy(Job *job)
{
        char unit[UNIT_NAME_SIZE];
        Look *look = malloc(sizeof(Look));
        int r = -ENOMEM;

        if (look) {
                *look = (Look){ .job = job, .generation = job->generation };
                job->n_tickets++;
                r = units_get(job->jobs->units, copy_unit_name(job, unit), on_looked, look);
                if (r < 0) {
                        free(look);
                        job_ticket_done(job);
                }
        }
        if (r < 0)
                job->ask_due_usec = clock_monotonic_usec() + LOOK_AGAIN_USEC;
}

void run_copy_tick(Job *job, uint64_t now_usec)
{
        if (job->ask_due_usec == 0 || job->ask_due_usec > now_usec)
                return;
        job->ask_due_usec = 0;
        look_for_copy(job);
}

/* The export is the one of the rows: it has not been started anew while the hub was away. */
static void on_instance(Job *job, JobDisk *disk)
{
        if (strcmp(disk->invocation_id, disk_text(disk, "InvocationId")) != 0) {
                job_fail(job, BUS_ERROR_EXPORT_FAILED,
                         "Disk %s: its export was started anew while the hub was away: what the "
                         "copy "
                         "had not flushed is lost",
                         disk->text);
                return;
        }
        disk->is_exported = true;
        if (job_last_of_waiting(job))
                look_for_copy(job);
}

void run_copy(Job *job)
{
        job->is_collected = job->is_still = false;
        job->ask_due_usec = 0;
        job->moved_usec = clock_monotonic_usec();
        if (!job->is_recovered) {
                for (size_t i = 0; i < job->n_disks; i++)
                        job->disks[i].answered_usec = clock_monotonic_usec();
                start_copy(job);
                return;
        }
        if (strcmp(job_text(job, "BootId"), job->jobs->boot_id) != 0) {
                job_fail(job, BUS_ERROR_REBOOTED,
                         "The machine was started anew in the middle of the copy; start the backup "
                         "again");
                return;
        }
        job_set_phase(job, "taking up the copy");
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        export_ask_instance(job, job->disks + i, on_instance);
}
