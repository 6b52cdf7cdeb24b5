/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Watching and ending exports (see export-watch.h). An export is what answers under its name with the
 * InvocationID that systemd gave it; a process alone proves nothing.
 */
#include "job/export-watch.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "hub-config.h"
#include "job/export-tls.h"
#include "job/jobs.h"
#include "job/run.h"
#include "log.h"
#include "parse.h"
#include "unit/handshake.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define ASK_AGAIN_USEC USEC_PER_SEC

const char *export_unit_name(const Job *job, const JobDisk *disk, UnitKind kind,
                             char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = { .kind = kind, .job = job->id, .disk_key = disk->key };

        if (unit_name_to_string(&name, ret_unit) < 0)
                *ret_unit = '\0';
        return ret_unit;
}

const char *copy_unit_name(const Job *job, char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = { .kind = UNIT_IMPORT_SERVICE, .job = job->id };

        if (unit_name_to_string(&name, ret_unit) < 0)
                *ret_unit = '\0';
        return ret_unit;
}

typedef void (*DiskThen)(Job *job, JobDisk *disk);

/* A node notices that another server answers, and sends again what the one before had not flushed; the built-in copier does not. */
static bool survives_restart(const Job *job)
{
        return job->node_id > 0 && job->state == JOB_COPYING;
}

static void on_new_instance(Job *job, JobDisk *disk)
{
        disk->is_exported = true;
        (void) job_log(job, disk, LOG_WARNING, 0, MESSAGE_EXPORT_RESTARTED,
                       "Export %s died and was started anew, process %" PRIu32
                       "; the node sends again what was not flushed",
                       disk->export_name, disk->process_id);
}

/* One that does not answer for a moment may be just being started. */
static bool may_come_back(const Job *job, const JobDisk *disk)
{
        const HubConfig *config = job->jobs->config;

        return survives_restart(job) &&
               clock_monotonic_usec() - disk->answered_usec <
                               config->export_probe_usec + 2 * config->export_answer_timeout_usec;
}

/* Each server is counted once, however often its death is told. */
static void count_death(Job *job, JobDisk *disk, const char *result)
{
        if (*disk->invocation_id && strcmp(disk->dead_id, disk->invocation_id) == 0)
                return;
        memcpy(disk->dead_id, disk->invocation_id, sizeof(disk->dead_id));
        job_figures_died(&job->jobs->figures, result);
}

/* The dead export's own words. */
static void fail_export(Job *job, JobDisk *disk, const char *what)
{
        char unit[UNIT_NAME_SIZE], line[UNIT_ERROR_LINE_SIZE];

        export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
        unit_files_read_error(unit, line);
        job_fail_unless_going_down(job, BUS_ERROR_EXPORT_FAILED, "Disk %s: %s %s%s%s", disk->text,
                                   unit, what, *line ? ": " : "", line);
}

typedef struct Question {
        Job *job;
        JobDisk *disk;
        unsigned generation;
        DiskThen then;
        Handshake *handshake;
} Question;

/* Its answer is awaited still. Whoever waits for one disk hears of a new instance by the same answer. */
static void ask_later(const Question *q)
{
        if (q->then == on_new_instance && q->disk->ask_due_usec > 0)
                return;
        q->disk->ask_due_usec = clock_monotonic_usec() + ASK_AGAIN_USEC;
        q->disk->ask_generation = q->generation;
        q->disk->ask_then = q->then;
}

/* What a probe has found is asked for by the next one; nobody else probes what a hub has only just found. */
static bool asks_again(const Question *q)
{
        if (!may_come_back(q->job, q->disk))
                return false;
        if (q->then != on_new_instance)
                ask_later(q);
        return true;
}

static void on_state(const Question *q, const UnitState *state)
{
        JobDisk *disk = q->disk;
        Job *job = q->job;
        bool is_other = !state->exists || state->main_pid == 0 ||
                        strcmp(state->invocation_id, disk->invocation_id) != 0;

        /* It died once more in between. */
        if (is_other && asks_again(q))
                return;
        if (!state->exists || state->main_pid == 0) {
                fail_export(job, disk, "ended at its start");
                return;
        }
        if (strcmp(state->invocation_id, disk->invocation_id) != 0) {
                fail_export(job, disk, "is not what answers on its port");
                return;
        }
        disk->process_id = state->main_pid;
        disk->answered_usec = clock_monotonic_usec();
        q->then(job, disk);
}

static bool is_awaited(const Question *q)
{
        return !q->job->is_removed && q->generation == q->job->generation;
}

static Question *question_end(Question *q)
{
        Job *job = q->job;

        handshake_free(q->handshake);
        free(q);
        job_ticket_done(job);
        return NULL;
}

