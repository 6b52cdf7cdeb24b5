/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sweep (see sweep.h): one at a time, one thing after the other, so that it never weighs on the
 * jobs that run.
 */
#include "job/sweep.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "image-run.h"
#include "job/jobs.h"
#include "job/run.h"
#include "job/stray-units.h"
#include "job/target-undo.h"
#include "job/work.h"
#include "json-fields.h"
#include "log.h"
#include "node/node-attempt.h"
#include "node/node-release.h"
#include "node/nodes.h"
#include "parse.h"
#include "store/store-call.h"
#include "store/store-lease.h"
#include "store/store-obligation.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define SWEEP_EVERY_USEC   (30 * USEC_PER_SEC)
#define RELEASE_LIMIT_USEC (60 * USEC_PER_SEC)
#define RELEASE_AWAY_USEC  (5 * USEC_PER_SEC)
#define RETRY_MIN_USEC     (60 * (json_int_t) USEC_PER_SEC)
#define RETRY_MAX_USEC     (3600 * (json_int_t) USEC_PER_SEC)

struct Sweeper {
        Jobs *jobs;
        SweepCount count;
        void *userdata;
        sd_event_source *timer;
        unsigned n_open;

        /* The one that is under way. */
        bool is_running;
        bool is_eager; /* all, not only what is due */
        bool has_units_left; /* of jobs that are over: they could not be looked up or stopped */
        json_t *lines;
        json_t *rows;
        size_t next;
        StrayUnits strays;
        bool is_undone; /* the files of this row */
        char why[512]; /* they are not */
        NodeRelease *release; /* of this row */
        SweepDone done;
        void *done_userdata;

        /* What was asked for meanwhile. */
        bool is_wanted_again;
        SweepDone next_done; /* of a sweep of all; NULL: nobody waits for one */
        void *next_userdata;
};

static void next_row(Sweeper *s);

__attribute__((format(printf, 2, 3))) static void say(Sweeper *s, const char *format, ...)
{
        char line[1024];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(line, sizeof(line), format, ap);
        va_end(ap);
        log_notice("%s", line);
        (void) json_array_append_new(s->lines, json_text_made_valid(line));
}

static uint64_t row_number(const json_t *row, const char *key)
{
        return (uint64_t) json_integer_value(json_object_get(row, key));
}

static const char *row_text(const json_t *row, const char *key)
{
        return json_string_value(json_object_get(row, key)) ?: "";
}

/* In memory or in the database: a job that is open in its row alone was refused or is being read again, and
 * nothing of it may be touched. */
static bool job_is_open(const Sweeper *s, uint64_t id)
{
        const Job *job = jobs_find(s->jobs, id);
        const json_t *row;
        size_t i;

        if (job)
                return !job_state_is_final(job->state);
        json_array_foreach (s->rows, i, row)
                if (row_number(row, "Job") == id)
                        return !job_state_is_final(job_state_from_string(row_text(row, "State")));
        return false;
}

static void set_count(Sweeper *s, size_t n)
{
        if (s->n_open == n)
                return;
        s->n_open = (unsigned) n;
        if (s->count)
                s->count(s->n_open, s->userdata);
}

static void on_counted(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        Sweeper *s = userdata;

        (void) name;
        if (s->jobs->is_going_down)
                return;
        if (error < 0)
                log_debug("What is owed cannot be counted: %s; the next sweep counts", text);
        else
                set_count(s, row_number(out, "Owed"));
}

void sweeper_count(Sweeper *sweeper)
{
        if (store_call(sweeper->jobs->store, store_obligation_count, json_object(), on_counted,
                       sweeper) < 0)
                log_debug("What is owed cannot be counted now; the next sweep counts");
}

static int begin(Sweeper *s, bool is_eager, SweepDone done, void *userdata);

