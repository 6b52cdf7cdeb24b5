/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs of PID 1 (see unit-job.h). A JobRemoved that comes before the reply is kept until the reply says
 * whether it was ours.
 */
#include "unit/unit-job.h"

#include "unit/unit-message.h"
#include "unit/unit-state.h"
#include "unit/units-private.h"

#include "cleanup.h"
#include "parse.h"

#include <errno.h>
#include <string.h>
#include <time.h>

typedef enum JobVerb {
        JOB_CREATE,
        JOB_START,
        JOB_RESTART,
        JOB_STOP,
        JOB_VERB_MAX,
} JobVerb;

static const struct {
        const char *method, *words;
} verbs[JOB_VERB_MAX] = {
        [JOB_CREATE] = { "StartTransientUnit", "start" },
        [JOB_START] = { "StartUnit", "start" },
        [JOB_RESTART] = { "RestartUnit", "start" },
        [JOB_STOP] = { "StopUnit", "stop" },
};

struct UnitJob {
        Units *units;
        UnitJob *next;
        JobVerb verb;
        char unit[UNIT_NAME_SIZE];
        UnitDone done;
        void *userdata;
        char path[UNIT_JOB_PATH_SIZE]; /* once systemd has told it */
        char early_path[UNIT_JOB_PATH_SIZE], early_result[16]; /* removed before that */
        bool is_over; /* a stop: only the reset is left */
        LinkCall *call;
        UnitQuery *query;
        sd_event_source *deadline;
};

static int job_send(UnitJob *job, sd_bus_message *message);
static int job_again(UnitJob *job);
static void job_reset(UnitJob *job);

static void job_free(UnitJob *job)
{
        UnitJob **at = &job->units->jobs;

        while (*at && *at != job)
                at = &(*at)->next;
        if (*at) {
                *at = job->next;
                job->units->n_calls--;
        }
        link_call_drop(&job->call);
        unit_query_drop(&job->query);
        sd_event_source_disable_unref(job->deadline);
        free(job);
}

static void job_finish(UnitJob *job, int error, const char *text)
{
        UnitDone done = job->done;
        void *userdata = job->userdata;

        job_free(job);
        if (done)
                done(error, error < 0 ? text : NULL, userdata);
}

/* Names the unit before the words. */
static void job_fail(UnitJob *job, int error, const char *words)
{
        char text[UNIT_NAME_SIZE + LINK_TEXT_SIZE + 8];

        (void) snprintf(text, sizeof(text), "%s: %s", job->unit, words);
        job_finish(job, error, text);
}

/* A start that failed, by what the unit says of itself. */
static void job_fail_by_state(UnitJob *job, const char *result, const UnitState *state)
{
        char why[UNIT_WHY_SIZE] = "nothing is known about it", words[UNIT_WHY_SIZE + 64];
        UnitName name;
        int r = -EIO;

        if (state) {
                unit_state_why(state, why);
                r = unit_state_to_errno(state);
        }
        (void) snprintf(words, sizeof(words), "start job %s: %s", result, why);
        if (state && strcmp(state->result, "resources") == 0 &&
            unit_name_from_string(job->unit, &name) == 0 && unit_kind_service(name.kind) >= 0)
                r = -EADDRINUSE;
        job_fail(job, r, words);
}

/* The socket of an export or a mount has taken its service along, but one that failed before is still loaded. */
static bool job_goes_on(UnitJob *job)
{
        UnitName name;
        int r;

        if (unit_name_from_string(job->unit, &name) < 0 || unit_kind_service(name.kind) < 0)
                return false;
        name.kind = unit_kind_service(name.kind);
        (void) unit_name_to_string(&name, job->unit);
        job->is_over = false;
        r = job_again(job);
        if (r < 0)
                job_fail(job, r, "cannot be stopped");
        return true;
}

static void on_reset(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                     void *userdata)
{
        UnitJob *job = userdata;

        (void) reply, (void) n_sent;
        /* A PID 1 that is busy is asked until the job's own deadline. */
        if (error == -ETIME)
                job_reset(job);
        else if (error < 0 && error != -ENOENT)
                job_fail(job, error, text);
        else if (!job_goes_on(job))
                job_finish(job, 0, NULL);
}

