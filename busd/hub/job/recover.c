/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recovery (see recover.h). The rows say what should be, systemd what is: units of jobs that are over
 * are ended, and each open job is entered again in its state, whose step finds or remakes the rest.
 */
#include "job/recover.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job/job-record.h"
#include "job/jobs.h"
#include "job/run.h"
#include "job/sent-sums.h"
#include "log.h"
#include "store/store-call.h"
#include "store/store-job.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void on_stray_stopped(int error, const char *text, void *userdata)
{
        _cleanup_free_ char *unit = userdata;

        if (error < 0)
                (void) log_error(error, "A leftover unit %s cannot be stopped: %s", unit,
                                 text ?: "");
        else
                log_notice("Stopped %s, which no open job owns", unit);
}

static bool job_is_open(Jobs *jobs, uint64_t id)
{
        const Job *job = jobs_find(jobs, id);

        return job && !job_state_is_final(job->state);
}

/* A repository's unit is nobody's after a start: who waited for it is gone. */
static bool is_stray(Jobs *jobs, const char *unit)
{
        UnitName name;

        if (unit_name_from_string(unit, &name) < 0)
                return false;
        return name.kind == UNIT_REPOSITORY_SERVICE || !job_is_open(jobs, name.job);
}

static void stop_stray(Jobs *jobs, const char *unit)
{
        char *copy = strdup(unit);

        if (copy && units_stop(jobs->units, unit, on_stray_stopped, copy) < 0)
                free(copy);
}

static bool keep_file(const char *unit, void *userdata)
{
        Jobs *jobs = userdata;
        UnitName name;

        for (size_t i = 0; i < jobs->n_all; i++)
                if (job_owns_finish_result(jobs->all[i], unit))
                        return true;
        return unit_name_from_string(unit, &name) >= 0 && name.kind != UNIT_REPOSITORY_SERVICE &&
               job_is_open(jobs, name.job);
}

static void enter_all(Jobs *jobs)
{
        size_t n = 0;

        jobs->is_loaded = true;
        /* Strays' files go now; a unit that is only just being stopped has its files open. */
        (void) unit_files_sweep(keep_file, jobs);
        sent_sums_sweep(jobs);
        for (size_t i = 0; i < jobs->n_all; i++) {
                Job *job = jobs->all[i];

                if (job_state_is_final(job->state))
                        continue;
                n++;
                job->is_recovered = true;
                (void) job_log(job, NULL, LOG_INFO, 0, MESSAGE_JOB_TAKEN_UP,
                               "Takes up job %" PRIu64 " of %s, which is %s%s", job->id,
                               job_text(job, "Vm"), job_state_to_string(job->state),
                               job->ending != JOB_STATE_INVALID ? " and to be undone" : "");
                run_enter(job);
        }
        if (n == 0)
                log_debug("No job is open");
        jobs_pump(jobs);
        if (jobs->loaded)
                jobs->loaded(jobs->userdata);
}

static void on_units(int error, const char *const *units, size_t n, void *userdata)
{
        Jobs *jobs = userdata;

        jobs->is_loading = false;
        if (jobs->is_going_down)
                return;
        if (error < 0) {
                if (!jobs->is_blind)
                        (void) log_warning(
                                        error,
                                        "Systemd does not tell about our units: %m. No job goes on "
                                        "until it does");
                jobs->is_blind = true;
                return; /* the tick */
        }
        jobs->is_blind = false;
        for (size_t i = 0; i < n; i++)
                if (is_stray(jobs, units[i]))
                        stop_stray(jobs, units[i]);
        enter_all(jobs);
}

/* One that was made while the answer was lost with the connection begins like any other. */
static void add_row(Jobs *jobs, json_t *row)
{
        Job *job;

        if (jobs_add(jobs, row, &job) < 0 || !jobs->is_loaded)
                return;
        job->is_recovered = true;
        run_enter(job);
}