/* Who asked for a clean-up while this sweep was under way gets one of his own. */
static void begin_waiting(Sweeper *s)
{
        SweepDone done = TAKE(s->next_done);
        CLEANUP(json_decrefp) json_t *lines = NULL;
        bool is_wanted = s->is_wanted_again;
        int r;

        s->is_wanted_again = false;
        if (!done) {
                if (is_wanted)
                        sweeper_look(s);
                return;
        }
        r = begin(s, true, done, s->next_userdata);
        if (r >= 0)
                return;
        lines = json_pack("[s]", "Nothing was tried: the database is not there");
        done(lines, s->next_userdata);
}

static void end(Sweeper *s)
{
        SweepDone done = s->done;

        s->is_running = false;
        s->done = NULL;
        stray_units_done(&s->strays);
        json_decref(TAKE(s->rows));
        if (done)
                done(s->lines, s->done_userdata);
        json_decref(TAKE(s->lines));
        /* Jobs have ended meanwhile. */
        if (!s->jobs->is_going_down)
                sweeper_count(s);
        begin_waiting(s);
}

static void on_given_back(int error, const json_t *out, const char *name, const char *text,
                          void *userdata)
{
        (void) out, (void) name, (void) userdata;
        if (error < 0)
                (void) log_warning(error,
                                   "A lease cannot be removed: %s; the next sweep tries again",
                                   text);
}

/* Leases whose job is over: the row alone is left, for the units are gone by now. */
static void on_leases(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        json_t *rows = json_object_get(out, "Leases"), *row;
        Sweeper *s = userdata;
        size_t i;

        (void) name;
        if (error < 0)
                say(s, "The leases cannot be read: %s", text);
        json_array_foreach (rows, i, row) {
                uint64_t id = row_number(row, "Job");

                if (job_is_open(s, id))
                        continue;
                if (store_call(s->jobs->store, store_lease_free,
                               json_pack("{s:I, s:I}", "Job", (json_int_t) id, "Port",
                                         (json_int_t) row_number(row, "Port")),
                               on_given_back, NULL) >= 0)
                        say(s, "Port %" PRIu64 " of job %" PRIu64 " was given back",
                            row_number(row, "Port"), id);
        }
        end(s);
}

static void look_at_leases(Sweeper *s)
{
        if (store_call(s->jobs->store, store_lease_list, json_object(), on_leases, s) >= 0)
                return;
        say(s, "The leases cannot be read: the database is not there");
        end(s);
}

static void on_marked(int error, const json_t *out, const char *name, const char *text,
                      void *userdata)
{
        Sweeper *s = userdata;

        (void) out, (void) name;
        if (error < 0)
                say(s, "An obligation's end cannot be written down: %s", text);
        next_row(s);
}

/* note: what belongs to the error of its job; NULL when nothing does. */
static void mark_done(Sweeper *s, const json_t *row, const char *note)
{
        set_count(s, s->n_open > 0 ? s->n_open - 1 : 0);
        if (store_call(s->jobs->store, store_obligation_done,
                       json_pack("{s:I, s:I, s:s*}", "Id", (json_int_t) row_number(row, "Id"),
                                 "NowUSec", (json_int_t) clock_realtime_usec(), "Note", note),
                       on_marked, s) < 0)
                next_row(s);
}

static void mark_failed(Sweeper *s, const json_t *row, const char *why)
{
        json_int_t wait_usec = RETRY_MIN_USEC;

        for (uint64_t n = row_number(row, "Attempts"); n > 0 && wait_usec < RETRY_MAX_USEC; n--)
                wait_usec *= 2;
        say(s, "Still owed: %s %s of job %" PRIu64 ": %s", row_text(row, "Kind"),
            row_text(row, "Subject"), row_number(row, "Job"), why);
        if (store_call(s->jobs->store, store_obligation_failed,
                       json_pack("{s:I, s:o, s:I}", "Id", (json_int_t) row_number(row, "Id"),
                                 "ErrorText", json_text_made_valid(why), "NextAttemptUSec",
                                 (json_int_t) clock_realtime_usec() + wait_usec),
                       on_marked, s) < 0)
                next_row(s);
}

