/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The beginning of a backup (see begin.h).
 */
#include "job/begin.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "job/jobs.h"
#include "job/recover.h"
#include "job/run.h"
#include "job/work.h"
#include "log.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "node/vcenter-discover.h"
#include "store/store-call.h"
#include "store/store-job.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Beginning Beginning;

struct Beginning {
        Jobs *jobs;
        int (*begin_new)(
                        Beginning *beginning); /* when nothing was begun by its key yet, if there is one */
        json_t *request;
        JobBegun done;
        void *userdata;
};

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

static Beginning *beginning_free(Beginning *beginning)
{
        json_decref(beginning->request);
        free(beginning);
        return NULL;
}

static void end(Beginning *beginning, int error, const char *name, const char *text, uint64_t id,
                const Job *job)
{
        beginning->done(error, name, text, id, job, beginning->userdata);
        beginning_free(beginning);
}

/* The key of the request was used before: its job runs, or is over. */
static bool is_known(Jobs *jobs, uint64_t id, const json_t *row)
{
        return jobs_find(jobs, id) ||
               job_state_is_final(job_state_from_string(text_of(row, "State")));
}

/* What was cancelled for the job in its transaction is cancelled here, too. All of them before the first is told of: that lets others
 * begin. */
static void end_gave_way(Jobs *jobs, const json_t *row, uint64_t for_job)
{
        const json_t *ids = json_object_get(row, "GaveWay"), *id;
        Job *job;
        size_t i;

        json_array_foreach (ids, i, id) {
                job = jobs_find(jobs, (uint64_t) json_integer_value(id));
                if (!job || job_state_is_final(job->state))
                        continue;
                job->state = JOB_CANCELLED;
                (void) snprintf(job->error_name, sizeof(job->error_name), "%s",
                                BUS_ERROR_CANCELLED);
                (void) snprintf(job->error_text, sizeof(job->error_text), JOB_GAVE_WAY_FORMAT,
                                for_job);
        }
        json_array_foreach (ids, i, id) {
                job = jobs_find(jobs, (uint64_t) json_integer_value(id));
                if (job && job->state == JOB_CANCELLED && job->finished_usec == 0) {
                        jobs_announce(job);
                        jobs_job_ended(job);
                }
        }
}

/* The job is in the database: from here on it runs whether or not anybody still waits. */
static void on_created(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        Beginning *beginning = userdata;
        Jobs *jobs = beginning->jobs;
        Job *job = NULL;
        uint64_t id;
        int r;

        if (error < 0) {
                end(beginning, error, name, text, 0, NULL);
                return;
        }
        id = (uint64_t) json_integer_value(json_object_get(out, "Id"));
        r = is_known(jobs, id, out) ? 0 : jobs_add(jobs, (json_t *) out, &job);
        if (r < 0) {
                end(beginning, r, BUS_ERROR_FAILED,
                    "The job is written down, and this hub cannot take it up; restart it", id,
                    NULL);
                return;
        }
        if (job && job->type != JOB_BACKUP)
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_JOB_CREATED,
                               "Job %" PRIu64 " (%s) works on %s of %s, asked for by %s", job->id,
                               job_type_to_string(job->type), job_text(job, "BackupId"),
                               job_text(job, "Vm"), job_text(job, "Principal"));
        else if (job)
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_JOB_CREATED,
                               "Job %" PRIu64 " backs up %s (%s) into %s as %s, asked for by %s",
                               job->id, job_text(job, "Vm"), job_text(job, "BackupType"),
                               job_text(job, "Repository"), job_text(job, "BackupId"),
                               job_text(job, "Principal"));
        end_gave_way(jobs, out, id);
        end(beginning, 0, NULL, NULL, id, job);
        /* One of an earlier request that was only in the rows goes on from where they say. */
        if (job && job->state != JOB_QUEUED) {
                job->is_recovered = true;
                run_enter(job);
        }
        jobs_pump(jobs);
}

static int create(Beginning *beginning)
{
        return store_call(beginning->jobs->store, store_job_create,
                          json_deep_copy(beginning->request), on_created, beginning);
}

