/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attempts again (see retry.h). The rows say which are due; of each look only those that pass begin, one after the other.
 */
#include "job/retry.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "job/begin.h"
#include "job/jobs.h"
#include "log.h"
#include "parse.h"
#include "store/store-call.h"
#include "store/store-job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define LOOK_USEC   (5 * USEC_PER_SEC)
#define FAILED_USEC (60 * USEC_PER_SEC)
/* What could not even begin for so long is for somebody to look at. */
#define GIVE_UP_USEC (UINT64_C(24) * 3600 * USEC_PER_SEC)

struct Retrier {
        Jobs *jobs;
        sd_event_source *timer;
        json_t *rows; /* of the look that is under way; NULL: none is */
        size_t next;
        bool has_failed; /* some of them cannot begin yet */
        uint64_t quiet_until_usec; /* CLOCK_MONOTONIC: what keeps them from it may last */
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static void begin_next(Retrier *retrier);

static void refuse(Retrier *retrier, const json_t *row, const char *name, const char *text)
{
        const LogContext context = { .job = (uint64_t) json_integer_value(
                                                     json_object_get(row, "Job")),
                                     .vm = text_of(row, "Name") };

        (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE,
                         "Job %" PRIu64 " cannot be tried again yet: %s (%s)", context.job, text,
                         name);
        retrier->has_failed = true;
}

static void on_begun(int error, const char *name, const char *text, uint64_t id, const Job *job,
                     void *userdata)
{
        Retrier *retrier = userdata;
        const json_t *row = json_array_get(retrier->rows, retrier->next - 1);
        const LogContext context = { .job = id, .vm = text_of(row, "Name") };
        json_int_t of = json_integer_value(json_object_get(row, "Job"));

        if (job)
                (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_JOB_CREATED,
                                 "Job %" PRIu64 " tries again what job %" JSON_INTEGER_FORMAT
                                 " could not (%s)",
                                 id, of, text_of(row, "ErrorName"));
        else if (error < 0 && error != -ECANCELED)
                refuse(retrier, row, name, text);
        begin_next(retrier);
}

static void begin_next(Retrier *retrier)
{
        const Jobs *jobs = retrier->jobs;
        json_t *row;

        while (!jobs->is_going_down && (row = json_array_get(retrier->rows, retrier->next++))) {
                CLEANUP(json_decrefp) json_t *request = NULL;

                if (!bus_error_passes(text_of(row, "ErrorName")) ||
                    jobs_n_open_of(jobs, false) >= jobs->config->jobs_queued)
                        continue;
                request = json_pack("{s:O, s:O, s:O, s:O, s:O, s:O, s:O*, s:O*}", "Vm",
                                    json_object_get(row, "Vm"), "Repository",
                                    json_object_get(row, "Repository"), "BackupType",
                                    json_object_get(row, "BackupType"), "Principal",
                                    json_object_get(row, "Principal"), "RetryOf",
                                    json_object_get(row, "Job"), "RetryNumber",
                                    json_object_get(row, "RetryNumber"), "Exclude",
                                    json_object_get(row, "Exclude"), "Node",
                                    json_object_get(row, "Node"));
                if (request && job_begin(retrier->jobs, request, on_begun, retrier) >= 0)
                        return;
        }
        json_decref(TAKE(retrier->rows));
        if (retrier->has_failed)
                retrier->quiet_until_usec = clock_monotonic_usec() + FAILED_USEC;
}

static void on_rows(int error, const json_t *out, const char *name, const char *text,
                    void *userdata)
{
        Retrier *retrier = userdata;

        (void) name;
        if (error < 0) {
                if (error != -ENOTCONN && error != -ECANCELED && error != -ETIMEDOUT)
                        (void) log_warning(error, "Cannot look for jobs to try again: %s", text);
                return;
        }
        if (retrier->rows)
                return;
        retrier->rows = json_deep_copy(json_object_get(out, "Jobs"));
        retrier->next = 0;
        retrier->has_failed = false;
        begin_next(retrier);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Retrier *retrier = userdata;
        Jobs *jobs = retrier->jobs;
        const HubConfig *config = jobs->config;
        uint64_t before_usec = clock_realtime_usec() - config->jobs_retry_usec;

        (void) usec;
        if (config->jobs_retries > 0 && !retrier->rows && jobs->is_loaded && !jobs->is_going_down &&
            retrier->quiet_until_usec <= clock_monotonic_usec() &&
            store_status(jobs->store)->state == DATABASE_READY)
                (void) store_call(jobs->store, store_job_retries,
                                  json_pack("{s:I, s:I, s:I}", "Count",
                                            (json_int_t) config->jobs_retries, "BeforeUSec",
                                            (json_int_t) before_usec, "AfterUSec",
                                            (json_int_t) (before_usec - GIVE_UP_USEC)),
                                  on_rows, retrier);
        (void) sd_event_source_set_time_relative(source, LOOK_USEC);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int retrier_new(Jobs *jobs, Retrier **ret_retrier)
{
        Retrier *retrier = malloc(sizeof(*retrier));
        int r;

        if (!retrier)
                return -ENOMEM;
        *retrier = (Retrier){ .jobs = jobs };
        r = sd_event_add_time_relative(jobs->event, &retrier->timer, CLOCK_MONOTONIC, LOOK_USEC,
                                       USEC_PER_SEC, on_timer, retrier);
        if (r < 0) {
                free(retrier);
                return r;
        }
        *ret_retrier = retrier;
        return 0;
}

Retrier *retrier_free(Retrier *retrier)
{
        if (!retrier)
                return NULL;
        sd_event_source_disable_unref(retrier->timer);
        json_decref(retrier->rows);
        free(retrier);
        return NULL;
}
