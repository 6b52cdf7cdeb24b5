/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy of a job that a node does (see run.h): the node is told the targets and the login, then asked how it stands until
 * every disk is copied. A node that does not answer holds the job up and ends it only after a long while: its copy goes on, and
 * so do the exports. What may be owed at vCenter stands in the database before the node hears of the job.
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
#include "job/node-follow.h"
#include "job/sent-sums.h"
#include "json-cleanup.h"
#include "log.h"
#include "manifest.h"
#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 ? (uint64_t) value : 0;
}

/* ── What became of it ── */

/* A disk that the node left out must be one that the hub leaves out, too: none is dropped silently. */
static bool excluded_are_known(Job *job, const json_t *task)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(task, "excluded"), i, disk) {
                const JobDisk *known = job_find_disk(job, (uint32_t) number_of(disk, "key"));

                if (known && !job_disk_takes_part(known))
                        continue;
                job_fail(job, BUS_ERROR_DISKS_CHANGED,
                         "Disk %" PRIu64 " of the VM is not backed up (%s), and this job does not "
                         "exclude it; discover the VM again, or exclude the disk with a reason",
                         number_of(disk, "key"), text_of(disk, "reason"));
                return false;
        }
        return true;
}

/* What the rows get of each disk; NULL when one is missing, and the job fails. */
static json_t *copied_disks(Job *job, const json_t *task)
{
        CLEANUP(json_decref_p) json_t *rows = json_array();

        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;
                const json_t *copied = node_follow_disk(task, disk->key);
                const char *type = text_of(copied, "backup_type");

                if (!job_disk_takes_part(disk))
                        continue;
                if (!*type) {
                        job_fail(job, BUS_ERROR_COPY_FAILED,
                                 "Node %s says that all is copied, and does not name disk %s",
                                 job_text(job, "Node"), disk->text);
                        return NULL;
                }
                disk->bytes_done = disk->bytes_total ?: disk->capacity_bytes;
                if (json_object_set(disk->row, "ChangeId", json_object_get(copied, "change_id")) <
                                    0 &&
                    *text_of(copied, "change_id")) {
                        job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                        return NULL;
                }
                if (*text_of(copied, "reason") && !*disk_text(disk, "Reason"))
                        (void) json_object_set(disk->row, "Reason",
                                               json_object_get(copied, "reason"));
                (void) json_array_append_new(
                                rows, json_pack("{s:I, s:O*, s:O*}", "Id", (json_int_t) disk->id,
                                                "ChangeId", json_object_get(copied, "change_id"),
                                                "Reason", json_object_get(disk->row, "Reason")));
        }
        return TAKE(rows);
}

/* A node's own limit is half of that. The record of the backup must hold it beside its disks, and one value of a row ends at 1 MiB. */
#define HARDWARE_MAX_BYTES (512 * (size_t) 1024)

/* What the VM was at its snapshot, for the commit record; {} when the node does not say. */
static json_t *vm_state(Job *job, const json_t *task)
{
        json_t *state = json_object(), *hardware;
        const char *text = text_of(task, "hardware");

        hardware = *text ? json_loads(text, 0, NULL) : NULL;
        if (json_is_object(hardware) && node_follow_fits(hardware, HARDWARE_MAX_BYTES))
                (void) json_object_set(state, "hardware", hardware);
        else if (*text)
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NONE,
                               "Node %s tells the hardware of the VM %s; the backup is without it",
                               job_text(job, "Node"),
                               json_is_object(hardware) ? "at a length of more than 512 KiB"
                                                        : "in a way that cannot be read");
        json_decref(hardware);
        if (json_is_boolean(json_object_get(task, "quiesced")))
                (void) json_object_set(state, "quiesced", json_object_get(task, "quiesced"));
        return state;
}

static void tell_warnings(const Job *job, const json_t *task)
{
        const json_t *warning;
        size_t i;

        json_array_foreach (json_object_get(task, "warnings"), i, warning)
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NONE, "Node %s: %s",
                               job_text(job, "Node"), json_string_value(warning) ?: "");
}

static void all_told(Job *job)
{
        CLEANUP(json_decref_p) json_t *task = TAKE(job->copied);
        json_t *disks, *state;

        disks = copied_disks(job, task);
        if (!disks)
                return;
        tell_warnings(job, task);
        state = vm_state(job, task);
        json_decref(job->vm_state);
        job->vm_state = json_incref(state);
        job_advance_to(job, JOB_EVENT_COPIED, "every disk is copied and durable",
                       json_pack("{s:o, s:s, s:o}", "Disks", disks, "DiskState",
                                 disk_state_to_string(DISK_COPIED), "VmState", state),
                       run_enter);
}

