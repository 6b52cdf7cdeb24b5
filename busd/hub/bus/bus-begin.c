/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The beginning of jobs on the bus (see bus-begin.h).
 */
#include "bus/bus-begin.h"

#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "cleanup.h"
#include "job/jobs.h"
#include "log.h"
#include "manager.h"
#include "names.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

json_t *bus_begin_keyed(json_t *request, const char *key)
{
        CLEANUP(json_decrefp) json_t *owned = request;
        unsigned char digest[crypto_hash_sha256_BYTES];
        char text[2 * sizeof(digest) + 1];
        _cleanup_free_ char *all = NULL;

        if (!owned || !key)
                return TAKE(owned);
        all = json_dumps(owned, JSON_COMPACT | JSON_SORT_KEYS);
        if (!all)
                return NULL;
        (void) crypto_hash_sha256(digest, (const unsigned char *) all, strlen(all));
        (void) sodium_bin2hex(text, sizeof(text), digest, sizeof(digest));
        if (json_object_set_new(owned, "IdempotencyKey", json_string(key)) < 0 ||
            json_object_set_new(json_object_get(owned, "Work"), "asked", json_string(text)) < 0)
                return NULL;
        return TAKE(owned);
}

static void on_begun(int error, const char *name, const char *text, uint64_t id, const Job *job,
                     void *userdata)
{
        char path[JOB_OBJECT_PATH_SIZE];
        BusWait *wait = userdata;
        int r;

        (void) job;
        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        bus_job_path(id, path);
        r = sd_bus_reply_method_return(wait->call, "o", path);
        if (r < 0)
                (void) log_warning(r, "Cannot answer who began a job: %m");
        bus_wait_free(wait);
}

int bus_begin_job(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                  BusBegin begin, sd_bus_error *error)
{
        BusWait *wait;
        int r;

        if (!manager->jobs->is_loaded)
                return bus_error_setf(error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The hub has not taken up its jobs yet (%s); try again",
                                      *manager->database.error ? manager->database.error
                                                               : "it has just started");
        r = request_add_text(request, "Principal", principal);
        if (r < 0)
                return r;
        wait = bus_wait_new(manager, call, NULL);
        if (!wait)
                return -ENOMEM;
        r = begin(manager->jobs, request, on_begun, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

static int act_begin_work(Manager *manager, sd_bus_message *call, const char *principal,
                          json_t *request, sd_bus_error *error)
{
        return bus_begin_job(manager, call, principal, request, job_begin_work, error);
}

int bus_begin_work(Manager *manager, sd_bus_message *call, const char *action, JobType type,
                   const char *backup_id, json_t *work, const char *key, sd_bus_error *error)
{
        if (!backup_id_is_valid(backup_id)) {
                json_decref(work);
                return bus_error_setf(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "Argument backup_id must be the id of a backup, as sendensectl "
                                "backup list shows it");
        }
        return bus_call_check(manager, call, action,
                              bus_begin_keyed(json_pack("{s:s, s:s, s:o}", "Type",
                                                        job_type_to_string(type), "BackupId",
                                                        backup_id, "Work", work),
                                              key),
                              act_begin_work, error);
}
