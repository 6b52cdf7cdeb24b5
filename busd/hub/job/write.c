/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transactions of a job (see run.h), one at a time. Each carries an event id and the state it
 * expects, so it may be sent until the database has it; a database that is away only holds the job up.
 */
#include "job/run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "job/jobs.h"
#include "log.h"
#include "store/store-call.h"
#include "store/store-job.h"

#include <errno.h>
#include <string.h>

typedef struct Advance {
        JobState to;
        void (*then)(Job *job);
} Advance;

#define HELD_UP_PHASE    "waits: the database takes no writes"
#define HELD_UP_MAX_USEC (10 * USEC_PER_SEC)

/* What can never pass, however often it is sent. All else does: a connection comes back, a full disk gets room, read_only is taken
 * off. Who takes it for the last word gives up a job that nothing is wrong with. */
static bool is_refusal(int error)
{
        static const int refusals[] = { -EINVAL, -EEXIST, -ESTALE,   -ENODATA,
                                        -E2BIG,  -ERANGE, -EOVERFLOW };

        for (size_t i = 0; i < ELEMENTSOF(refusals); i++)
                if (error == refusals[i])
                        return true;
        return false;
}

static bool is_lost_connection(int error)
{
        return error == -ENOTCONN || error == -ETIMEDOUT || error == -ECANCELED ||
               error == -EBUSY || error == -EAGAIN;
}

static void submit(Job *job);

/* The server is there, and does not take it. */
static void hold_up(Job *job, int error, const char *text)
{
        JobWrite *write = &job->write;
        uint64_t wait_usec =
                        write->n_held_up < 4 ? USEC_PER_SEC << write->n_held_up : HELD_UP_MAX_USEC;

        write->due_usec = clock_monotonic_usec() + wait_usec;
        if (write->n_held_up++ > 0)
                return;
        (void) job_log(job, NULL, LOG_WARNING, error, MESSAGE_DATABASE_REFUSES,
                       "The database does not take what job %llu must write: %s. See to its disk "
                       "(df, journalctl -u mariadb) and to read_only; the job waits, and tries "
                       "again by itself",
                       (unsigned long long) job->id, text);
        (void) snprintf(write->phase, sizeof(write->phase), "%s", job->phase);
        job_set_phase(job, HELD_UP_PHASE);
}

static void go_on(Job *job, int error)
{
        if (job->write.n_held_up == 0)
                return;
        if (error >= 0)
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                               "The database takes what job %llu writes again",
                               (unsigned long long) job->id);
        if (strcmp(job->phase, HELD_UP_PHASE) == 0)
                job_set_phase(job, job->write.phase);
}

/* A failure or a cancellation that came while something else was being written, whatever became of that. */
static void decide_if_wanted(Job *job)
{
        if (job->has_error && job->ending == JOB_STATE_INVALID && !job->is_undecidable &&
            !job->is_removed && !job->write.is_open && !job_state_is_final(job->state))
                job_decide(job);
        if (job_state_is_final(job->state))
                job_answer_cancel(job, -EALREADY);
}

static void on_written(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        Job *job = userdata;
        JobWritten written = job->write.written;

        (void) name;
        job->write.is_submitted = false;
        if (job->is_removed || job->jobs->is_going_down) {
                job_ticket_done(job);
                return;
        }
        if (is_lost_connection(error)) {
                /* jobs_database_ready() or the next tick sends it again. */
                job->write.due_usec = 0;
                job_answer_cancel(job, -ENOTCONN);
                job_ticket_done(job);
                return;
        }
        if (error < 0 && !is_refusal(error)) {
                hold_up(job, error, text);
                job_answer_cancel(job, -EAGAIN);
                job_ticket_done(job);
                return;
        }
        go_on(job, error);
        if (error < 0)
                (void) job_log(job, NULL, LOG_ERR, error, MESSAGE_NONE,
                               "The database refuses what the job must write: %s", text);
        json_decref(TAKE(job->write.in));
        job->write.is_open = false;
        written(job, error, out);
        decide_if_wanted(job);
        job_ticket_done(job);
}

static void submit(Job *job)
{
        int r;

        if (job->write.is_submitted)
                return;
        /* A copy, because the worker's thread counts its references. */
        job->n_tickets++;
        job->write.is_submitted = true;
        r = store_call(job->jobs->store, job->write.work, json_deep_copy(job->write.in), on_written,
                       job);
        if (r >= 0)
                return;
        job->write.is_submitted = false;
        job->n_tickets--;
        job_answer_cancel(job, -ENOTCONN);
        if (!is_lost_connection(r))
                (void) job_log(job, NULL, LOG_ERR, r, MESSAGE_NONE,
                               "Cannot hand a transaction to the database worker: %m, trying "
                               "again");
}