/* ── What it has read ── */

#define SUMS_ANSWER_USEC (120 * USEC_PER_SEC) /* megabytes, through a tunnel that others fill */
#define SUMS_AGAIN_USEC  (2 * USEC_PER_SEC)
#define SUMS_LOST_USEC   (600 * USEC_PER_SEC)

static void ask_sums(Job *job);

/* A backup without is as good as its way here. */
static void tell_not_compared(const Job *job, const JobDisk *disk, const char *why)
{
        (void) job_log(job, disk, LOG_NOTICE, 0, MESSAGE_NONE,
                       "Disk %s will not be compared with what node %s has read of it: %s",
                       disk->text, job_text(job, "Node"), why);
}

/* A node that has copied all and does not tell its sums does not hold the backup up for ever. */
static void sums_lost(Job *job, const char *why)
{
        uint64_t now = clock_monotonic_usec(), limit = job->jobs->config->node_lost_usec;

        if (job->sums_lost_usec == 0) {
                job->sums_lost_usec = now;
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NODE_UNREACHABLE,
                               "%s. Job %" PRIu64 " waits for the sums of what it has copied", why,
                               job->id);
                job_set_phase(job, "waits for the sums of what was copied");
        }
        if (limit > SUMS_LOST_USEC)
                limit = SUMS_LOST_USEC;
        if (now - job->sums_lost_usec <= limit) {
                job->ask_due_usec = now + SUMS_AGAIN_USEC;
                return;
        }
        for (; job->n_sums_asked < job->n_disks; job->n_sums_asked++)
                if (job_disk_takes_part(job->disks + job->n_sums_asked))
                        tell_not_compared(job, job->disks + job->n_sums_asked, why);
        ask_sums(job);
}

static void take_sums(Job *job, const JobDisk *disk, const HttpAnswer *answer)
{
        const json_t *digest = json_object_get(answer->body, "digest");
        char error[JSON_FIELDS_ERROR_SIZE];
        int r;

        if (answer->status != 200)
                tell_not_compared(job, disk, text_of(answer->body, "message"));
        else if (!digest || json_is_null(digest))
                tell_not_compared(job, disk, "it makes no sums ([Copy] Digests=no)");
        else if (manifest_check_sent(digest, disk->capacity_bytes, error) < 0)
                tell_not_compared(job, disk, error);
        else {
                r = sent_sums_keep(job, disk, digest);
                if (r < 0)
                        tell_not_compared(job, disk, strerror(-r));
        }
}

static void on_sums(Job *job, const HttpAnswer *answer)
{
        const char *said = text_of(answer->body, "message");

        if (node_follow_is_lost(job, answer)) {
                sums_lost(job, *said ? said : answer->why);
                return;
        }
        job->sums_lost_usec = 0;
        take_sums(job, job->disks + job->n_sums_asked, answer);
        job->n_sums_asked++;
        ask_sums(job);
}

/* One disk after the other. */
static void ask_sums(Job *job)
{
        char path[96];
        int r;

        while (job->n_sums_asked < job->n_disks &&
               !job_disk_takes_part(job->disks + job->n_sums_asked))
                job->n_sums_asked++;
        if (job->n_sums_asked == job->n_disks) {
                all_told(job);
                return;
        }
        (void) snprintf(path, sizeof(path), "/api/v1/backup/%" PRIu64 "/result/%s", job->id,
                        job->disks[job->n_sums_asked].text);
        r = node_follow_ask(job, path, SUMS_ANSWER_USEC, on_sums);
        if (r < 0)
                sums_lost(job, strerror(-r));
}

/* The sums first: once the row says that it is copied, nobody asks for them again. */
static void copied(Job *job, const json_t *task)
{
        fault_point("node.copied.before");
        if (!excluded_are_known(job, task))
                return;
        json_decref(job->copied);
        job->copied = json_incref((json_t *) task);
        job->n_sums_asked = 0;
        job->sums_lost_usec = 0;
        if (job->copied)
                ask_sums(job);
        else
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
}

/* ── How it stands ── */

static void show_phase(Job *job, const json_t *task)
{
        const char *state = text_of(task, "state"), *waiting = text_of(task, "waiting");
        bool is_copying = strcmp(state, "copying") == 0;
        char phase[sizeof(job->phase)];

        if (is_copying != job->is_copying_at_node)
                job_moved(job);
        job->is_copying_at_node = is_copying;
        if (job->is_still)
                return; /* its phase says so */
        if (strcmp(state, "accepted") == 0)
                (void) snprintf(phase, sizeof(phase), *waiting ? "%.60s" : "looking at the VM",
                                waiting);
        else
                (void) snprintf(phase, sizeof(phase), "%s",
                                is_copying ? "copying" : "taking the snapshot");
        if (strcmp(phase, job->phase) != 0)
                job_set_phase(job, phase);
}

