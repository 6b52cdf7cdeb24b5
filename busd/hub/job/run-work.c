/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs about a backup that is there (see run-work.h). Their unit outlives the hub as a copy does: one that runs is watched again, one
 * that has ended is loaded still and tells its result, and where there is none the work is begun anew if its type allows that.
 */
#include "job/run-work.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "job/jobs.h"
#include "job/run.h"
#include "log.h"
#include "unit/progress-socket.h"
#include "unit/unit-files.h"
#include "unit/units.h"
#include "unit/work-unit.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        WORK_RUNS = 3, /* of work that dies without a word */
        WORK_PATHS_MAX = 8,
};

#define LOOK_AGAIN_USEC USEC_PER_SEC

const char *run_work_unit(const Job *job, char ret_unit[static UNIT_NAME_SIZE])
{
        const UnitName name = { .kind = work_kind(job)->unit, .job = job->id };

        if (unit_name_to_string(&name, ret_unit) < 0)
                *ret_unit = '\0';
        return ret_unit;
}

static void on_started(Job *job)
{
        job->has_obligations = true;
        run_enter(job);
}

static json_t *owes_row(const Job *job, const char *target)
{
        if (work_kind(job)->owes_at_node)
                return json_pack("{s:s, s:s, s:I}", "Kind", JOB_OWES_VM, "Subject", target,
                                 "NodeId", (json_int_t) job->node_id);
        return json_pack("{s:s, s:s}", "Kind", JOB_OWES_TARGET, "Subject", target);
}

