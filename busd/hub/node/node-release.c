/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One release (see node-release.h): the login is read anew each time, because it may have been rotated since the job began; then
 * the node is told, and asked until its task is over. Each answer that is missing is asked for again, within the limit.
 */
#include "node/node-release.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "node/node-links.h"
#include "node/vcenter-login.h"
#include "parse.h"
#include "store/store-call.h"
#include "store/store-vcenter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#define ANSWER_LIMIT_USEC (20 * USEC_PER_SEC)
#define LOOK_AGAIN_USEC   (300 * USEC_PER_MSEC)
#define ASK_AGAIN_USEC    (2 * USEC_PER_SEC)

struct NodeRelease {
        NodeReleaseTask task;
        sd_event_source *timer;
        uint64_t end_usec, seen_usec; /* CLOCK_MONOTONIC */
        bool is_told; /* the node has heard it */
        bool is_asking; /* an answer will come, and needs this */
        bool is_over; /* done, or cancelled */
        char why[512]; /* it is not done */
};

static void release_free(NodeRelease *release)
{
        sd_event_source_disable_unref(release->timer);
        free(release);
}

static void end(NodeRelease *release, int error, const char *text)
{
        const NodeReleaseTask *task = &release->task;

        if (release->is_over)
                return;
        release->is_over = true;
        task->done(error, text, task->userdata);
        if (!release->is_asking)
                release_free(release);
}

static void again(NodeRelease *release, int error, uint64_t pause_usec)
{
        uint64_t next_usec = clock_monotonic_usec() + pause_usec;
        bool is_away = error == -EHOSTDOWN &&
                       next_usec > release->seen_usec + release->task.away_usec;

        if (error == -ECANCELED || is_away || next_usec > release->end_usec) {
                end(release, error, release->why);
                return;
        }
        if (error != -EHOSTDOWN)
                release->seen_usec = next_usec;
        (void) sd_event_source_set_time_relative(release->timer, pause_usec);
        (void) sd_event_source_set_enabled(release->timer, SD_EVENT_ONESHOT);
}

/* A task under this number that is another catalog's, which the node had before this job came. What it has accepted is this job's; of
 * an older hub it has an attempt that was counted otherwise. */
static uint64_t attempt_meant(const NodeRelease *release)
{
        return release->task.was_accepted ? 0 : release->task.attempt;
}