void export_ask_tick(Job *job, uint64_t now_usec)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;

                if (disk->ask_due_usec == 0 || disk->ask_due_usec > now_usec)
                        continue;
                disk->ask_due_usec = 0;
                if (disk->ask_generation == job->generation)
                        export_ask_instance(job, disk, disk->ask_then);
        }
}

static void on_unit(int error, const UnitState *state, void *userdata)
{
        Question *q = userdata;

        if (is_awaited(q)) {
                /* What systemd does not tell now it tells later: nothing is ended for that. */
                if (error < 0)
                        ask_later(q);
                else
                        on_state(q, state);
        }
        question_end(q);
}

static void on_greeting(int error, const char *text, uint64_t size_bytes, const char *description,
                        void *userdata)
{
        char unit[UNIT_NAME_SIZE], what[512];
        Question *q = userdata;
        Job *job = q->job;
        JobDisk *disk = q->disk;

        if (!is_awaited(q)) {
                question_end(q);
                return;
        }
        q->handshake = handshake_free(q->handshake);
        if (error < 0 && asks_again(q)) {
                question_end(q);
                return;
        }
        if (error < 0) {
                (void) snprintf(what, sizeof(what), "does not answer on port %" PRIu16 " (%s)",
                                disk->port, text ?: strerror(-error));
                fail_export(job, disk, what);
        } else if (size_bytes != disk->capacity_bytes) {
                (void) snprintf(what, sizeof(what),
                                "exports %" PRIu64 " bytes, and the disk has %" PRIu64, size_bytes,
                                disk->capacity_bytes);
                fail_export(job, disk, what);
        } else {
                if (q->then == on_new_instance && description &&
                    strcmp(description, disk->invocation_id) != 0)
                        count_death(job, disk, "");
                (void) snprintf(disk->invocation_id, sizeof(disk->invocation_id), "%s",
                                description ?: "");
                export_unit_name(job, disk, UNIT_EXPORT_SERVICE, unit);
                if (units_get(job->jobs->units, unit, on_unit, q) >= 0)
                        return;
                ask_later(q);
        }
        question_end(q);
}

void export_ask_instance(Job *job, JobDisk *disk, DiskThen then)
{
        char path[UNIT_FILE_PATH_SIZE];
        const HandshakeRequest request = {
                .port = disk->port,
                .export_name = disk->export_name,
                .psk_path = export_tls_path(job, disk, UNIT_EXPORT_SERVICE, path),
                .timeout_usec = job->jobs->config->export_answer_timeout_usec,
        };
        Question *q = malloc(sizeof(Question));
        int r = -ENOMEM;

        if (q) {
                *q = (Question){
                        .job = job,
                        .disk = disk,
                        .generation = job->generation,
                        .then = then,
                };
                job->n_tickets++;
                r = handshake_start(job->jobs->event, &request, on_greeting, q, &q->handshake);
                if (r < 0)
                        question_end(q);
        }
        if (r < 0)
                job_fail(job, BUS_ERROR_EXPORT_FAILED, "Disk %s: cannot ask its export: %s",
                         disk->text, strerror(-r));
}

static void on_probed(int error, const char *text, uint64_t size_bytes, const char *description,
                      void *userdata)
{
        char what[512];
        Question *q = userdata;
        Job *job = q->job;
        JobDisk *disk = q->disk;

        (void) size_bytes;
        if (is_awaited(q)) {
                disk->is_probing = false;
                if (error >= 0 && description && strcmp(description, disk->invocation_id) == 0)
                        disk->answered_usec = clock_monotonic_usec();
                else if (error >= 0 && survives_restart(job))
                        export_ask_instance(job, disk, on_new_instance);
                else if (error >= 0)
                        fail_export(job, disk,
                                    "was started anew: what the copy had not flushed is lost");
                else if (!may_come_back(job, disk)) {
                        (void) snprintf(what, sizeof(what),
                                        "answers nothing on port %" PRIu16 " (%s)", disk->port,
                                        text ?: strerror(-error));
                        fail_export(job, disk, what);
                }
        }
        question_end(q);
}

/* A server that lives and says nothing holds a copy up for ever, and no signal tells. */
void run_export_probe(Job *job)
{
        const HubConfig *config = job->jobs->config;
        uint64_t now = clock_monotonic_usec();

        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;
                char path[UNIT_FILE_PATH_SIZE];
                const HandshakeRequest request = {
                        .port = disk->port,
                        .export_name = disk->export_name,
                        .psk_path = export_tls_path(job, disk, UNIT_EXPORT_SERVICE, path),
                        .timeout_usec = config->export_answer_timeout_usec,
                };
                Question *q;

                if (!disk->is_exported || disk->is_probing ||
                    now - disk->answered_usec < config->export_probe_usec)
                        continue;
                q = malloc(sizeof(Question));
                if (!q)
                        return;
                *q = (Question){ .job = job, .disk = disk, .generation = job->generation };
                job->n_tickets++;
                disk->is_probing = true;
                if (handshake_start(job->jobs->event, &request, on_probed, q, &q->handshake) < 0) {
                        disk->is_probing = false;
                        question_end(q);
                }
        }
}

