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
#include "job/export-watch.h"
#include "job/jobs.h"
#include "json-cleanup.h"
#include "log.h"
#include "names.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "node/vcenter-login.h"
#include "store/store-call.h"
#include "store/store-job.h"
#include "store/store-vcenter.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define ANSWER_LIMIT_USEC (30 * USEC_PER_SEC)
#define LOOK_USEC         (500 * USEC_PER_MSEC)
#define LOST_LOOK_USEC    (2 * USEC_PER_SEC)

typedef void (*NodeSaid)(Job *job, const HttpAnswer *answer);

typedef struct Question {
        Job *job;
        unsigned generation;
        NodeSaid then;
} Question;

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static uint64_t number_of(const json_t *object, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(object, key));

        return value > 0 ? (uint64_t) value : 0;
}

static void ask_again(Job *job, uint64_t pause_usec)
{
        job->ask_due_usec = clock_monotonic_usec() + pause_usec;
}

static void lost(Job *job, const char *why)
{
        uint64_t now = clock_monotonic_usec(), limit = job->jobs->config->node_lost_usec;
        char phase[sizeof(job->phase)];

        if (job->lost_usec == 0) {
                job->lost_usec = now;
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NODE_UNREACHABLE,
                               "%s. Job %" PRIu64 " waits for it", why, job->id);
                (void) snprintf(phase, sizeof(phase), "node %.40s does not answer",
                                job_text(job, "Node"));
                job_set_phase(job, phase);
        }
        if (now - job->lost_usec > limit)
                job_fail(job, BUS_ERROR_NODE_UNREACHABLE, "%s, and did not for %" PRIu64 " s", why,
                         limit / USEC_PER_SEC);
        else
                ask_again(job, LOST_LOOK_USEC);
}

static void found(Job *job)
{
        if (job->lost_usec > 0)
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NODE_REACHABLE,
                               "Node %s answers about job %" PRIu64 " again", job_text(job, "Node"),
                               job->id);
        job->lost_usec = 0;
}

static void on_answer(const HttpAnswer *answer, void *userdata)
{
        _cleanup_free_ Question *question = userdata;
        Job *job = question->job;

        job->is_asking = false;
        if (job->is_start_on_way)
                job->is_start_lost = node_answer_is_lost(answer);
        job->is_start_on_way = false;
        if (!job->is_removed && !job->jobs->is_going_down && job->undo_waits) {
                job->undo_waits = false;
                run_undo(job);
        } else if (!job->is_removed && !job->jobs->is_going_down &&
                   question->generation == job->generation) {
                if (node_answer_is_lost(answer))
                        lost(job, answer->why);
                else {
                        found(job);
                        question->then(job, answer);
                }
        }
        job_ticket_done(job);
}

static void ask(Job *job, const char *method, const char *path, const json_t *body, NodeSaid then)
{
        Question *question = malloc(sizeof(*question));
        int r = -ENOMEM;

        job->ask_due_usec = 0;
        if (question) {
                *question = (Question){ .job = job, .generation = job->generation, .then = then };
                r = node_links_ask(nodes_links(job->jobs->nodes), job->node_id,
                                   &(NodeQuestion){ .method = method,
                                                    .path = path,
                                                    .body = body,
                                                    .timeout_usec = ANSWER_LIMIT_USEC,
                                                    .done = on_answer,
                                                    .userdata = question });
        }
        if (r >= 0) {
                job->is_asking = true;
                job->n_tickets++;
                return;
        }
        free(question);
        if (r == -EAGAIN)
                ask_again(job, LOOK_USEC);
        else if (r == -ENOENT)
                job_fail(job, BUS_ERROR_NODE_UNREACHABLE, "Node %s was removed",
                         job_text(job, "Node"));
        else
                lost(job, r == -ENOKEY ? "The node's token cannot be read with the hub's master key"
                                       : strerror(-r));
}

/* What the node refused, in its own words. */
static void refused(Job *job, const HttpAnswer *answer)
{
        const char *name = text_of(answer->body, "error"), *said = text_of(answer->body, "message");

        job_fail(job, strncmp(name, "com.sendense.Error.", 19) == 0 ? name : BUS_ERROR_COPY_FAILED,
                 "Node %s: %s", job_text(job, "Node"), *said ? said : answer->why);
}

/* ── What became of it ── */

static const json_t *find_disk(const json_t *disks, uint32_t key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (disks, i, disk)
                if (number_of(disk, "key") == key)
                        return disk;
        return NULL;
}

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
                const json_t *copied = find_disk(json_object_get(task, "disks"), disk->key);
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