static void on_task(Job *job, const json_t *task)
{
        static const char *const running[] = { "accepted", "snapshotting", "copying" };
        const char *state = text_of(task, "state"), *name = text_of(task, "error_name");

        node_follow_progress(job, task);
        for (size_t i = 0; i < ELEMENTSOF(running); i++)
                if (strcmp(state, running[i]) == 0) {
                        show_phase(job, task);
                        node_follow_again(job);
                        return;
                }
        job->is_copying_at_node = false;
        /* One that was held for too long is released, and still copied. */
        if (!*name && (strcmp(state, "copied") == 0 || strcmp(state, "releasing") == 0 ||
                       strcmp(state, "released") == 0))
                copied(job, task);
        else
                node_follow_failed(job, task);
}

/* ── The start ── */

/* Those that the node may read by their changes; all others it reads as a whole. */
static json_t *known_disks(const Job *job)
{
        json_t *disks = json_array();

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;

                if (job_disk_takes_part(disk) && disk->type == BACKUP_INCREMENTAL)
                        (void) json_array_append_new(
                                        disks,
                                        json_pack("{s:I, s:I, s:s, s:s}", "key",
                                                  (json_int_t) disk->key, "capacity_bytes",
                                                  (json_int_t) disk->capacity_bytes, "backing_uuid",
                                                  disk_text(disk, "BackingUuid"), "change_id",
                                                  disk_text(disk, "ParentChangeId")));
        }
        return disks;
}

static json_t *targets(const Job *job)
{
        json_t *targets = json_object();

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;

                if (job_disk_takes_part(disk))
                        (void) json_object_set_new(
                                        targets, disk->text,
                                        export_tls_address(job, disk, UNIT_EXPORT_SERVICE));
        }
        return targets;
}

/* Why each disk is left out that is: the node would refuse to lose one silently. */
static json_t *excluded(const Job *job)
{
        json_t *excluded = json_object();

        for (size_t i = 0; i < job->n_disks; i++)
                if (!job_disk_takes_part(job->disks + i))
                        (void) json_object_set_new(
                                        excluded, job->disks[i].text,
                                        json_string(disk_text(job->disks + i, "Reason")));
        return excluded;
}

static json_t *start_body(const Job *job)
{
        CLEANUP(json_decref_p) json_t *disks = known_disks(job);

        return json_pack("{s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:O}", "job_id", (json_int_t) job->id,
                         "vm_name", job_text(job, "Vm"), "vm_path", job_text(job, "VmPath"),
                         "instance_uuid", job_text(job, "InstanceUuid"), "backup_type",
                         backup_type_to_string(json_array_size(disks) > 0 ? BACKUP_INCREMENTAL
                                                                          : BACKUP_FULL),
                         "nbd_targets", targets(job), "excluded", excluded(job), "disks", disks);
}

static const NodeFollow backup_follow = {
        .start_path = "/api/v1/backup/start",
        .unit = UNIT_COPY_SERVICE,
        .exports = UNIT_EXPORT_SERVICE,
        .start_body = start_body,
        .on_task = on_task,
        .ask_more = ask_sums,
};

/* ── After a start of the hub ── */

static void begin(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].answered_usec = clock_monotonic_usec();
        node_follow_begin(job, &backup_follow);
}

/* Another instance than before is no harm: the node sends again what that one may have lost. */
static void on_instance(Job *job, JobDisk *disk)
{
        disk->is_exported = true;
        if (job_last_of_waiting(job))
                begin(job);
}

static bool is_of_this_boot(const Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i) &&
                    strcmp(disk_text(job->disks + i, "BootId"), job->jobs->boot_id) != 0)
                        return false;
        return true;
}

void run_node(Job *job)
{
        job->is_at_node = job_was_accepted(job);
        job_set_phase(job, "asking the node");
        if (!job->is_recovered) {
                begin(job);
                return;
        }
        if (!is_of_this_boot(job)) {
                run_export_again(job);
                return;
        }
        job->n_waiting = (unsigned) job_n_disks_taking_part(job);
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].answered_usec = clock_monotonic_usec();
        for (size_t i = 0; i < job->n_disks; i++)
                if (job_disk_takes_part(job->disks + i))
                        export_ask_instance(job, job->disks + i, on_instance);
}
