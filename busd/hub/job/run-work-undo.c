/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other end of jobs about a backup that is there (see run-work.h): what the unit began is undone by another run of its program. A
 * type that cannot always go back is brought to its end instead, and the job completes; until one of both is possible, it waits.
 */
#include "job/run-work.h"

#include "cleanup.h"
#include "clock.h"
#include "job/jobs.h"
#include "job/run.h"
#include "log.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <string.h>

enum {
        UNDO_RUNS = 10, /* some five minutes, then it is somebody's hand that is needed */
};

/* Half of it would stay: the job stays open, and so alone with its VM, until it comes to an end. */
static void on_owing_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk, (void) error, (void) text;
        job->is_undoing = false;
        run_undo_again(job);
}

static void write_undone(Job *job)
{
        bool is_cancel = job->ending == JOB_CANCELLED;
        char reason[128] = "all is undone";

        if (job->is_given_up)
                (void) snprintf(reason, sizeof(reason), "forgiven, and not undone, by %s",
                                job->principal);
        else if (job->files_owed)
                (void) snprintf(reason, sizeof(reason),
                                "undone but for its target, which stays an obligation");
        else if (job->owes_release)
                (void) snprintf(reason, sizeof(reason),
                                "undone but for its VM, which stays an obligation");
        job_advance_to(job, is_cancel ? JOB_EVENT_UNDONE_CANCELLED : JOB_EVENT_UNDONE_FAILED,
                       reason,
                       json_pack("{s:o, s:I, s:b, s:s}", "ObligationsDone",
                                 work_obligations_done(job), "FinishedUSec",
                                 (json_int_t) clock_realtime_usec(), "Forgiven", job->is_given_up,
                                 "ErrorText", job->error_text),
                       jobs_job_ended);
}

static void all_undone(Job *job)
{
        job->is_undoing = false;
        run_work_remove_files(job);
        run_stop_groups(job, write_undone);
}

static void on_undoer_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk, (void) text;
        if (error < 0 || (job->files_owed && job->n_undo_attempts < UNDO_RUNS))
                run_undo_again(job);
        else
                all_undone(job);
}

static void write_done_after_all(Job *job)
{
        job_advance_to(job, JOB_EVENT_DONE_AFTER_ALL,
                       "it was past the point of no return, and is done",
                       json_pack("{s:[s, s], s:I, s:s, s:O}", "ObligationsDone", "units",
                                 JOB_OWES_TARGET, "FinishedUSec",
                                 (json_int_t) clock_realtime_usec(), "WorkType",
                                 job_type_to_string(job->type), "WorkResult", job->work_result),
                       jobs_job_ended);
}

static void on_doer_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk, (void) text;
        if (error < 0) {
                run_undo_again(job);
                return;
        }
        job->is_undoing = false;
        run_work_remove_files(job);
        /* Whatever was decided before: from here on it can only complete. */
        job->ending = JOB_STATE_INVALID;
        job->has_error = job->wants_cancel = false;
        job->error_name[0] = job->error_text[0] = '\0';
        run_stop_groups(job, write_done_after_all);
}

/* Of a type that may go forward instead. */
static void judge_undone(Job *job, const json_t *result)
{
        if (job->files_owed) {
                run_work_stop_unit(job, on_owing_stopped);
        } else if (work_kind(job)->is_done_after_all(result)) {
                json_decref(job->work_result);
                job->work_result = json_incref((json_t *) result);
                run_work_stop_unit(job, on_doer_stopped);
        } else
                run_work_stop_unit(job, on_undoer_stopped);
}

void run_work_undo_ended(Job *job, const UnitState *state)
{
        CLEANUP(json_decrefp) json_t *result = NULL;
        char unit[UNIT_NAME_SIZE];

        if (!job->is_copy_started || job->is_collected ||
            (state->exists && !run_work_has_ended(state)))
                return;
        job->is_collected = true;
        job->files_owed = unit_files_read_result(run_work_unit(job, unit), &result) < 0 ||
                          strcmp(json_string_value(json_object_get(result, "result")) ?: "",
                                 "ok") != 0;
        if (job->files_owed)
                (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_OBLIGATION_OPEN,
                               "What the job began cannot be undone yet: %s; the hub tries again "
                               "by "
                               "itself",
                               json_string_value(json_object_get(result, "error_text"))
                                               ?: "it ended without a result");
        if (work_kind(job)->is_done_after_all)
                judge_undone(job, result);
        else
                run_work_stop_unit(job, on_undoer_stopped);
}

static void on_undoer_started(Job *job, JobDisk *disk, int error, const char *text)
{
        (void) disk;
        if (error >= 0) {
                job->is_copy_started = true;
                run_work_look_after_start(job);
                return;
        }
        (void) job_log(job, NULL, LOG_WARNING, error, MESSAGE_OBLIGATION_OPEN,
                       "What undoes the job does not start: %s", text ?: "");
        job->files_owed = true;
        run_work_stop_unit(job, work_kind(job)->is_done_after_all ? on_owing_stopped
                                                                  : on_undoer_stopped);
}

/* It was not run, or its only run says that it has changed nothing: there is nothing to undo, and it could not be undone either. The
 * name of an error does not tell: one in the middle may have the same. */
static bool has_begun_nothing(const Job *job)
{
        return job->n_runs <= 1 && !job->is_recovered && job->is_unbegun;
}

static void on_work_stopped(Job *job, JobDisk *disk, int error, const char *text)
{
        const WorkKind *kind = work_kind(job);
        WorkVerdict verdict = {};

        (void) disk, (void) text;
        if (error < 0) {
                run_undo_again(job);
                return;
        }
        if (!kind->undo_verb || !job->has_obligations || has_begun_nothing(job) ||
            job->is_given_up) {
                all_undone(job);
                return;
        }
        job->is_undoing = true;
        /* The end of the work may still be told: it is not that of what undoes. */
        job->is_collected = job->is_copy_started = false;
        if (kind->is_away && kind->is_away(job, &verdict)) {
                on_undoer_started(job, NULL, -ENODEV, verdict.text);
                return;
        }
        error = run_work_start_unit(job, kind->undo_verb, on_undoer_started);
        if (error < 0)
                on_undoer_started(job, NULL, error, strerror(-error));
}

void run_work_undo(Job *job)
{
        job->generation++;
        job->is_undoing = false;
        job->files_owed = false;
        job_close_stream(job);
        job_set_phase(job, "undoing");
        if (work_kind(job)->stop)
                work_kind(job)->stop(job, all_undone);
        else
                run_work_stop_unit(job, on_work_stopped);
}

bool run_work_is_stuck(const Job *job)
{
        return job->type != JOB_BACKUP && work_kind(job)->is_done_after_all &&
               job->ending != JOB_STATE_INVALID && !job_state_is_final(job->state) &&
               job->n_undo_attempts > 0;
}

int run_work_give_up(Job *job, const char *principal)
{
        /* What its program has just told is being written down. */
        if (!run_work_is_stuck(job) || job->write.is_open ||
            (job->is_undoing && job->is_collected && !job->files_owed))
                return -EBUSY;
        (void) snprintf(job->principal, sizeof(job->principal), "%s", principal);
        job->is_given_up = true;
        job->undo_due_usec = 0;
        run_work_undo(job);
        return 0;
}