static bool is_of_another(const NodeRelease *release, const json_t *task)
{
        uint64_t meant = attempt_meant(release);

        return meant > 0 &&
               json_integer_value(json_object_get(task, "attempt")) != (json_int_t) meant;
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* The answer has come: 1 when the release still wants it. */
static bool is_awaited(NodeRelease *release)
{
        release->is_asking = false;
        if (!release->is_over)
                return true;
        release_free(release);
        return false;
}

/* One that never heard of the job made no snapshot. One that has forgotten it may have: only somebody who looks knows. */
static void on_unknown(NodeRelease *release)
{
        if (release->task.may_come) {
                (void) snprintf(release->why, sizeof(release->why),
                                "the node does not know the job, and had not answered to its "
                                "start, which may be on its way");
                end(release, -EINPROGRESS, release->why);
                return;
        }
        if (!release->task.was_accepted) {
                end(release, 0, "");
                return;
        }
        if (release->task.is_restore)
                (void) snprintf(release->why, sizeof(release->why),
                                "the node had accepted the job and does not know it any more, so "
                                "its folder /var/lib/sendense-node was lost: look at vCenter for "
                                "the "
                                "new VM, or, of a restore in place, for disks and a VM named "
                                "sendense-…-%" PRIu64
                                "-…, remove what is left, then: sendensectl obligation forgive",
                                release->task.job);
        else
                (void) snprintf(release->why, sizeof(release->why),
                                "the node had accepted the job and does not know it any more, so "
                                "its folder /var/lib/sendense-node was lost: look at the VM for a "
                                "snapshot 'sendense-…-%" PRIu64
                                "-…', remove it, then: sendensectl obligation forgive",
                                release->task.job);
        end(release, -ENODATA, release->why);
}

/* Of the end of a restore: that its VM could not be switched on, say. */
static const char *last_warning(const json_t *task)
{
        const json_t *warnings = json_object_get(task, "warnings");
        size_t n = json_array_size(warnings);

        if (n == 0 || strcmp(text_of(task, "kind"), "restore") != 0)
                return "";
        return json_string_value(json_array_get(warnings, n - 1)) ?: "";
}

/* Of what is given up: a VM that keeps what it was given, because somebody uses it. */
static bool is_in_error(const json_t *task)
{
        const char *warning = last_warning(task);

        return *warning && strstr(text_of(task, "error"), warning);
}

/* No hub came for too long, so it let the VM of a job stay that is given up now, and removes it no more. */
static bool has_kept_vm(const NodeRelease *release, const json_t *task)
{
        return release->task.is_restore && !release->task.is_committed &&
               strcmp(text_of(task, "state"), "released") == 0 &&
               strcmp(text_of(task, "outcome"), "abandoned") != 0;
}

static void end_kept(NodeRelease *release, const json_t *task)
{
        (void) snprintf(release->why, sizeof(release->why),
                        "no hub had asked for the new VM '%.200s' for too long, so the node let it "
                        "stay, whole: keep it, or remove it at vCenter, then: sendensectl "
                        "obligation forgive",
                        text_of(task, "vm"));
        end(release, -ENODATA, release->why);
}

/* Nobody who knows has answered. The hub was allowed to ask when the job began: a refusal now is most likely a polkit of the node that
 * does not answer, and after a fault the same question may be answered. */
static bool is_lost(const HttpAnswer *answer)
{
        return node_answer_is_lost(answer) || answer->status == 403 || answer->status >= 500;
}

static void on_look(const HttpAnswer *answer, void *userdata)
{
        NodeRelease *release = userdata;
        const char *state = text_of(answer->body, "state"), *why;

        if (!is_awaited(release))
                return;
        if (is_lost(answer)) {
                (void) snprintf(release->why, sizeof(release->why), "%s", answer->why);
                again(release, answer->error == -ECANCELED ? -ECANCELED : -EHOSTDOWN,
                      ASK_AGAIN_USEC);
                return;
        }
        if (answer->status == 404 ||
            (answer->status == 200 && is_of_another(release, answer->body))) {
                on_unknown(release);
                return;
        }
        if (answer->status == 200 &&
            !json_is_true(json_object_get(answer->body, "owes_snapshot")) &&
            !json_is_true(json_object_get(answer->body, "owes_vm")) &&
            (strcmp(state, "released") == 0 || strcmp(state, "failed") == 0 ||
             strcmp(state, "cancelled") == 0)) {
                if (has_kept_vm(release, answer->body))
                        end_kept(release, answer->body);
                else
                        end(release, is_in_error(answer->body), last_warning(answer->body));
                return;
        }
        why = text_of(answer->body, "release_error");
        if (json_is_true(json_object_get(answer->body, "owes_vm")))
                (void) snprintf(release->why, sizeof(release->why),
                                "the node is not done with the new VM '%.100s' yet%s%s",
                                text_of(answer->body, "vm"), *why ? ": " : "", why);
        else
                (void) snprintf(release->why, sizeof(release->why),
                                "the node has not removed snapshot '%s' yet%s%s",
                                text_of(answer->body, "snapshot_name"), *why ? ": " : "", why);
        again(release, -ETIMEDOUT, LOOK_AGAIN_USEC);
}

static void ask(NodeRelease *release, const char *method, const char *what, const json_t *body,
                HttpAnswered done)
{
        char path[64];
        int r;

        (void) snprintf(path, sizeof(path), "/api/v1/backup/%" PRIu64 "%s", release->task.job,
                        what);
        r = node_links_ask(release->task.links, release->task.node_id,
                           &(NodeQuestion){ .method = method,
                                            .path = path,
                                            .body = body,
                                            .timeout_usec = ANSWER_LIMIT_USEC,
                                            .done = done,
                                            .userdata = release });
        release->is_asking = r >= 0;
        if (r >= 0)
                return;
        (void) snprintf(release->why, sizeof(release->why), "%s",
                        r == -ENOENT ? "the node is not enrolled any more: its snapshot, if there "
                                       "is one, must be removed by hand; then: sendensectl "
                                       "obligation forgive"
                        : r == -ENOKEY ? "the node's token cannot be read"
                                       : strerror(-r));
        again(release, -EHOSTDOWN, ASK_AGAIN_USEC);
}

static void on_told(const HttpAnswer *answer, void *userdata)
{
        NodeRelease *release = userdata;

        if (!is_awaited(release))
                return;
        if (is_lost(answer)) {
                (void) snprintf(release->why, sizeof(release->why), "%s", answer->why);
                again(release, answer->error == -ECANCELED ? -ECANCELED : -EHOSTDOWN,
                      ASK_AGAIN_USEC);
                return;
        }
        /* Also when it is refused, because the task ended otherwise: how it stands, says the next question. */
        release->is_told = true;
        ask(release, "GET", "", NULL, on_look);
}

static void tell(NodeRelease *release, const json_t *login)
{
        CLEANUP(json_decref_p)
        json_t *body = json_pack("{s:s}", "outcome",
                                 release->task.is_committed ? "committed" : "abandoned");

        if (body && attempt_meant(release) > 0)
                (void) json_object_set_new(body, "attempt",
                                           json_integer((json_int_t) attempt_meant(release)));
        /* Without a login the node does what it can with the one it has. */
        if (body && login && release->task.key)
                (void) vcenter_login_add(release->task.key, login, body);
        ask(release, "POST", "/release", body, on_told);
}

static void on_login(int error, const json_t *out, const char *name, const char *text,
                     void *userdata)
{
        NodeRelease *release = userdata;

        (void) name, (void) text;
        if (is_awaited(release))
                tell(release, error < 0 ? NULL : out);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        NodeRelease *release = userdata;
        int r = -ENOENT;

        (void) source, (void) usec;
        if (release->is_told) {
                ask(release, "GET", "", NULL, on_look);
                return 0;
        }
        if (release->task.credential_id > 0) {
                char id[24];

                (void) snprintf(id, sizeof(id), "%" PRIu64, release->task.credential_id);
                r = store_call(release->task.store, store_vcenter_get,
                               json_pack("{s:s}", "Vcenter", id), on_login, release);
        }
        release->is_asking = r >= 0;
        if (r < 0)
                tell(release, NULL);
        return 0;
}

int node_release_begin(const NodeReleaseTask *task, NodeRelease **ret_release)
{
        NodeRelease *release = malloc(sizeof(*release));
        int r;

        if (!release)
                return -ENOMEM;
        *release = (NodeRelease){
                .task = *task,
                .end_usec = clock_monotonic_usec() + task->limit_usec,
                .seen_usec = clock_monotonic_usec(),
        };
        r = sd_event_add_time_relative(task->event, &release->timer, CLOCK_MONOTONIC, 0,
                                       USEC_PER_MSEC, on_timer, release);
        if (r < 0) {
                release_free(release);
                return r;
        }
        *ret_release = release;
        return 0;
}

NodeRelease *node_release_cancel(NodeRelease *release)
{
        if (!release || release->is_over)
                return NULL;
        release->is_over = true;
        (void) sd_event_source_set_enabled(release->timer, SD_EVENT_OFF);
        if (!release->is_asking)
                release_free(release);
        return NULL;
}
