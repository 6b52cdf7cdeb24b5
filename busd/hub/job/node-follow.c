/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job at its node (see node-follow.h).
 */
#include "job/node-follow.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "hub-config.h"
#include "job/export-tls.h"
#include "job/jobs.h"
#include "job/run.h"
#include "json-cleanup.h"
#include "log.h"
#include "node/node-attempt.h"
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
        bool hears_loss; /* then() is told of an answer that is lost, too */
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

        job->is_copying_at_node = job->is_still = false;
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

/* It has taken the job, so whoever asks was allowed to: most likely its polkit does not answer. Nor is what goes wrong at its daemon (one
 * that is masked or cannot be started) a word about the job. The copy goes on. */
static bool is_locked_out(const Job *job, const HttpAnswer *answer)
{
        return (answer->status == 403 || answer->status >= 500) && job->is_at_node;
}

static void locked_out(Job *job, const HttpAnswer *answer)
{
        char why[JOB_ERROR_TEXT_SIZE];

        (void) snprintf(why, sizeof(why), "Node %s: %s", job_text(job, "Node"),
                        text_of(answer->body, "message"));
        lost(job, why);
}

static void on_answer(const HttpAnswer *answer, void *userdata)
{
        _cleanup_free_ Question *question = userdata;
        Job *job = question->job;

        job->is_asking = false;
        if (job->is_start_on_way)
                job->is_start_lost = node_answer_is_lost(answer);
        job->was_start_lost = job->was_start_lost || job->is_start_lost;
        job->is_start_on_way = false;
        if (!job->is_removed && !job->jobs->is_going_down && job->undo_waits) {
                job->undo_waits = false;
                run_undo(job);
        } else if (!job->is_removed && !job->jobs->is_going_down &&
                   question->generation == job->generation) {
                if (question->hears_loss)
                        question->then(job, answer);
                else if (node_answer_is_lost(answer))
                        lost(job, answer->why);
                else if (is_locked_out(job, answer))
                        locked_out(job, answer);
                else {
                        found(job);
                        question->then(job, answer);
                }
        }
        job_ticket_done(job);
}

/* 0: an answer will come. */
static int send_question(Job *job, NodeQuestion *sent, NodeSaid then, bool hears_loss)
{
        Question *question = malloc(sizeof(*question));
        int r;

        job->ask_due_usec = 0;
        if (!question)
                return -ENOMEM;
        *question = (Question){
                .job = job, .generation = job->generation, .then = then, .hears_loss = hears_loss
        };
        sent->done = on_answer;
        sent->userdata = question;
        r = node_links_ask(nodes_links(job->jobs->nodes), job->node_id, sent);
        if (r < 0) {
                free(question);
                return r;
        }
        job->is_asking = true;
        job->n_tickets++;
        return 0;
}

static void ask(Job *job, const char *method, const char *path, const json_t *body, NodeSaid then)
{
        NodeQuestion sent = {
                .method = method, .path = path, .body = body, .timeout_usec = ANSWER_LIMIT_USEC
        };
        int r = send_question(job, &sent, then, false);

        if (r >= 0)
                return;
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
        UnitName name = { .kind = job->follow->unit, .job = job->id };
        char unit[UNIT_NAME_SIZE];

        (void) snprintf(name.step, sizeof(name.step), "%s", job->follow->step ?: "");
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
        else {
                job->is_vm_untouched =
                                !job->is_at_node && !job->is_recovered && !job->was_start_lost;
                refused(job, answer);
        }
}

static uint64_t attempt_at_node(const Job *job)
{
        return node_attempt(number_of(job->row, "CreatedUSec"), number_of(job->row, "Attempt"));
}

static json_t *make_body(const Job *job)
{
        json_t *body = job->follow->start_body(job);

        if (body && json_object_set_new(body, "attempt",
                                        json_integer((json_int_t) attempt_at_node(job))) == 0)
                return body;
        json_decref(body);
        return NULL;
}

/* An older node would call the addresses wrong. Nothing has begun there yet. */
static bool node_has_tls(Job *job)
{
        int r = node_links_knows(nodes_links(job->jobs->nodes), job->node_id, NODE_FEATURE_TLS_PSK);

        if (r > 0)
                return true;
        if (r == -EAGAIN)
                lost(job, "The node has not said yet what it can do");
        else
                job_fail(job, BUS_ERROR_NOT_ALLOWED,
                         "[Exports] TlsPsk=yes, and node %s is of a version without TLS to "
                         "exports. Install this hub's version there, or set TlsPsk=no (its way is "
                         "an SSH tunnel)",
                         job_text(job, "Node"));
        return false;
}