void job_write_again(Job *job)
{
        if (job->write.is_open && !job->write.is_submitted)
                submit(job);
}

void job_write_tick(Job *job, uint64_t now_usec)
{
        if (job->write.due_usec <= now_usec)
                job_write_again(job);
}

void job_write(Job *job, StoreWork work, json_t *in, const char *principal, JobWritten written)
{
        char event_id[EVENT_ID_SIZE];
        int r = in ? event_id_make(event_id) : -ENOMEM;

        if (r >= 0 &&
            json_object_update_new(in, json_pack("{s:I, s:s, s:s, s:s, s:I}", "Id",
                                                 (json_int_t) job->id, "From",
                                                 job_state_to_string(job->state), "EventId",
                                                 event_id, "Principal", principal, "NowUSec",
                                                 (json_int_t) clock_realtime_usec())) < 0)
                r = -ENOMEM;
        if (r < 0) {
                json_decref(in);
                (void) job_log(job, NULL, LOG_ERR, r, MESSAGE_NONE,
                               "Cannot make a transaction: %m; the job waits for the hub's next "
                               "start");
                job_answer_cancel(job, r);
                return;
        }
        job->write = (JobWrite){
                .work = work,
                .in = in,
                .written = written,
                .is_open = true,
        };
        submit(job);
}

static void count_copied(Job *job)
{
        JobFigures *figures = &job->jobs->figures;

        figures->copied_bytes += job_bytes_done(job);
        for (size_t i = 0; job->type == JOB_BACKUP && i < job->n_disks; i++) {
                const char *reason = disk_text(job->disks + i, "Reason");

                if (job_disk_takes_part(job->disks + i) && *reason)
                        figures->full_instead[full_reason_of_text(reason)]++;
        }
}

static void count(Job *job, JobState from, JobState to)
{
        uint64_t now = clock_monotonic_usec();

        /* What is done of it in other states is none of its disks' bytes. */
        job_figures_left(&job->jobs->figures, from, now - job->state_usec,
                         from == JOB_COPYING ? job_bytes_done(job) : 0);
        if (from == JOB_COPYING && to == JOB_FINISHING)
                count_copied(job);
        job->state_usec = now;
}

static void on_advanced(Job *job, int error, const json_t *out)
{
        _cleanup_free_ Advance *advance = TAKE(job->advance);
        JobState from = job->state;

        (void) out;
        if (error == -ESTALE) {
                (void) job_log(job, NULL, LOG_ERR, 0, MESSAGE_NONE,
                               "The database has another state than %s for this job: somebody "
                               "else changed it. It is taken up again from there",
                               job_state_to_string(from));
                jobs_reload(job);
                return;
        }
        if (error < 0) {
                job_fail(job, BUS_ERROR_FAILED, "The database refuses the change from %s to %s: %s",
                         job_state_to_string(from), job_state_to_string(advance->to),
                         strerror(-error));
                return;
        }
        count(job, from, advance->to);
        job->state = advance->to;
        *job->phase = '\0'; /* that of the state before */
        job->is_recovered = false;
        if (job->state == JOB_RELEASING && job->has_error) {
                /* It came while the commit was being written, and is too late. */
                job->has_error = job->wants_cancel = false;
                job->error_name[0] = job->error_text[0] = '\0';
                job_answer_cancel(job, -EALREADY);
        }
        (void) job_log(job, NULL, LOG_INFO, 0, MESSAGE_JOB_STATE, "Job %llu of %s: %s, was %s",
                       (unsigned long long) job->id, job_text(job, "Vm"),
                       job_state_to_string(job->state), job_state_to_string(from));
        jobs_announce(job);
        if (!job->has_error || job_state_is_final(job->state))
                advance->then(job);
}

void job_advance_to(Job *job, JobEvent event, const char *reason, json_t *changes,
                    void (*then)(Job *job))
{
        CLEANUP(json_decrefp) json_t *in = changes ?: json_object();
        JobState to = job_state_after(job->state, event);
        Advance *advance;

        if (to < 0) {
                (void) job_log(job, NULL, LOG_ERR, 0, MESSAGE_NONE,
                               "The event %s cannot happen to a job that is %s",
                               job_event_to_string(event), job_state_to_string(job->state));
                return;
        }
        advance = malloc(sizeof(Advance));
        if (!advance || !in ||
            json_object_update_new(in, json_pack("{s:s, s:s}", "To", job_state_to_string(to),
                                                 "Reason", reason)) < 0) {
                free(advance);
                job_fail(job, BUS_ERROR_FAILED, "Out of memory");
                return;
        }
        *advance = (Advance){ .to = to, .then = then };
        free(job->advance); /* of a transaction that could not be made */
        job->advance = advance;
        job_write(job, store_job_advance, TAKE(in), HUB_PRINCIPAL, on_advanced);
}
