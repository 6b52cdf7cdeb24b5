/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From empty images to exports that answer (see run.h): a lease for each disk is written, then the
 * socket's bind proves the port, then a handshake proves size and instance. What a first attempt left is
 * ended before, so that the ports and names are always those of the rows.
 */
#include "job/run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "hub-config.h"
#include "job/export-tls.h"
#include "job/export-watch.h"
#include "job/jobs.h"
#include "log.h"
#include "node/nodes.h"
#include "store/store-job.h"
#include "store/store-lease.h"
#include "unit/export-psk.h"
#include "unit/export-unit.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

enum {
        PORT_ATTEMPTS_MAX = 16, /* that met a stranger, of one disk */
};

static void start_export(Job *job, JobDisk *disk);
static void take_leases(Job *job);

/* The instances, for the rows; NULL: no memory. */
static json_t *instances(const Job *job)
{
        CLEANUP(json_decrefp) json_t *disks = json_array();

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;
                char unit[UNIT_NAME_SIZE];

                if (!job_disk_takes_part(disk))
                        continue;
                export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
                if (json_array_append_new(disks, json_pack("{s:I, s:s, s:s, s:s}", "Id",
                                                           (json_int_t) disk->id, "Unit", unit,
                                                           "InvocationId", disk->invocation_id,
                                                           "BootId", job->jobs->boot_id)) < 0)
                        return NULL;
        }
        return TAKE(disks);
}

/* Everything answers: the rows get the instances, and the copy may begin. */
static void all_exported(Job *job)
{
        CLEANUP(json_decrefp) json_t *disks = instances(job);
        json_t *changes;

        changes = json_pack("{s:O, s:s}", "Disks", disks, "DiskState",
                            disk_state_to_string(DISK_COPYING));
        if (changes && job->node_id > 0) {
                char subject[320];

                /* Before the node hears of it: from then on there may be a snapshot. */
                (void) snprintf(subject, sizeof(subject), "%s of job %" PRIu64, job_text(job, "Vm"),
                                job->id);
                (void) json_object_set_new(changes, "Obligations",
                                           json_pack("[{s:s, s:s, s:I}]", "Kind", JOB_OWES_SNAPSHOT,
                                                     "Subject", subject, "NodeId",
                                                     (json_int_t) job->node_id));
                job->owes_release = true;
        } else if (changes)
                (void) json_object_update_new(
                                changes, json_pack("{s:s, s:s}", "Unit",
                                                   copy_unit_name(job, (char[UNIT_NAME_SIZE]){}),
                                                   "BootId", job->jobs->boot_id));
        job_advance_to(job, JOB_EVENT_EXPORTED, "every export has shown its size and instance",
                       changes, run_enter);
}

static void on_made_again(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error == -ESTALE) {
                jobs_reload(job);
                return;
        }
        for (size_t i = 0; error >= 0 && i < job->n_disks; i++)
                if (json_object_set_new(job->disks[i].row, "BootId",
                                        json_string(job->jobs->boot_id)) < 0)
                        error = -ENOMEM;
        if (error < 0)
                job_fail(job, BUS_ERROR_FAILED, "The exports cannot be written down: %s",
                         strerror(-error));
        else if (!job->has_error)
                run_node(job);
}

/* The same exports in another boot: the node never noticed but that they were away. */
static void all_made_again(Job *job)
{
        (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                       "The exports of job %" PRIu64 " are there again after the reboot, on their "
                       "ports",
                       job->id);
        job_write(job, store_job_advance,
                  json_pack("{s:s, s:s, s:o}", "To", job_state_to_string(job->state), "Reason",
                            "its exports were made again after a reboot", "Disks", instances(job)),
                  HUB_PRINCIPAL, on_made_again);
}

static void on_instance(Job *job, JobDisk *disk)
{
        disk->is_exported = true;
        job_figures_ready(&job->jobs->figures, clock_monotonic_usec() - disk->asked_usec);
        (void) job_log(job, disk, LOG_INFO, 0, MESSAGE_NONE,
                       "Export %s on 127.0.0.1:%" PRIu16 " answers, process %" PRIu32,
                       disk->export_name, disk->port, disk->process_id);
        if (!job_last_of_waiting(job))
                return;
        if (job->state == JOB_COPYING)
                all_made_again(job);
        else
                all_exported(job);
}

static void on_free_of_stranger(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) error, (void) text;
        /* The row of the port that could not be had goes with the new lease. */
        disk->port = 0;
        take_leases(job);
}