void run_work_start(Job *job)
{
        const WorkKind *kind = work_kind(job);
        const char *owes = kind->owes ? kind->owes(job) : NULL;
        CLEANUP(json_decrefp) json_t *obligations = json_array();
        char units[64], target[OWED_SIZE];

        (void) snprintf(units, sizeof(units), "sendense-job@%" PRIu64 ".target", job->id);
        /* What is owed is owed once, and two jobs may have been about the same. */
        (void) snprintf(target, sizeof(target), "job %" PRIu64 ": %s", job->id, owes ?: "");
        utf8_make_valid(target);
        job->owes_release = owes && kind->owes_at_node;
        if (json_array_append_new(obligations,
                                  json_pack("{s:s, s:s}", "Kind", "units", "Subject", units)) < 0 ||
            (owes && json_array_append_new(obligations, owes_row(job, target)) < 0)) {
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        job_advance_to(job, JOB_EVENT_START_WORK, "its turn in the queue has come",
                       json_pack("{s:I, s:O}", "StartedUSec", (json_int_t) clock_realtime_usec(),
                                 "Obligations", obligations),
                       on_started);
}

/* What its program is told. */
static json_t *work_spec(const Job *job)
{
        CLEANUP(json_decrefp) json_t *spec = job_place(job);
        char socket[UNIT_FILE_PATH_SIZE];
        const WorkKind *kind = work_kind(job);

        runtime_path(PROGRESS_SOCKET, socket);
        if (!spec ||
            json_object_update_new(spec, json_pack("{s:I, s:s}", "job", (json_int_t) job->id,
                                                   "progress", socket)) < 0 ||
            (kind->fill && kind->fill(job, spec) < 0))
                return NULL;
        return TAKE(spec);
}

typedef struct WorkPaths {
        json_t *list;
        const char *texts[WORK_PATHS_MAX];
        size_t n;
} WorkPaths;

static int list_paths(const Job *job, WorkPaths *paths)
{
        const WorkKind *kind = work_kind(job);
        const json_t *path;
        size_t i;
        int r;

        *paths = (WorkPaths){ .list = json_array() };
        if (!paths->list)
                return -ENOMEM;
        r = kind->write_paths ? kind->write_paths(job, paths->list) : 0;
        json_array_foreach (paths->list, i, path)
                if (r >= 0 && paths->n < WORK_PATHS_MAX && json_string_value(path))
                        paths->texts[paths->n++] = json_string_value(path);
        return r;
}

int run_work_start_unit(Job *job, const char *verb, JobThen then)
{
        char unit[UNIT_NAME_SIZE], in[UNIT_FILE_PATH_SIZE], out[UNIT_FILE_PATH_SIZE];
        CLEANUP(json_decrefp) json_t *spec = work_spec(job);
        const WorkKind *kind = work_kind(job);
        WorkPaths paths;
        Ticket *ticket;
        int r;

        run_work_unit(job, unit);
        unit_file_path(unit, UNIT_FILE_IN, in);
        unit_file_path(unit, UNIT_FILE_OUT, out);
        r = list_paths(job, &paths);
        if (r >= 0)
                r = spec ? unit_files_make(unit, spec) : -ENOMEM;
        if (r >= 0)
                r = ticket_new(job, NULL, then, &ticket);
        if (r >= 0) {
                const WorkUnit work = {
                        .kind = kind->unit,
                        .job = job->id,
                        .program = kind->program,
                        .verb = verb,
                        .user = kind->user ? kind->user(job) : NULL,
                        .write_paths = paths.texts,
                        .n_write_paths = paths.n,
                        .device = kind->device ? kind->device(job) : NULL,
                        .stream = job->stream,
                        .in_path = in,
                        .out_path = out,
                };
                fault_point("work.start.before");
                r = work_unit_start(job->jobs->units, &work, ticket_done, ticket);
                fault_point("work.start.after");
                if (r < 0)
                        ticket_discard(ticket);
        }
        json_decref(paths.list);
        return r;
}

static void on_unit_started(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk;
        job_close_stream(job);
        if (error < 0) {
                job_fail_unless_going_down(
                                job, error == -ENOEXEC ? BUS_ERROR_TOOL_MISSING : BUS_ERROR_FAILED,
                                "The work does not start: %s", text ?: strerror(-error));
                return;
        }
        job->is_copy_started = true;
        job_set_phase(job, work_kind(job)->phase);
        run_work_look_after_start(job);
}

static void start_work(Job *job)
{
        const WorkKind *kind = work_kind(job);
        WorkVerdict verdict = {};
        int r;

        if (kind->wants_stream && job->stream < 0) {
                job_fail(job, BUS_ERROR_CANCELLED,
                         "The hub was started anew before the job began, and who asked is not "
                         "connected any more; ask again");
                return;
        }
        if (kind->is_away && kind->is_away(job, &verdict)) {
                job->is_unbegun = job->n_runs == 0;
                job_fail(job, verdict.name, "%s", verdict.text);
                return;
        }
        /* What is told before it has started is about the unit of before. */
        job->is_collected = job->is_copy_started = false;
        job->n_runs++;
        r = run_work_start_unit(job, kind->verb, on_unit_started);
        if (r < 0)
                job_fail(job, BUS_ERROR_FAILED, "Cannot ask for the work: %s", strerror(-r));
}

static void on_dead_gone(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk;
        if (error < 0)
                job_fail_unless_going_down(job, BUS_ERROR_FAILED,
                                           "What is left of the work cannot be ended: %s",
                                           text ?: strerror(-error));
        else
                start_work(job);
}

/* Fails a job that must not be begun anew. */
static bool fail_once(Job *job)
{
        const WorkKind *kind = work_kind(job);
        WorkVerdict verdict = {};

        if (!kind->is_once || !kind->is_once(job, &verdict))
                return false;
        job_fail_unless_going_down(job, verdict.name, "%s", verdict.text);
        return true;
}

/* It ended without a result: the machine or somebody killed it. */
static void begin_again(Job *job, const char *why)
{
        char unit[UNIT_NAME_SIZE];
        Ticket *ticket;
        int r;

        if (fail_once(job))
                return;
        if (!work_kind(job)->is_repeatable || job->n_runs >= WORK_RUNS) {
                job_fail_unless_going_down(job, BUS_ERROR_FAILED,
                                           "The work ended without a result (%s); journalctl -u %s "
                                           "shows its last words",
                                           why, run_work_unit(job, unit));
                return;
        }
        (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                       "The work ended without a result (%s); it is begun again", why);
        r = ticket_new(job, NULL, on_dead_gone, &ticket);
        if (r >= 0) {
                r = units_stop(job->jobs->units, run_work_unit(job, unit), ticket_done, ticket);
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                job_fail(job, BUS_ERROR_FAILED, "The work cannot be begun again: %s", strerror(-r));
}

void run_work_done(Job *job, const json_t *result)
{
        json_t *changes = json_pack("{s:s, s:O}", "WorkType", job_type_to_string(job->type),
                                    "WorkResult", result);

        json_decref(job->work_result);
        job->work_result = json_incref((json_t *) result);
        fault_point("work.result.before");
        job_advance_to(job, JOB_EVENT_COPIED, "the work is done", changes, run_enter);
}

static void collect(Job *job, const UnitState *state)
{
        CLEANUP(json_decrefp) json_t *result = NULL;
        char unit[UNIT_NAME_SIZE], why[80];
        const char *name;
        int r;

        if (job->is_collected)
                return;
        job->is_collected = true;
        r = unit_files_read_result(run_work_unit(job, unit), &result);
        name = json_string_value(json_object_get(result, "error_name"));
        if (r >= 0 && state->exec_status == 0 && strcmp(state->active, "active") == 0 &&
            strcmp(json_string_value(json_object_get(result, "result")) ?: "", "ok") == 0)
                run_work_done(job, result);
        else if (r >= 0 && name && strncmp(name, "com.sendense.Error.", 19) == 0) {
                job->is_unbegun = json_is_false(json_object_get(result, "begun"));
                job_fail_unless_going_down(job, name, "%s",
                                           json_string_value(json_object_get(result, "error_text"))
                                                           ?: "It does not say why");
        } else {
                (void) snprintf(why, sizeof(why), "%s, status %d",
                                *state->result ? state->result : state->active, state->exec_status);
                begin_again(job, why);
        }
}

bool run_work_has_ended(const UnitState *state)
{
        return strcmp(state->sub, "exited") == 0 || strcmp(state->active, "failed") == 0;
}

void run_work_on_unit(Job *job, const UnitName *name, const char *unit, const void *state_of_unit)
{
        const UnitState *state = state_of_unit;
        const WorkKind *kind = work_kind(job);

        if (kind->on_unit) {
                kind->on_unit(job, name, unit, state);
                return;
        }
        if (name->kind != kind->unit)
                return;
        if (job->is_undoing) {
                run_work_undo_ended(job, state);
                return;
        }
        if (job->state != JOB_COPYING || !job->is_copy_started || job->has_error)
                return;
        if (!state->exists && !job->is_collected) {
                job->is_collected = true;
                begin_again(job, "its unit is gone");
        } else if (run_work_has_ended(state))
                collect(job, state);
}

/* It may have ended before it was known to have started. */
static void on_settled(Job *job, const UnitState *state)
{
        if (job->is_undoing)
                run_work_undo_ended(job, state);
        else if (job->state != JOB_COPYING || job->has_error || job->is_collected)
                return;
        else if (!state->exists) {
                job->is_collected = true;
                begin_again(job, "its unit is gone");
        } else if (run_work_has_ended(state))
                collect(job, state);
}

typedef struct Look {
        Job *job;
        unsigned generation;
} Look;

static void on_looked(int error, const UnitState *state, void *userdata)
{
        _cleanup_free_ Look *look = userdata;
        Job *job = look->job;

        if (!job->is_removed && job->generation == look->generation) {
                /* What systemd does not tell now it tells later: nothing is ended for that. */
                if (error < 0)
                        job->ask_due_usec = clock_monotonic_usec() + LOOK_AGAIN_USEC;
                else if (!state->exists && !work_kind(job)->is_repeatable)
                        job_fail(job, BUS_ERROR_REBOOTED,
                                 "The machine was started anew, or the hub killed, in the middle "
                                 "of it; ask for it again");
                else if (!state->exists) {
                        if (!fail_once(job))
                                start_work(job);
                } else {
                        job->is_copy_started = true;
                        job_set_phase(job, work_kind(job)->phase);
                        if (run_work_has_ended(state))
                                collect(job, state);
                }
        }
        job_ticket_done(job);
}

/* It may have ended already, and then nothing more is told of it. */
static void settle_later(Job *job)
{
        if (job->is_undoing) {
                job->is_undoing = false;
                run_undo_again(job);
        } else
                job->ask_due_usec = clock_monotonic_usec() + LOOK_AGAIN_USEC;
}

static void on_looked_after(int error, const UnitState *state, void *userdata)
{
        _cleanup_free_ Look *look = userdata;
        Job *job = look->job;

        if (!job->is_removed && job->generation == look->generation) {
                if (error < 0 && error != -ECANCELED)
                        settle_later(job);
                else if (error >= 0)
                        on_settled(job, state);
        }
        job_ticket_done(job);
}

static int look(Job *job, void (*done)(int error, const UnitState *state, void *userdata))
{
        char unit[UNIT_NAME_SIZE];
        Look *look = malloc(sizeof(Look));
        int r;

        if (!look)
                return -ENOMEM;
        *look = (Look){ .job = job, .generation = job->generation };
        job->n_tickets++;
        r = units_get(job->jobs->units, run_work_unit(job, unit), done, look);
        if (r < 0) {
                free(look);
                job_ticket_done(job);
        }
        return r;
}

void run_work_look_after_start(Job *job)
{
        if (look(job, on_looked_after) < 0)
                settle_later(job);
}

static void look_for_unit(Job *job)
{
        if (look(job, on_looked) < 0)
                job->ask_due_usec = clock_monotonic_usec() + LOOK_AGAIN_USEC;
}

void run_work_tick(Job *job, uint64_t now_usec)
{
        const WorkKind *kind = work_kind(job);

        if (!kind->run && job->ask_due_usec > 0 && job->ask_due_usec <= now_usec) {
                job->ask_due_usec = 0;
                look_for_unit(job);
        }
        if (kind->tick)
                kind->tick(job, now_usec);
}

void run_work(Job *job)
{
        const WorkKind *kind = work_kind(job);

        job->is_collected = job->is_still = false;
        job->ask_due_usec = 0;
        job->moved_usec = clock_monotonic_usec();
        if (kind->run)
                kind->run(job);
        else if (job->is_recovered)
                look_for_unit(job);
        else
                start_work(job);
}

void run_work_progress(Job *job, uint32_t disk_key, uint64_t done, uint64_t total)
{
        JobProgress *progress = NULL;

        for (size_t i = 0; i < job->n_progress && !progress; i++)
                if (job->progress[i].disk_key == disk_key)
                        progress = job->progress + i;
        if (!progress && job->n_progress < JOB_DISKS_MAX) {
                JobProgress *more = reallocarray(job->progress, job->n_progress + 1, sizeof(*more));

                if (!more)
                        return;
                job->progress = more;
                progress = more + job->n_progress++;
        }
        if (!progress)
                return;
        *progress = (JobProgress){ .disk_key = disk_key, .done = done, .total = total };
        if (job->is_still)
                job_set_phase(job, work_kind(job)->phase);
        job_moved(job);
        job->is_dirty = true;
}

/* The end. */

static void write_completed(Job *job)
{
        json_t *changes = json_pack("{s:o, s:I}", "ObligationsDone", work_obligations_done(job),
                                    "FinishedUSec", (json_int_t) clock_realtime_usec());

        /* Its end may have added to what came of it. */
        if (changes && work_kind(job)->is_kept && job->work_result)
                (void) json_object_set(changes, "WorkResult", job->work_result);
        job_advance_to(job, JOB_EVENT_COMMITTED, "all is as it should be", changes, jobs_job_ended);
}

void run_work_remove_files(const Job *job)
{
        char unit[UNIT_NAME_SIZE];

        if (!work_kind(job)->run)
                unit_files_remove(run_work_unit(job, unit));
}

void run_work_stop_unit(Job *job, JobThen then)
{
        char unit[UNIT_NAME_SIZE];
        Ticket *ticket;
        int r = ticket_new(job, NULL, then, &ticket);

        if (r >= 0) {
                r = units_stop(job->jobs->units, run_work_unit(job, unit), ticket_done, ticket);
                if (r < 0)
                        ticket_discard(ticket);
        }
        if (r < 0)
                then(job, NULL, r, strerror(-r));
}

static void all_stopped(Job *job)
{
        run_work_remove_files(job);
        run_stop_groups(job, write_completed);
}

static void on_unit_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk;
        if (error < 0)
                (void) job_log(job, NULL, LOG_WARNING, error, MESSAGE_NONE,
                               "The unit of the work cannot be stopped: %s, ignoring", text ?: "");
        all_stopped(job);
}

void run_work_finish(Job *job)
{
        const WorkKind *kind = work_kind(job);
        WorkVerdict verdict = {};

        if (kind->judge && job->work_result)
                kind->judge(job, job->work_result, &verdict);
        if (*verdict.name) {
                job_fail(job, verdict.name, "%s", verdict.text);
                return;
        }
        fault_point("work.stop.before");
        if (kind->stop)
                kind->stop(job, all_stopped);
        else
                run_work_stop_unit(job, on_unit_stopped);
}
