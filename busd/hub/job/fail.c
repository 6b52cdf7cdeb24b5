/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a job comes to end otherwise than completed (see run.h): a failure or a cancellation is written
 * down first, with its reason; only then is anything undone, so that a hub killed in between goes on
 * undoing and never resumes what was given up.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "fault-point.h"
#include "job/jobs.h"
#include "job/run.h"
#include "job/work.h"
#include "log.h"
#include "store/store-job.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void job_answer_cancel(Job *job, int error)
{
        JobCancelled cancelled = job->cancelled;

        job->cancelled = NULL;
        if (cancelled)
                cancelled(error, job->cancelled_userdata);
}

static void on_decided(Job *job, int error, const json_t *out)
{
        (void) out;
        if (error == -ESTALE) {
                job_answer_cancel(job, -EALREADY);
                jobs_reload(job);
                return;
        }
        if (error < 0) {
                /* Nothing is undone that is not written down; the next start of the hub tries anew. */
                job->is_undecidable = true;
                (void) job_log(job, NULL, LOG_ERR, error, MESSAGE_NONE,
                               "The end of the job cannot be written down: %m; nothing is undone "
                               "until the hub starts anew");
                job_answer_cancel(job, error);
                return;
        }
        job->ending = job->wants_cancel ? JOB_CANCELLED : JOB_FAILED;
        jobs_announce(job);
        fault_point("job.decide.after");
        job_answer_cancel(job, 0);
        run_undo(job);
}

void job_decide(Job *job)
{
        const char *ending = job_state_to_string(job->wants_cancel ? JOB_CANCELLED : JOB_FAILED);

        if (job->write.is_open) {
                /* What is being written comes first, and then this; who waits for it is answered by the next tick. */
                job->write.due_usec = 0;
                return;
        }
        fault_point("job.decide.before");
        job_write(job, store_job_decide,
                  json_pack("{s:s, s:s, s:s, s:s, s:b}", "Ending", ending, "ErrorName",
                            job->error_name, "ErrorText", job->error_text, "Reason",
                            job->error_text, "VmUntouched", (int) work_left_vm_alone(job)),
                  job->wants_cancel ? job->principal : HUB_PRINCIPAL, on_decided);
}

/* Whether an end is decided already, or must not be: a job that releases has made its backup. */
static bool is_ending(const Job *job)
{
        return job->has_error || job->state == JOB_RELEASING || job->ending != JOB_STATE_INVALID ||
               job->is_removed || job_state_is_final(job->state) || job->jobs->is_going_down;
}

static void end(Job *job, bool is_cancel, const char *name, const char *text)
{
        job->has_error = true;
        job->wants_cancel = is_cancel;
        job->generation++; /* what is under way is for nobody any more */
        (void) snprintf(job->error_name, sizeof(job->error_name), "%s", name);
        (void) snprintf(job->error_text, sizeof(job->error_text), "%s", text);
        utf8_make_valid(job->error_text);
        job_decide(job);
}

static void fail_with(Job *job, const char *name, const char *text)
{
        if (is_ending(job)) {
                (void) job_log(job, NULL, LOG_DEBUG, 0, MESSAGE_NONE, "Besides: %s", text);
                return;
        }
        (void) job_log(job, NULL, LOG_ERR, 0, MESSAGE_JOB_FAILED,
                       "Job %llu of %s fails in %s: %s (%s)", (unsigned long long) job->id,
                       job_text(job, "Vm"), job_state_to_string(job->state), text, name);
        end(job, false, name, text);
}

void job_fail(Job *job, const char *name, const char *format, ...)
{
        char text[JOB_ERROR_TEXT_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        fail_with(job, name, text);
}

int job_cancel(Job *job, const char *principal, JobCancelled done, void *userdata)
{
        char text[128];

        if (is_ending(job))
                return -EALREADY;
        if (job->type != JOB_BACKUP &&
            ((work_kind(job)->is_irrevocable && job->state != JOB_QUEUED) ||
             (work_kind(job)->is_kept && job->state == JOB_FINISHING)))
                return -EPERM;
        (void) snprintf(job->principal, sizeof(job->principal), "%s", principal);
        (void) snprintf(text, sizeof(text), "Cancelled by %s", principal);
        (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_JOB_CANCELLED,
                       "Job %llu of %s is cancelled in %s by %s", (unsigned long long) job->id,
                       job_text(job, "Vm"), job_state_to_string(job->state), principal);
        job->cancelled = done;
        job->cancelled_userdata = userdata;
        end(job, true, BUS_ERROR_CANCELLED, text);
        return 0;
}

typedef struct Suspicion {
        Job *job;
        unsigned generation;
        char name[JOB_ERROR_NAME_SIZE];
        char text[JOB_ERROR_TEXT_SIZE];
} Suspicion;

static int on_system_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        _cleanup_free_ Suspicion *suspicion = userdata;
        Job *job = suspicion->job;
        const char *state = "";

        (void) error;
        /* Without a bus nobody knows: who is started after this hub looks again. */
        if (job->is_removed || sd_bus_is_open(job->jobs->bus) <= 0) {
                job_ticket_done(job);
                return 0;
        }
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "v", "s", &state) < 0)
                state = "";
        if (strcmp(state, "stopping") == 0) {
                job->jobs->is_going_down = true;
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_NONE,
                               "The machine is going down; the next boot decides about job %llu",
                               (unsigned long long) job->id);
        } else if (!job->is_removed && job->generation == suspicion->generation)
                fail_with(job, suspicion->name, suspicion->text);
        job_ticket_done(job);
        return 0;
}

void job_fail_unless_going_down(Job *job, const char *name, const char *format, ...)
{
        _cleanup_free_ Suspicion *suspicion = NULL;
        va_list ap;
        int r;

        if (is_ending(job))
                return;
        suspicion = malloc(sizeof(Suspicion));
        if (!suspicion) {
                job_fail(job, name, "Out of memory");
                return;
        }
        *suspicion = (Suspicion){ .job = job, .generation = job->generation };
        (void) snprintf(suspicion->name, sizeof(suspicion->name), "%s", name);
        va_start(ap, format);
        (void) vsnprintf(suspicion->text, sizeof(suspicion->text), format, ap);
        va_end(ap);

        r = sd_bus_call_method_async(job->jobs->bus, NULL, "org.freedesktop.systemd1",
                                     "/org/freedesktop/systemd1", "org.freedesktop.DBus.Properties",
                                     "Get", on_system_state, suspicion, "ss",
                                     "org.freedesktop.systemd1.Manager", "SystemState");
        if (r < 0) {
                fail_with(job, suspicion->name, suspicion->text);
                return;
        }
        job->n_tickets++;
        (void) TAKE(suspicion);
}