/* Disks that vCenter lets nobody back up are left out, with its reason, unless the caller has left them out with his own. */
static int exclude_unusable(json_t *request, const json_t *unusable)
{
        json_t *exclude = json_object_get(request, "Exclude");
        const json_t *disk;
        size_t i;

        if (json_array_size(unusable) == 0)
                return 0;
        if (!exclude) {
                exclude = json_object();
                if (json_object_set_new(request, "Exclude", exclude) < 0)
                        return -ENOMEM;
        }
        json_array_foreach (unusable, i, disk) {
                char key[24];

                (void) snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT,
                                json_integer_value(json_object_get(disk, "Key")));
                if (!json_object_get(exclude, key) &&
                    json_object_set(exclude, key, json_object_get(disk, "Reason")) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static void on_refreshed(int error, const char *name, const char *text, const json_t *unusable,
                         void *userdata)
{
        Beginning *beginning = userdata;
        int r;

        if (error < 0) {
                end(beginning, error, name, text, 0, NULL);
                return;
        }
        r = exclude_unusable(beginning->request, unusable);
        if (r >= 0)
                r = create(beginning);
        if (r < 0)
                end(beginning, r,
                    r == -ENOTCONN ? BUS_ERROR_DATABASE_UNAVAILABLE : BUS_ERROR_FAILED,
                    "The job cannot be written down; try again", 0, NULL);
}

/* The event that makes the job has the id that follows from who asked and his key: asked again, the job is the same. */
static int set_key(json_t *request, const char *principal, const char *key)
{
        unsigned char digest[crypto_hash_sha256_BYTES];
        crypto_hash_sha256_state state;
        char id[EVENT_ID_SIZE];

        (void) crypto_hash_sha256_init(&state);
        /* With their NULs, so that no two pairs are one text. */
        (void) crypto_hash_sha256_update(&state, (const unsigned char *) principal,
                                         strlen(principal) + 1);
        (void) crypto_hash_sha256_update(&state, (const unsigned char *) key, strlen(key) + 1);
        (void) crypto_hash_sha256_final(&state, digest);
        (void) sodium_bin2hex(id, sizeof(id), digest, (sizeof(id) - 1) / 2);
        return json_object_update_new(request,
                                      json_pack("{s:b, s:s}", "IsIdempotent", 1, "EventId", id)) < 0
                               ? -ENOMEM
                               : 0;
}

static int complete(const Jobs *jobs, json_t *request)
{
        const char *key = text_of(request, "IdempotencyKey");
        char event_id[EVENT_ID_SIZE];
        int r = event_id_make(event_id);

        if (r >= 0 &&
            json_object_update_new(request,
                                   json_pack("{s:s, s:I, s:o}", "EventId", event_id, "NowUSec",
                                             (json_int_t) clock_realtime_usec(), "NodesReachable",
                                             node_links_reachable(nodes_links(jobs->nodes)))) < 0)
                r = -ENOMEM;
        return r >= 0 && *key ? set_key(request, text_of(request, "Principal"), key) : r;
}

/* Those that only read keep no backup from being made. */
static bool is_alone(const Job *job)
{
        return !job_state_is_final(job->state) &&
               (job->type == JOB_BACKUP || job->type == JOB_DELETE || work_is_in_place(job));
}

static bool vm_has_job(const Jobs *jobs, const char *vm)
{
        static const char *const names[] = { "Vm", "ContextId", "InstanceUuid" };

        for (size_t i = 0; i < jobs->n_all; i++)
                for (size_t j = 0; j < ELEMENTSOF(names); j++)
                        if (is_alone(jobs->all[i]) &&
                            strcmp(job_text(jobs->all[i], names[j]), vm) == 0)
                                return true;
        return false;
}

/* Backups, however many there are, leave room for what gets something back. */
static bool refuse_full(Beginning *beginning)
{
        const Jobs *jobs = beginning->jobs;
        JobType type = job_type_from_string(text_of(beginning->request, "Type"));
        bool gets_back = job_type_gets_back(type);
        char text[160];

        if (jobs_n_open_of(jobs, gets_back) < jobs->config->jobs_queued)
                return false;
        (void) snprintf(text, sizeof(text),
                        "%" PRIu64 " %s are open already, as [Jobs] Queued= allows; wait until "
                        "some have ended, or raise it",
                        jobs->config->jobs_queued,
                        gets_back ? "restores, looks into backups and mounts" : "jobs");
        end(beginning, -EBUSY, BUS_ERROR_BUSY, text, 0, NULL);
        return true;
}

/* Nothing was begun by this key yet, if there is one. A VM of a vCenter is looked at first: its disks may be others than at the
 * last backup. Of one that is being backed up the store knows more than a look at it would tell. */
static int begin_new(Beginning *beginning)
{
        const json_t *request = beginning->request;
        Jobs *jobs = beginning->jobs;
        const char *vm = text_of(request, "Vm");

        if (refuse_full(beginning))
                return 0;
        if (json_object_get(request, "Sources") || vm_has_job(jobs, vm))
                return create(beginning);
        return vcenter_refresh_vm(jobs->store, jobs->nodes, vm, 0, on_refreshed, beginning);
}

static void on_looked_up(int error, const json_t *out, const char *name, const char *text,
                         void *userdata)
{
        Beginning *beginning = userdata;
        int r;

        if (error < 0 || json_object_get(out, "Id")) {
                on_created(error, out, name, text, beginning);
                return;
        }
        r = beginning->begin_new(beginning);
        if (r < 0)
                end(beginning, r,
                    r == -ENOTCONN ? BUS_ERROR_DATABASE_UNAVAILABLE : BUS_ERROR_FAILED,
                    "The job cannot be written down; try again", 0, NULL);
}

static int begin_work(Beginning *beginning)
{
        if (refuse_full(beginning))
                return 0;
        return store_call(beginning->jobs->store, store_job_work_create,
                          json_deep_copy(beginning->request), on_created, beginning);
}

static int begin(const Beginning *values, StoreWork find)
{
        Beginning *beginning = malloc(sizeof(*beginning));
        int r;

        if (!beginning)
                return -ENOMEM;
        *beginning = *values;
        json_incref(beginning->request);
        r = complete(beginning->jobs, beginning->request);
        if (r >= 0 && json_is_true(json_object_get(beginning->request, "IsIdempotent")))
                r = store_call(beginning->jobs->store, find, json_deep_copy(beginning->request),
                               on_looked_up, beginning);
        else if (r >= 0)
                r = beginning->begin_new(beginning);
        if (r < 0)
                beginning_free(beginning);
        return r;
}

int job_begin(Jobs *jobs, json_t *request, JobBegun done, void *userdata)
{
        return begin(&(Beginning){ jobs, begin_new, request, done, userdata }, store_job_find);
}

int job_begin_work(Jobs *jobs, json_t *request, JobBegun done, void *userdata)
{
        return begin(&(Beginning){ jobs, begin_work, request, done, userdata },
                     store_job_work_find);
}