static const json_t *this_row(const Sweeper *s)
{
        return json_array_get(s->rows, s->next - 1);
}

static void on_slice_stopped(int error, const char *text, void *userdata)
{
        Sweeper *s = userdata;
        const json_t *row = this_row(s);

        if (error < 0)
                say(s, "The slice of job %" PRIu64 " cannot be stopped: %s", row_number(row, "Job"),
                    text ?: strerror(-error));
        if (s->is_undone)
                mark_done(s, row, NULL);
        else
                mark_failed(s, row, s->why);
}

/* The unit that removed the files has begun the job's slice anew, and no slice ends by itself. */
static void stop_slice(Sweeper *s)
{
        const UnitName name = { .kind = UNIT_JOB_SLICE, .job = row_number(this_row(s), "Job") };
        char unit[UNIT_NAME_SIZE];
        int r = unit_name_to_string(&name, unit);

        if (r >= 0)
                r = units_stop(s->jobs->units, unit, on_slice_stopped, s);
        if (r < 0)
                on_slice_stopped(r, NULL, s);
}

static void on_files_undone(const json_t *result, const char *unit, const char *name,
                            const char *text, void *userdata)
{
        Sweeper *s = userdata;
        const json_t *row = this_row(s);

        (void) unit, (void) name;
        s->is_undone = result != NULL;
        if (!result)
                (void) snprintf(s->why, sizeof(s->why), "%s", text);
        else if (strcmp(row_text(result, "outcome"), "committed") == 0)
                say(s,
                    "Backup %s of job %" PRIu64
                    " has its commit record: nothing was removed; sendensectl repository scan "
                    "brings it into the catalog",
                    row_text(row, "BackupId"), row_number(row, "Job"));
        else
                say(s, "Files of %s were removed from %s", row_text(row, "BackupId"),
                    row_text(row, "RepositoryPath"));
        stop_slice(s);
}

static void undo_files(Sweeper *s, const json_t *row)
{
        const ImageTask task = {
                .job = row_number(row, "Job"),
                .step = "undo",
                .verb = "undo",
                .timeout_usec = s->jobs->config->repository_step_usec,
                .n_runs = IMAGE_RUNS,
                .write_path = row_text(row, "RepositoryPath"),
        };
        json_t *spec = json_pack(
                        "{s:s, s:s, s:s, s:O}", "repository", row_text(row, "RepositoryPath"),
                        "instance_uuid", row_text(row, "InstanceUuid"), "backup_id",
                        row_text(row, "BackupId"), "disk_keys", json_object_get(row, "DiskKeys"));

        if (spec && *row_text(row, "RepositoryUuid"))
                (void) json_object_set_new(spec, "repository_uuid",
                                           json_string(row_text(row, "RepositoryUuid")));
        if (image_run(s->jobs->units, &task, spec, on_files_undone, s) < 0)
                mark_failed(s, row, "the step cannot be asked for");
}

static void on_released(int error, const char *text, void *userdata)
{
        Sweeper *s = userdata;
        const json_t *row = this_row(s);

        s->release = NULL;
        if (error == -ECANCELED || s->jobs->is_going_down)
                return; /* the hub ends, and the sweep with it */
        if (error < 0) {
                mark_failed(s, row, text);
                return;
        }
        say(s, "Node %s owes no %s any more: %s%s%s", row_text(row, "Node"), row_text(row, "Kind"),
            row_text(row, "Subject"), *text ? "; " : "", text);
        mark_done(s, row, error > 0 ? text : NULL);
}