/* The end of trying, when every port that is not ours already is somebody else's. */
static bool port_attempts_are_over(Job *job, JobDisk *disk)
{
        const PortRange *range = &job->jobs->config->export_ports;

        if (++disk->n_port_attempts < PORT_ATTEMPTS_MAX)
                return false;
        job_fail(job, BUS_ERROR_PORT_TAKEN,
                 "Disk %s: %d times a port of %" PRIu16 "-%" PRIu16
                 " was in use by a program that is not ours. End them (ss -ltnp shows which), or "
                 "choose another range by [Exports] Ports=",
                 disk->text, PORT_ATTEMPTS_MAX, range->first, range->last);
        return true;
}

/* Somebody else listens there: another port, and this one comes last for a while. */
static void port_is_taken(Job *job, JobDisk *disk)
{
        Ticket *ticket;
        char unit[UNIT_NAME_SIZE];

        job->jobs->figures.leases_failed++;
        if (job->state == JOB_COPYING) {
                job_fail(job, BUS_ERROR_PORT_TAKEN,
                         "Disk %s: another program took port %" PRIu16
                         " while the machine was started anew",
                         disk->text, disk->port);
                return;
        }
        (void) job_log(job, disk, LOG_WARNING, 0, MESSAGE_PORT_TAKEN,
                       "Port %" PRIu16 " of the range is in use by a program that is not ours "
                       "(see: ss -ltnp), trying another",
                       disk->port);
        jobs_block_port(job->jobs, disk->port);
        if (port_attempts_are_over(job, disk))
                return;
        export_unit_name(job, disk, UNIT_EXPORT_SOCKET, unit);
        if (ticket_new(job, disk, on_free_of_stranger, &ticket) < 0)
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
        else if (units_stop(job->jobs->units, unit, ticket_done, ticket) < 0) {
                ticket_discard(ticket);
                job_fail(job, BUS_ERROR_FAILED, "Systemd cannot be asked to stop %s", unit);
        }
}

static void on_unit_started(Job *job, JobDisk *disk, int error, const char *text)
{
        char unit[UNIT_NAME_SIZE], line[UNIT_ERROR_LINE_SIZE];

        if (error == -EADDRINUSE) {
                port_is_taken(job, disk);
                return;
        }
        if (error < 0) {
                export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
                unit_files_read_error(unit, line);
                job_fail_unless_going_down(job,
                                           error == -ENOEXEC ? BUS_ERROR_TOOL_MISSING
                                                             : BUS_ERROR_EXPORT_FAILED,
                                           "Disk %s: the export does not start: %s%s%s", disk->text,
                                           text ?: strerror(-error), *line ? ": " : "", line);
                return;
        }
        fault_point("export.started.after");
        job->jobs->figures.exports_started++;
        export_ask_instance(job, disk, on_instance);
}

/* What its name says counts, also after a reboot by which the setting has changed: a node goes on as it was told. The same holds for
 * its key. Copies on this machine end with it. */
static int make_key(Job *job, const JobDisk *disk, const char *unit)
{
        const Secret *master = job->node_id > 0 ? nodes_key(job->jobs->nodes) : NULL;

        if (!export_tls_is_named(disk->export_name))
                return 0;
        if (job->node_id > 0 && !master)
                return -ENOKEY;
        return export_psk_make(unit, disk->export_name, master);
}

static void start_export(Job *job, JobDisk *disk)
{
        char unit[UNIT_NAME_SIZE], path[JOB_PATH_SIZE], errors[UNIT_FILE_PATH_SIZE];
        char psk[UNIT_FILE_PATH_SIZE];
        const HubConfig *config = job->jobs->config;
        const ExportUnit export = {
                .job = job->id,
                .disk_key = disk->key,
                .port = disk->port,
                .export_name = disk->export_name,
                .image_path = path,
                .error_path = errors,
                .psk_path = export_tls_is_named(disk->export_name) ? psk : NULL,
                .direct = disk->is_direct,
                .memory_max = config->export_memory_bytes,
        };
        Ticket *ticket;
        int r;

        export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
        job_image_path(job, disk, path);
        unit_file_path(unit, UNIT_FILE_ERROR, errors);
        unit_file_path(unit, UNIT_FILE_PSK, psk);
        disk->is_exported = false;
        disk->asked_usec = clock_monotonic_usec();
        r = unit_files_make(unit, NULL);
        if (r >= 0)
                r = make_key(job, disk, unit);
        if (r >= 0)
                r = ticket_new(job, disk, on_unit_started, &ticket);
        if (r >= 0) {
                fault_point("export.start.before");
                r = export_unit_start(job->jobs->units, &export, ticket_done, ticket);
                fault_point("export.start.after");
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r == -ENOKEY)
                job_fail(job, BUS_ERROR_MASTER_KEY_UNUSABLE, "%s",
                         nodes_key_error(job->jobs->nodes));
        else if (r < 0)
                job_fail(job, BUS_ERROR_EXPORT_FAILED, "Disk %s: cannot ask for its export: %s",
                         disk->text, strerror(-r));
}