/* It is inactive; a failed unit would stay loaded. */
static void job_reset(UnitJob *job)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Units *units = job->units;
        int r;

        /* A look-up that is under way would find it down too, and reset it beside this. */
        unit_query_drop(&job->query);
        link_call_drop(&job->call);
        job->is_over = true;
        r = systemd_link_message(units->link, SYSTEMD_PATH, SYSTEMD_MANAGER, "ResetFailedUnit", &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", job->unit);
        if (r >= 0)
                r = systemd_link_send(units->link, m, on_reset, job, &job->call);
        if (r < 0)
                job_fail(job, r, "cannot be reset");
}

/* systemd is through with it. */
static void job_removed(UnitJob *job, const char *result)
{
        char words[64];

        if (strcmp(result, "done") == 0) {
                if (job->verb == JOB_STOP)
                        job_reset(job);
                else
                        job_finish(job, 0, NULL);
                return;
        }
        (void) snprintf(words, sizeof(words), "%s job %s", verbs[job->verb].words, result);
        if (strcmp(result, "canceled") == 0)
                job_fail(job, -ECANCELED, words);
        else if (job->verb == JOB_STOP)
                job_fail(job, strcmp(result, "timeout") == 0 ? -ETIMEDOUT : -EIO, words);
        else
                job_fail_by_state(job, result, units_known(job->units, job->unit));
}

static int job_again(UnitJob *job)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (job->verb == JOB_CREATE)
                return -EIO;
        r = systemd_link_message(job->units->link, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                 verbs[job->verb].method, &m);
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", job->unit, "replace");
        return r < 0 ? r : job_send(job, m);
}

static bool state_is(const UnitState *state, const char *active)
{
        return strcmp(state->active, active) == 0;
}

/* PID 1 was away: its signal may have been lost, so the unit itself tells how it ended. */
static void on_looked_up(int error, const char *text, const UnitState *state, const char *path,
                         void *userdata)
{
        UnitJob *job = userdata;
        bool is_down;

        (void) text;
        /* It says nothing of the unit: the next round asks again. */
        if (error < 0)
                return;
        if (*path) {
                (void) snprintf(job->path, sizeof(job->path), "%s", path);
                return;
        }
        is_down = !state->exists || state_is(state, "inactive") || state_is(state, "failed");
        if (job->verb == JOB_STOP && is_down)
                job_reset(job);
        else if (job->verb == JOB_STOP) {
                int r = job_again(job);

                if (r < 0)
                        job_fail(job, r, "cannot be stopped");
        } else if (is_down)
                job_fail_by_state(job, "lost", state);
        else
                job_finish(job, 0, NULL);
}

/* What cannot be asked now is asked in the next round, and ends by its deadline. */
static void job_look_up(UnitJob *job)
{
        if (!job->query)
                (void) unit_query(job->units->link, job->unit, on_looked_up, job, &job->query);
}

static void on_queued(int error, const char *text, sd_bus_message *reply, unsigned n_sent,
                      void *userdata)
{
        UnitJob *job = userdata;
        const char *path;
        int r;

        if (error == -ENOENT && job->verb == JOB_STOP) {
                job_finish(job, 0, NULL);
                return;
        }
        if (error == -ETIME && job->verb == JOB_STOP && job_again(job) >= 0)
                return; /* twice asked, once stopped */
        if (error == -EEXIST && n_sent > 1) {
                /* It was PID 1's answer to the first one that was lost. */
                job_look_up(job);
                return;
        }
        if (error < 0) {
                job_fail(job, error, text);
                return;
        }
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0) {
                job_fail(job, r, "systemd's answer cannot be read");
                return;
        }
        (void) snprintf(job->path, sizeof(job->path), "%s", path);
        if (strcmp(job->path, job->early_path) == 0)
                job_removed(job, job->early_result);
}

static UnitJob *find_removed(Units *units, const char *path)
{
        for (UnitJob *job = units->jobs; job; job = job->next)
                if (!job->is_over && strcmp(job->path, path) == 0)
                        return job;
        return NULL;
}