static void release_at_node(Sweeper *s, const json_t *row)
{
        const NodeReleaseTask task = {
                .event = s->jobs->event,
                .links = nodes_links(s->jobs->nodes),
                .store = s->jobs->store,
                .key = nodes_key(s->jobs->nodes),
                .node_id = row_number(row, "NodeId"),
                .job = row_number(row, "Job"),
                .attempt = node_attempt(row_number(row, "JobCreatedUSec"),
                                        row_number(row, "JobAttempt")),
                .credential_id = row_number(row, "CredentialId"),
                .is_committed = strcmp(row_text(row, "State"), "completed") == 0,
                .is_restore = strcmp(row_text(row, "Kind"), JOB_OWES_VM) == 0,
                .was_accepted = row_number(row, "WasAccepted") > 0,
                .limit_usec = RELEASE_LIMIT_USEC,
                .away_usec = RELEASE_AWAY_USEC,
                .done = on_released,
                .userdata = s,
        };
        int r = node_release_begin(&task, &s->release);

        if (r < 0)
                mark_failed(s, row, strerror(-r));
}

static void on_target_started(int error, const char *text, void *userdata)
{
        Sweeper *s = userdata;

        if (error < 0)
                (void) snprintf(s->why, sizeof(s->why), "%s", text ?: strerror(-error));
        mark_failed(s, this_row(s), *s->why ? s->why : "it is being removed; the next look tells");
}

/* What the last sweep began, or begins it anew. */
static void undo_target(Sweeper *s, const json_t *row)
{
        int r = target_undo_result(row, s->why);

        target_undo_forget(row);
        if (r > 0) {
                say(s, "%s of job %" PRIu64 " was removed", row_text(row, "Subject"),
                    row_number(row, "Job"));
                s->is_undone = true;
                stop_slice(s);
                return;
        }
        r = target_undo_start(s->jobs->units, row, s->why, on_target_started, s);
        if (r < 0)
                mark_failed(s, row, r == -ENODEV ? s->why : strerror(-r));
}

/* Due, and of no job that will do it itself. */
static bool is_wanted(const Sweeper *s, const json_t *row)
{
        if (job_is_open(s, row_number(row, "Job")))
                return false;
        return s->is_eager || row_number(row, "NextAttemptUSec") <= clock_realtime_usec();
}

static void next_row(Sweeper *s)
{
        const json_t *row;

        if (s->jobs->is_going_down) {
                end(s);
                return;
        }
        while ((row = json_array_get(s->rows, s->next++)))
                if (is_wanted(s, row)) {
                        /* The units of a job that is over have been ended as strays before this. */
                        if (strcmp(row_text(row, "Kind"), "units") == 0 && s->has_units_left)
                                mark_failed(s, row, "units of jobs that are over are left");
                        else if (strcmp(row_text(row, "Kind"), "units") == 0)
                                mark_done(s, row, NULL);
                        else if (strcmp(row_text(row, "Kind"), "files") == 0)
                                undo_files(s, row);
                        else if (strcmp(row_text(row, "Kind"), JOB_OWES_SNAPSHOT) == 0 ||
                                 strcmp(row_text(row, "Kind"), JOB_OWES_VM) == 0)
                                release_at_node(s, row);
                        else if (strcmp(row_text(row, "Kind"), JOB_OWES_TARGET) == 0)
                                undo_target(s, row);
                        else
                                mark_failed(s, row, "this hub does not know how");
                        return;
                }
        look_at_leases(s);
}

static bool is_open(uint64_t job, void *userdata)
{
        return job_is_open(userdata, job);
}

static void say_line(const char *line, void *userdata)
{
        say(userdata, "%s", line);
}

static void on_strays_stopped(bool are_left, void *userdata)
{
        Sweeper *s = userdata;

        s->has_units_left = are_left;
        next_row(s);
}