/* A stranger's port was given up while the leases of other disks were being written. */
static bool wants_leases(const Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i) && job->disks[i].port == 0)
                        return true;
        return false;
}

static void on_leased(Job *job, int error, const json_t *out)
{
        (void) out;
        if (job->has_error)
                return; /* its end is written next */
        if (error == -EEXIST) {
                /* A row that is not in memory: another port is tried. */
                for (size_t i = 0; i < job->n_disks; i++)
                        if (job->disks[i].is_starting) {
                                jobs_block_port(job->jobs, job->disks[i].port);
                                job->disks[i].port = 0;
                                if (port_attempts_are_over(job, job->disks + i))
                                        return;
                        }
                take_leases(job);
                return;
        }
        if (error < 0) {
                job_fail(job, BUS_ERROR_FAILED, "The leases of the ports cannot be written: %s",
                         strerror(-error));
                return;
        }
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i) && job->disks[i].is_starting) {
                        job->disks[i].is_starting = false;
                        start_export(job, job->disks + i);
                }
        if (wants_leases(job) && !job->has_error)
                take_leases(job);
}

/* Attempt and nonce: a copy of an earlier life cannot write into this one. And how it is served. */
static int make_export_name(const Job *job, JobDisk *disk)
{
        uint32_t nonce;

        if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
                return -EIO;
        (void) snprintf(disk->export_name, sizeof(disk->export_name),
                        "job%" PRIu64 "-%s-%lld-%08" PRIx32 "%s", job->id, disk->text,
                        (long long) json_integer_value(json_object_get(job->row, "Attempt")), nonce,
                        job->jobs->config->export_tls_psk ? EXPORT_TLS_SUFFIX : "");
        return 0;
}

static json_t *lease_row(Job *job, JobDisk *disk)
{
        char unit[UNIT_NAME_SIZE];

        export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
        return json_pack("{s:I, s:i, s:s, s:s, s:s}", "DiskId", (json_int_t) disk->id, "Port",
                         (int) disk->port, "ExportName", disk->export_name, "Unit", unit, "BootId",
                         job->jobs->boot_id);
}

/* Ports for those that have none. Several disks may come here at once, when strangers hold their
 * ports; what is being written is then followed by what is still missing. */
static void take_leases(Job *job)
{
        CLEANUP(json_decrefp) json_t *leases = json_array();

        if (job->write.is_open)
                return;
        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;

                if (!job_disk_takes_part(disk) || disk->port > 0)
                        continue;
                disk->port = jobs_take_port(job->jobs);
                if (disk->port == 0) {
                        const PortRange *range = &job->jobs->config->export_ports;

                        job->jobs->figures.leases_failed++;
                        job_fail(job, BUS_ERROR_PORTS_EXHAUSTED,
                                 "Disk %s: no port of %" PRIu16 "-%" PRIu16
                                 " is free. Widen [Exports] Ports=, or lower [Jobs] Running=",
                                 disk->text, range->first, range->last);
                        return;
                }
                disk->is_starting = true;
                if (make_export_name(job, disk) < 0 ||
                    json_array_append_new(leases, lease_row(job, disk)) < 0) {
                        job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                        return;
                }
        }
        job_write(job, store_lease_take,
                  json_pack("{s:I, s:O}", "Job", (json_int_t) job->id, "Leases", leases),
                  HUB_PRINCIPAL, on_leased);
}

static void on_old_rows_gone(Job *job, int error, const json_t *out)
{
        (void) out;
        if (job->has_error)
                return;
        if (error < 0) {
                job_fail(job, BUS_ERROR_FAILED, "The old leases cannot be removed: %s",
                         strerror(-error));
                return;
        }
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        take_leases(job);
}

/* Nothing runs any more of what an earlier life started. */
static void on_old_units_gone(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].port = 0;
        job_write(job, store_lease_free, json_pack("{s:I}", "Job", (json_int_t) job->id),
                  HUB_PRINCIPAL, on_old_rows_gone);
}

void run_export(Job *job)
{
        job_set_phase(job, "starting exports");
        if (job->is_recovered) {
                export_stop_all(job, on_old_units_gone);
                return;
        }
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        take_leases(job);
}

static void make_again(Job *job)
{
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        for (size_t i = 0; i < job->n_disks && !job->has_error; i++)
                if (job_disk_takes_part(job->disks + i))
                        start_export(job, job->disks + i);
}

/* A hub before this one may have begun it in this very boot. */
void run_export_again(Job *job)
{
        job_set_phase(job, "starting exports again");
        export_stop_all(job, make_again);
}