/* Not again at each tick, when it is systemd that does not tell. */
static void tell_unreadable(Jobs *jobs, const json_t *list)
{
        const json_t *job;
        size_t i;

        if (jobs->is_unreadable_told && !jobs->is_loaded)
                return;
        jobs->is_unreadable_told = true;
        json_array_foreach (list, i, job)
                (void) log_error(
                                0,
                                "Job %" JSON_INTEGER_FORMAT
                                " cannot be read from the database (%s): a value in its rows is "
                                "longer or larger than it may be. It is not taken up, its VM stays "
                                "busy; the others go on. TROUBLESHOOTING says how to mend the row",
                                json_integer_value(json_object_get(job, "Id")),
                                json_string_value(json_object_get(job, "Error")) ?: "");
}

static void on_rows(int error, const json_t *out, const char *name, const char *text,
                    void *userdata)
{
        Jobs *jobs = userdata;
        json_t *rows = json_object_get(out, "Jobs");
        size_t i;
        json_t *row;

        (void) name;
        if (jobs->is_going_down)
                return;
        if (error < 0) {
                jobs->is_loading = false;
                if (error != -ENOTCONN && error != -ETIMEDOUT && !jobs->is_blind)
                        (void) log_error(error, "The open jobs cannot be read: %s", text);
                jobs->is_blind = true;
                return; /* the tick */
        }
        tell_unreadable(jobs, json_object_get(out, "Unreadable"));
        json_array_foreach (rows, i, row) {
                const json_t *id = json_object_get(row, "Id");

                if (!jobs_find(jobs, (uint64_t) json_integer_value(id)))
                        add_row(jobs, row);
        }
        if (jobs->is_loaded) {
                jobs->is_loading = jobs->wants_load = false;
                jobs_pump(jobs);
                return;
        }
        if (units_list(jobs->units, on_units, jobs) < 0)
                jobs->is_loading = false;
}

void recover_begin(Jobs *jobs)
{
        if (jobs->is_loading || jobs->is_going_down)
                return;
        jobs->is_loading = true;
        if (store_call(jobs->store, store_job_load_open, json_object(), on_rows, jobs) < 0)
                jobs->is_loading = false;
}

void recover_tick(Jobs *jobs)
{
        if ((!jobs->is_loaded || jobs->wants_load) &&
            store_status(jobs->store)->state == DATABASE_READY)
                recover_begin(jobs);
}

typedef struct Reload {
        Jobs *jobs;
        uint64_t id;
} Reload;

static void on_reloaded(int error, const json_t *out, const char *name, const char *text,
                        void *userdata)
{
        _cleanup_free_ Reload *reload = userdata;
        Jobs *jobs = reload->jobs;
        Job *job;

        (void) name;
        if (jobs->is_going_down || jobs_find(jobs, reload->id))
                return;
        if (error < 0) {
                /* It is forgotten already, and nobody else would look for it. */
                (void) log_error(error,
                                 "Job %" PRIu64 " cannot be read again: %s; all that is "
                                 "open is read",
                                 reload->id, text);
                jobs->wants_load = true;
                return;
        }
        if (jobs_add(jobs, json_array_get(json_object_get(out, "Jobs"), 0), &job) < 0)
                return;
        /* Over, and whoever waits for its end has not been told. */
        if (job_state_is_final(job->state)) {
                jobs_job_ended(job);
                return;
        }
        job->is_recovered = true;
        run_enter(job);
}

void jobs_reload(Job *job)
{
        Jobs *jobs = job->jobs;
        Reload *reload = malloc(sizeof(Reload));

        if (reload)
                *reload = (Reload){ .jobs = jobs, .id = job->id };
        jobs_forget(job);
        if (reload &&
            store_call(jobs->store, store_job_load_open,
                       json_pack("{s:I}", "Id", (json_int_t) reload->id), on_reloaded, reload) >= 0)
                return;
        free(reload);
        jobs->wants_load = true;
}