static void on_rows(int error, const json_t *out, const char *name, const char *text,
                    void *userdata)
{
        Sweeper *s = userdata;

        (void) name;
        if (error < 0) {
                say(s, "The obligations cannot be read: %s", text);
                end(s);
                return;
        }
        s->rows = json_incref(json_object_get(out, "Obligations"));
        s->next = 0;
        set_count(s, row_number(out, "Owed"));
        if (stray_units_stop(&s->strays) >= 0)
                return;
        say(s, "Systemd cannot be asked about our units");
        end(s);
}

static int begin(Sweeper *s, bool is_eager, SweepDone done, void *userdata)
{
        int r;

        if (s->is_running)
                return -EBUSY;
        if (!s->jobs->is_loaded || store_status(s->jobs->store)->state != DATABASE_READY)
                return -ENOTCONN;
        s->lines = json_array();
        if (!s->lines)
                return -ENOMEM;
        s->is_running = true;
        s->is_eager = is_eager;
        s->done = done;
        s->done_userdata = userdata;
        r = store_call(s->jobs->store, store_obligation_list, json_object(), on_rows, s);
        if (r < 0) {
                s->is_running = false;
                s->done = NULL;
                json_decref(TAKE(s->lines));
        }
        return r;
}

int sweeper_run(Sweeper *sweeper, SweepDone done, void *userdata)
{
        if (!sweeper->is_running)
                return begin(sweeper, true, done, userdata);
        if (sweeper->done || sweeper->next_done)
                return -EBUSY;
        sweeper->next_done = done;
        sweeper->next_userdata = userdata;
        return 0;
}

/* Without the database the timer tries again. */
void sweeper_look(Sweeper *sweeper)
{
        if (sweeper->is_running)
                sweeper->is_wanted_again = true;
        else
                (void) begin(sweeper, false, NULL, NULL);
}

static void on_hurried(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        Sweeper *s = userdata;

        (void) out, (void) name;
        if (s->jobs->is_going_down)
                return;
        if (error < 0)
                (void) log_warning(error, "What is owed is tried at its own time: %s", text);
        sweeper_look(s);
}

void sweeper_hurry(Sweeper *sweeper, uint64_t node_id)
{
        if (store_call(sweeper->jobs->store, store_obligation_hurry,
                       json_pack("{s:I, s:I}", "NodeId", (json_int_t) node_id, "NowUSec",
                                 (json_int_t) clock_realtime_usec()),
                       on_hurried, sweeper) < 0)
                log_debug("What is owed is tried at its own time: the database is not there");
}

unsigned sweeper_n_open(const Sweeper *sweeper)
{
        return sweeper->n_open;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        int r;

        (void) usec;
        sweeper_look(userdata);
        r = sd_event_source_set_time_relative(source, SWEEP_EVERY_USEC);
        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int sweeper_new(Jobs *jobs, SweepCount count, void *userdata, Sweeper **ret_sweeper)
{
        Sweeper *sweeper = malloc(sizeof(Sweeper));
        int r;

        if (!sweeper)
                return -ENOMEM;
        *sweeper = (Sweeper){
                .jobs = jobs,
                .count = count,
                .userdata = userdata,
                .strays = { .units = jobs->units,
                            .is_open = is_open,
                            .is_going_down = &jobs->is_going_down,
                            .say = say_line,
                            .done = on_strays_stopped,
                            .userdata = sweeper },
        };
        r = sd_event_add_time_relative(jobs->event, &sweeper->timer, CLOCK_MONOTONIC,
                                       SWEEP_EVERY_USEC, 0, on_timer, sweeper);
        if (r < 0) {
                free(sweeper);
                return r;
        }
        *ret_sweeper = sweeper;
        return 0;
}

Sweeper *sweeper_free(Sweeper *sweeper)
{
        if (!sweeper)
                return NULL;
        sd_event_source_disable_unref(sweeper->timer);
        node_release_cancel(sweeper->release);
        json_decref(sweeper->lines);
        json_decref(sweeper->rows);
        stray_units_done(&sweeper->strays);
        free(sweeper);
        return NULL;
}