static void start_with(Job *job, const json_t *login)
{
        CLEANUP(json_decref_p) json_t *body = make_body(job);
        const Secret *key = nodes_key(job->jobs->nodes);
        int r = body ? export_tls_add_keys(job, job->follow->exports, body) : -ENOMEM;

        if (r >= 0 && json_object_get(body, "nbd_keys") && !node_has_tls(job))
                return;
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
                ask(job, "POST", job->follow->start_path, body, on_started);
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
                                         json_sprintf("%" PRIu64, job_credential(job))),
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
        /* Or a job of another catalog under its number. */
        bool is_known = answer->status == 200 &&
                        (job->is_at_node ||
                         number_of(answer->body, "attempt") == attempt_at_node(job));

        /* A hub that died between the answer and its row finds it accepted. */
        if (is_known && !job->is_at_node)
                accepted(job);
        else if (is_known)
                job->follow->on_task(job, answer->body);
        else if (answer->status != 200 && answer->status != 404)
                refused(job, answer);
        else if (job->is_at_node)
                job_fail(job, BUS_ERROR_COPY_FAILED,
                         "Node %s does not know this job any more; was its folder "
                         "/var/lib/sendense-node lost?",
                         job_text(job, "Node"));
        else
                start(job);
}

void node_follow_tick(Job *job, uint64_t now_usec)
{
        char path[64];

        if (job->ask_due_usec == 0 || job->ask_due_usec > now_usec || job->is_asking ||
            job->has_error || job->state != JOB_COPYING)
                return;
        if (job->copied) {
                job->follow->ask_more(job);
                return;
        }
        if (!job->is_at_node && !job->is_recovered) {
                start(job);
                return;
        }
        (void) snprintf(path, sizeof(path), "/api/v1/backup/%" PRIu64, job->id);
        ask(job, "GET", path, NULL, on_looked);
}

/* ── What it tells ── */

void node_follow_progress(Job *job, const json_t *task)
{
        for (size_t i = 0; i < job->n_disks; i++) {
                JobDisk *disk = job->disks + i;
                const json_t *now = node_follow_disk(task, disk->key);
                uint64_t done = number_of(now, "bytes_done"), total = number_of(now, "bytes_total");

                if (!now || done < disk->bytes_done || done > disk->capacity_bytes ||
                    total > disk->capacity_bytes)
                        continue;
                if (done > disk->bytes_done) {
                        job->is_dirty = true;
                        job_moved(job);
                }
                disk->bytes_done = done;
                disk->bytes_total = total;
        }
}

const json_t *node_follow_disk(const json_t *task, uint32_t key)
{
        const json_t *disk;
        size_t i;

        json_array_foreach (json_object_get(task, "disks"), i, disk)
                if (number_of(disk, "key") == key)
                        return disk;
        return NULL;
}

bool node_follow_fits(const json_t *value, size_t max_bytes)
{
        return json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) <= max_bytes;
}

void node_follow_again(Job *job)
{
        ask_again(job, LOOK_USEC);
}

int node_follow_ask(Job *job, const char *path, uint64_t timeout_usec,
                    void (*then)(Job *job, const HttpAnswer *answer))
{
        NodeQuestion sent = { .method = "GET", .path = path, .timeout_usec = timeout_usec };

        return send_question(job, &sent, then, true);
}

bool node_follow_is_lost(const Job *job, const HttpAnswer *answer)
{
        return node_answer_is_lost(answer) || is_locked_out(job, answer);
}

void node_follow_failed(Job *job, const json_t *task)
{
        const char *name = text_of(task, "error_name"), *text = text_of(task, "error");

        job_fail(job, strncmp(name, "com.sendense.Error.", 19) == 0 ? name : BUS_ERROR_COPY_FAILED,
                 "Node %s: %s", job_text(job, "Node"), *text ? text : text_of(task, "state"));
}

void node_follow_begin(Job *job, const NodeFollow *follow)
{
        job->follow = follow;
        job->lost_usec = 0;
        ask_again(job, 0);
        node_follow_tick(job, clock_monotonic_usec());
}