/* Several may wait for one job, and each that is answered may make and end others. */
int units_on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        const char *path, *unit, *result;
        Units *units = userdata;
        UnitJob *job;
        uint32_t id;

        (void) error;
        if (!systemd_link_sent(units->link, m) ||
            sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) <= 0)
                return 0;
        for (job = units->jobs; job; job = job->next)
                if (!job->path[0] && strcmp(job->unit, unit) == 0) {
                        (void) snprintf(job->early_path, sizeof(job->early_path), "%s", path);
                        (void) snprintf(job->early_result, sizeof(job->early_result), "%s", result);
                }
        while ((job = find_removed(units, path))) {
                job->path[0] = '\0';
                job_removed(job, result);
        }
        return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        UnitJob *job = userdata;
        char words[64];

        (void) source, (void) usec;
        (void) snprintf(words, sizeof(words), "systemd did not %s it in time",
                        verbs[job->verb].words);
        job_fail(job, -ETIMEDOUT, words);
        return 0;
}

void unit_jobs_again(Units *units)
{
        for (UnitJob *job = units->jobs; job; job = job->next)
                if (!job->call && !job->is_over)
                        job_look_up(job);
}

void unit_jobs_cancel(Units *units)
{
        while (units->jobs)
                job_fail(units->jobs, -ECANCELED, "given up");
}

static int job_send(UnitJob *job, sd_bus_message *message)
{
        job->path[0] = job->early_path[0] = '\0';
        link_call_drop(&job->call);
        return systemd_link_send(job->units->link, message, on_queued, job, &job->call);
}

static bool unit_is_ours(const char *unit)
{
        UnitName name;

        return unit_name_from_string(unit, &name) >= 0 || strcmp(unit, UNIT_SSHD_SWEEP) == 0;
}

/* Without a unit that is ours, without room or while the room is being freed there is no job. */
static int job_new(Units *units, JobVerb verb, const char *unit, uint64_t limit_usec, UnitDone done,
                   void *userdata, UnitJob **ret_job)
{
        UnitJob *job;
        int r = 0;

        if (units->is_ending)
                return -ECANCELED;
        if (!unit_is_ours(unit))
                return -EINVAL;
        if (units->n_calls >= UNITS_CALLS_MAX)
                return -EBUSY;
        job = malloc(sizeof(UnitJob));
        if (!job)
                return -ENOMEM;
        *job = (UnitJob){
                .units = units,
                .verb = verb,
                .done = done,
                .userdata = userdata,
        };
        (void) snprintf(job->unit, sizeof(job->unit), "%s", unit);
        if (limit_usec != UINT64_MAX)
                r = sd_event_add_time_relative(sd_bus_get_event(systemd_link_bus(units->link)),
                                               &job->deadline, CLOCK_MONOTONIC, limit_usec, 0,
                                               on_deadline, job);
        if (r < 0) {
                free(job);
                return r;
        }
        job->next = units->jobs;
        units->jobs = job;
        units->n_calls++;
        *ret_job = job;
        return 0;
}

static int job_by_name(Units *units, JobVerb verb, const char *unit, uint64_t limit_usec,
                       UnitDone done, void *userdata)
{
        UnitJob *job;
        int r;

        r = job_new(units, verb, unit, limit_usec, done, userdata, &job);
        if (r < 0)
                return r;
        r = job_again(job);
        if (r < 0)
                job_free(job);
        return r;
}

int unit_job_create(Units *units, const json_t *spec, uint64_t limit_usec, UnitDone done,
                    void *userdata)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *unit = json_string_value(json_object_get(spec, "unit"));
        UnitJob *job;
        int r;

        if (!unit)
                return -EINVAL;
        r = systemd_link_message(units->link, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                 verbs[JOB_CREATE].method, &m);
        if (r >= 0)
                r = unit_message_append_spec(m, spec);
        if (r >= 0)
                r = job_new(units, JOB_CREATE, unit, limit_usec, done, userdata, &job);
        if (r < 0)
                return r;
        r = job_send(job, m);
        if (r < 0)
                job_free(job);
        return r;
}

int unit_job_start(Units *units, const char *unit, UnitDone done, void *userdata)
{
        return job_by_name(units, JOB_START, unit, UNIT_START_SEC * USEC_PER_SEC, done, userdata);
}

int unit_job_restart(Units *units, const char *unit, UnitDone done, void *userdata)
{
        return job_by_name(units, JOB_RESTART, unit, UNIT_START_SEC * USEC_PER_SEC, done, userdata);
}

int units_stop(Units *units, const char *unit, UnitDone done, void *userdata)
{
        return job_by_name(units, JOB_STOP, unit, UNIT_STOP_SEC * USEC_PER_SEC, done, userdata);
}