/* What the VM was at its snapshot, for the commit record; {} when the node does not say. */
static json_t *vm_state(Job *job, const json_t *task)
{
        json_t *state = json_object(), *hardware;
        const char *text = text_of(task, "hardware");

        hardware = *text ? json_loads(text, 0, NULL) : NULL;
        if (json_is_object(hardware))
                (void) json_object_set(state, "hardware", hardware);
        else if (*text)
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NONE,
                               "Node %s tells the hardware of the VM in a way that cannot be read; "
                               "the backup is without it",
                               job_text(job, "Node"));
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

static void copied(Job *job, const json_t *task)
{
        json_t *disks, *state;

        fault_point("node.copied.before");
        if (!excluded_are_known(job, task))
                return;
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

/* ── How it stands ── */

static void take_progress(Job *job, const json_t *task)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;
                const json_t *now = find_disk(json_object_get(task, "disks"), disk->key);
                uint64_t done = number_of(now, "bytes_done"), total = number_of(now, "bytes_total");

                if (!now || done < disk->bytes_done || done > disk->capacity_bytes ||
                    total > disk->capacity_bytes)
                        continue;
                job->is_dirty = job->is_dirty || done > disk->bytes_done;
                disk->bytes_done = done;
                disk->bytes_total = total;
        }
}

static void show_phase(Job *job, const json_t *task)
{
        const char *state = text_of(task, "state"), *waiting = text_of(task, "waiting");
        char phase[sizeof(job->phase)];

        if (strcmp(state, "accepted") == 0)
                (void) snprintf(phase, sizeof(phase), *waiting ? "%.60s" : "looking at the VM",
                                waiting);
        else
                (void) snprintf(phase, sizeof(phase), "%s",
                                strcmp(state, "snapshotting") == 0 ? "taking the snapshot"
                                                                   : "copying");
        if (strcmp(phase, job->phase) != 0)
                job_set_phase(job, phase);
}

static void on_task(Job *job, const json_t *task)
{
        static const char *const running[] = { "accepted", "snapshotting", "copying" };
        const char *state = text_of(task, "state"), *name = text_of(task, "error_name");

        take_progress(job, task);
        for (size_t i = 0; i < ELEMENTSOF(running); i++)
                if (strcmp(state, running[i]) == 0) {
                        show_phase(job, task);
                        ask_again(job, LOOK_USEC);
                        return;
                }
        /* One that was held for too long is released, and still copied. */
        if (!*name && (strcmp(state, "copied") == 0 || strcmp(state, "releasing") == 0 ||
                       strcmp(state, "released") == 0))
                copied(job, task);
        else
                job_fail(job,
                         strncmp(name, "com.sendense.Error.", 19) == 0 ? name
                                                                       : BUS_ERROR_COPY_FAILED,
                         "Node %s: %s", job_text(job, "Node"),
                         *text_of(task, "error") ? text_of(task, "error") : state);
}

/* ── The start ── */

static void on_accepted_written(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error == -ESTALE)
                jobs_reload(job);
        else if (error < 0)
                job_fail(job, BUS_ERROR_FAILED, "What the node accepted cannot be written down: %s",
                         strerror(-error));
        else if (!job->has_error) {
                job->is_at_node = true;
                job_set_phase(job, "accepted by its node");
                ask_again(job, 0);
        }
}

/* From now on a node that does not know the job has lost it. */
static void accepted(Job *job)
{
        const UnitName name = { .kind = UNIT_COPY_SERVICE, .job = job->id };
        char unit[UNIT_NAME_SIZE];

        (void) unit_name_to_string(&name, unit);
        (void) job_log(job, NULL, LOG_INFO, 0, MESSAGE_NONE, "Node %s has accepted job %" PRIu64,
                       job_text(job, "Node"), job->id);
        job_write(job, store_job_advance,
                  json_pack("{s:s, s:s, s:s, s:s}", "To", job_state_to_string(job->state), "Reason",
                            "the node has accepted it", "Unit", unit, "BootId", job->jobs->boot_id),
                  HUB_PRINCIPAL, on_accepted_written);
}