void run_export_on_unit(Job *job, JobDisk *disk, const UnitName *name, const char *unit,
                        const void *state_of_unit)
{
        const UnitState *state = state_of_unit;
        char what[128];

        (void) unit;
        if (name->kind != UNIT_EXPORT_SERVICE || job->is_ending_exports ||
            (job->state != JOB_EXPORTING && job->state != JOB_COPYING))
                return;
        /* Before its first start a service is inactive, and that is no death. */
        if (!disk->is_exported && strcmp(state->active, "failed") != 0 &&
            strcmp(state->sub, "auto-restart") != 0)
                return;
        if (state->exists && strcmp(state->active, "active") == 0 &&
            (!*state->invocation_id || strcmp(state->invocation_id, disk->invocation_id) == 0))
                return;
        if (strcmp(state->active, "active") != 0)
                count_death(job, disk, state->result);
        if (state->exists && survives_restart(job) && strcmp(state->active, "failed") != 0) {
                /* Its socket is there, and starts it for the next connection if systemd does not. */
                if (strcmp(state->active, "active") == 0)
                        export_ask_instance(job, disk, on_new_instance);
                return;
        }
        if (!state->exists)
                fail_export(job, disk, "is gone");
        else if (strcmp(state->active, "active") == 0 || strcmp(state->active, "activating") == 0)
                fail_export(job, disk, "died and was started anew: what was not flushed is lost");
        else {
                (void) snprintf(what, sizeof(what), "died (%s, status %d)",
                                *state->result ? state->result : state->active, state->exec_status);
                fail_export(job, disk, what);
        }
}

int export_port_is_free(uint16_t port)
{
        const struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons(port),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int one = 1;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
                return -errno;
        return bind(fd, (const struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : 0;
}

static void all_stopped(Job *job)
{
        void (*then)(Job *) = job->after_stop;

        job->is_ending_exports = false;
        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;
                int r = disk->port > 0 ? export_port_is_free(disk->port) : 0;

                if (r < 0) {
                        /* Not ours any more: the unit is gone. The next job tries another port. */
                        (void) job_log(job, disk, LOG_WARNING, r, MESSAGE_PORT_TAKEN,
                                       "Port %" PRIu16 " is not free after its export ended: %m",
                                       disk->port);
                        jobs_block_port(job->jobs, disk->port);
                }
                disk->is_exported = false;
                disk->process_id = 0;
        }
        then(job);
}

static void on_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        if (error < 0) {
                job->stop_failed = true;
                (void) job_log(job, disk, LOG_ERR, error, MESSAGE_NONE,
                               "A unit of the job cannot be stopped: %s", text ?: "");
        }
        if (!job_last_of_waiting(job))
                return;
        fault_point("unit.stop-all.after");
        if (!job->stop_failed)
                all_stopped(job);
        else if (job->ending != JOB_STATE_INVALID)
                run_undo_again(job);
        else
                job_fail_unless_going_down(job, BUS_ERROR_FAILED, "Its units cannot be stopped: %s",
                                           text ?: "see the journal");
}

static void stop_unit(Job *job, JobDisk *disk, const char *unit)
{
        Ticket *ticket;
        int r = ticket_new(job, disk, on_stopped, &ticket);

        if (r >= 0) {
                fault_point("unit.stop.before");
                r = units_stop(job->jobs->units, unit, ticket_done, ticket);
                fault_point("unit.stop.after");
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                on_stopped(job, disk, r, strerror(-r));
}

/* The socket goes with its service's next trigger: it is stopped first. */
static void stop_exports(Job *job, UnitKind kind)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                char unit[UNIT_NAME_SIZE];

                if (job_disk_takes_part(job->disks + i))
                        stop_unit(job, job->disks + i,
                                  export_unit_name(job, job->disks + i, kind, unit));
        }
}

void export_stop_all(Job *job, void (*then)(Job *job))
{
        char unit[UNIT_NAME_SIZE];

        job->generation++; /* their deaths are wanted from now on */
        job->after_stop = then;
        job->stop_failed = false;
        job->is_ending_exports = true;
        job->n_waiting = 1 + 2 * (unsigned) job_n_disks_taking_part(job);
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].is_exported = job->disks[i].is_probing = false;
        stop_unit(job, NULL, copy_unit_name(job, unit));
        stop_exports(job, UNIT_EXPORT_SOCKET);
        stop_exports(job, UNIT_EXPORT_SERVICE);
}
