/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a node still holds for a job (see run.h): the snapshot, until the backup is committed or given up. A node that cannot be
 * asked keeps no job open for ever: what it owes stays an obligation, which the sweep goes on with.
 */
#include "job/run.h"

#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "hub-config.h"
#include "job/jobs.h"
#include "job/work.h"
#include "log.h"
#include "node/node-attempt.h"
#include "node/node-release.h"
#include "node/nodes.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* An end that is being undone does not wait for a node as long as a backup that is made. */
#define ABANDON_LIMIT_USEC (60 * USEC_PER_SEC)

#define AWAY_LIMIT_USEC (10 * USEC_PER_SEC)

static uint64_t number_of(const Job *job, const char *key)
{
        json_int_t value = json_integer_value(json_object_get(job->row, key));

        return value > 0 ? (uint64_t) value : 0;
}

static int begin(Job *job, bool is_committed, uint64_t limit_usec, uint64_t away_usec,
                 NodeReleased done)
{
        const Jobs *jobs = job->jobs;
        job->release = node_release_cancel(job->release);
        return node_release_begin(
                        &(NodeReleaseTask){ .event = jobs->event,
                                            .links = nodes_links(jobs->nodes),
                                            .store = jobs->store,
                                            .key = nodes_key(jobs->nodes),
                                            .node_id = job->node_id,
                                            .job = job->id,
                                            .attempt = node_attempt(number_of(job, "CreatedUSec"),
                                                                    number_of(job, "Attempt")),
                                            .credential_id = job_credential(job),
                                            .is_committed = is_committed,
                                            .is_restore = job->type != JOB_BACKUP,
                                            .was_accepted = job_was_accepted(job),
                                            .may_come = job->is_start_lost,
                                            .limit_usec = limit_usec,
                                            .away_usec = away_usec,
                                            .done = done,
                                            .userdata = job },
                        &job->release);
}

static void tell_owed(const Job *job, int error, const char *text)
{
        (void) job_log(job, NULL, LOG_WARNING, error, MESSAGE_OBLIGATION_OPEN,
                       "The %s of %s is still owed by node %s: %s; the hub tries again by itself",
                       job->type == JOB_BACKUP ? "snapshot"
                       : work_is_in_place(job) ? "end of the restore in place"
                                               : "new VM",
                       job_text(job, "Vm"), job_text(job, "Node"), text);
}

/* ── Committed ── */

static void complete(Job *job)
{
        json_t *changes = json_pack("{s:I}", "FinishedUSec", (json_int_t) clock_realtime_usec());

        if (changes && !job->owes_release)
                (void) json_object_set_new(changes, "ObligationsDone",
                                           json_pack("[s]", JOB_OWES_SNAPSHOT));
        fault_point("release.written.before");
        job_advance_to(job, JOB_EVENT_RELEASED,
                       job->owes_release ? "its node still owes the snapshot, which stays an "
                                           "obligation"
                                         : "the snapshot is removed",
                       changes, jobs_job_ended);
}

static void on_released(int error, const char *text, void *userdata)
{
        Job *job = userdata;

        job->release = NULL;
        if (error == -ECANCELED || job->jobs->is_going_down)
                return;
        job->owes_release = error < 0;
        if (error < 0)
                tell_owed(job, error, text);
        complete(job);
}

void run_release(Job *job)
{
        uint64_t limit_usec = job->jobs->config->node_release_usec;
        int r;

        job_set_phase(job, "removing the snapshot");
        if (job->is_recovered)
                run_remove_files(job);
        fault_point("release.before");
        r = begin(job, true, limit_usec, limit_usec, on_released);
        if (r < 0)
                on_released(r, strerror(-r), job);
}

/* ── Given up ── */

/* Where a VM that somebody uses keeps what it was given, the error alone tells of it. */
static void add_to_error(Job *job, const char *text)
{
        size_t length = strlen(job->error_text);

        if (strstr(job->error_text, text))
                return;
        (void) snprintf(job->error_text + length, sizeof(job->error_text) - length, "%s%s",
                        length > 0 ? "; " : "", text);
        utf8_make_valid(job->error_text);
}

/* What the node says of the end itself belongs to what came of the job, at the length of an error. */
static void add_warning(Job *job, const char *said)
{
        json_t *warnings = json_object_get(job->work_result, "warnings"), *warning;
        char text[JOB_ERROR_TEXT_SIZE];
        size_t i;

        (void) snprintf(text, sizeof(text), "%s", said);
        utf8_make_valid(text);
        json_array_foreach (warnings, i, warning)
                if (strcmp(json_string_value(warning) ?: "", text) == 0)
                        return;
        (void) job_log(job, NULL, LOG_WARNING, 0, MESSAGE_NONE, "Node %s: %s",
                       job_text(job, "Node"), text);
        if (json_is_array(warnings))
                (void) json_array_append_new(warnings, json_string(text));
}

static void on_told(int error, const char *text, void *userdata)
{
        Job *job = userdata;
        void (*then)(Job *) = job->after_stop;

        job->release = NULL;
        if (error == -ECANCELED || job->jobs->is_going_down)
                return;
        job->owes_release = error < 0;
        if (error < 0)
                tell_owed(job, error, text);
        else if (*text)
                add_warning(job, text);
        if (error > 0)
                add_to_error(job, text);
        fault_point("undo.release.after");
        then(job);
}

void run_release_abandoned(Job *job, void (*then)(Job *job))
{
        int r;

        job_set_phase(job, "giving up at the node");
        job->after_stop = then;
        r = begin(job, false, ABANDON_LIMIT_USEC, AWAY_LIMIT_USEC, on_told);
        if (r < 0)
                on_told(r, strerror(-r), job);
}

void run_release_kept(Job *job, void (*then)(Job *job))
{
        uint64_t limit_usec = job->jobs->config->node_release_usec;
        int r;

        job_set_phase(job, "handing it over");
        job->after_stop = then;
        r = begin(job, true, limit_usec, limit_usec, on_told);
        if (r < 0)
                on_told(r, strerror(-r), job);
}