static void on_started(Job *job, const HttpAnswer *answer)
{
        fault_point("node.started.after");
        if (answer->status == 202)
                accepted(job);
        else
                refused(job, answer);
}

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
                        (void) json_object_set_new(targets, disk->text,
                                                   json_sprintf("nbd://127.0.0.1:%u/%s", disk->port,
                                                                disk->export_name));
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

        return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:o, s:o, s:O}", "job_id",
                         (json_int_t) job->id, "attempt",
                         json_integer_value(json_object_get(job->row, "Attempt")), "vm_name",
                         job_text(job, "Vm"), "vm_path", job_text(job, "VmPath"), "instance_uuid",
                         job_text(job, "InstanceUuid"), "backup_type",
                         backup_type_to_string(json_array_size(disks) > 0 ? BACKUP_INCREMENTAL
                                                                          : BACKUP_FULL),
                         "nbd_targets", targets(job), "excluded", excluded(job), "disks", disks);
}

static void start_with(Job *job, const json_t *login)
{
        CLEANUP(json_decref_p) json_t *body = start_body(job);
        const Secret *key = nodes_key(job->jobs->nodes);
        int r = body ? 0 : -ENOMEM;

        if (!key) {
                job_fail(job, BUS_ERROR_MASTER_KEY_UNUSABLE, "%s",
                         nodes_key_error(job->jobs->nodes));
                return;
        }
        if (r >= 0)
                r = vcenter_login_add(key, login, body);
        if (r == -EKEYREJECTED)
                job_fail(job, BUS_ERROR_MASTER_KEY_UNUSABLE,
                         "The password for vCenter %s was sealed with another master key; "
                         "sendensectl vcenter rotate %s enters it anew",
                         text_of(login, "Name"), text_of(login, "Name"));
        else if (r < 0)
                job_fail(job, BUS_ERROR_FAILED, "The request for the node cannot be made: %s",
                         strerror(-r));
        else {
                fault_point("node.start.before");
                ask(job, "POST", "/api/v1/backup/start", body, on_started);
                job->is_start_on_way = job->is_asking;
        }
}

static void on_login(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        _cleanup_free_ Question *question = userdata;
        Job *job = question->job;

        job->is_asking = false;
        if (!job->is_removed && !job->jobs->is_going_down &&
            question->generation == job->generation) {
                if (error >= 0)
                        start_with(job, out);
                else if (error == -ENOTCONN || error == -ETIMEDOUT || error == -ECANCELED)
                        ask_again(job, LOOK_USEC);
                else
                        job_fail(job, name, "The login for its vCenter cannot be had: %s", text);
        }
        job_ticket_done(job);
}

static void start(Job *job)
{
        Question *question = malloc(sizeof(*question));
        int r = -ENOMEM;

        job->ask_due_usec = 0;
        if (question) {
                *question = (Question){ .job = job, .generation = job->generation };
                r = store_call(job->jobs->store, store_vcenter_get,
                               json_pack("{s:o}", "Vcenter",
                                         json_sprintf("%" PRIu64,
                                                      number_of(job->row, "CredentialId"))),
                               on_login, question);
        }
        if (r >= 0) {
                job->is_asking = true;
                job->n_tickets++;
                return;
        }
        free(question);
        ask_again(job, LOOK_USEC); /* the database is away */
}

static void on_looked(Job *job, const HttpAnswer *answer)
{
        /* A hub that died between the answer and its row finds it accepted. */
        if (answer->status == 200 && !job->is_at_node)
                accepted(job);
        else if (answer->status == 200)
                on_task(job, answer->body);
        else if (answer->status != 404)
                refused(job, answer);
        else if (job->is_at_node)
                job_fail(job, BUS_ERROR_COPY_FAILED,
                         "Node %s does not know this job any more; was its folder "
                         "/var/lib/sendense-node lost?",
                         job_text(job, "Node"));
        else
                start(job);
}

void run_node_tick(Job *job, uint64_t now_usec)
{
        char path[64];

        if (job->ask_due_usec == 0 || job->ask_due_usec > now_usec || job->is_asking ||
            job->has_error || job->state != JOB_COPYING)
                return;
        if (!job->is_at_node && !job->is_recovered) {
                start(job);
                return;
        }
        (void) snprintf(path, sizeof(path), "/api/v1/backup/%" PRIu64, job->id);
        ask(job, "GET", path, NULL, on_looked);
}

/* ── After a start of the hub ── */

static void begin(Job *job)
{
        for (size_t i = 0; i < job->n_disks; i++)
                job->disks[i].answered_usec = clock_monotonic_usec();
        job->lost_usec = 0;
        ask_again(job, 0);
        run_node_tick(job, clock_monotonic_usec());
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
                if (job_disk_takes_part(job->disks + i))
                        export_ask_instance(job, job->disks + i, on_instance);
}
