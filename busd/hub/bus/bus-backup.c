/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups and jobs on the bus: started, cancelled, listed, shown. What a job does now is added to its
 * row from memory.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "bus/bus-list.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "hub-config.h"
#include "job/jobs.h"
#include "log.h"
#include "manager.h"
#include "node-keys.h"
#include "node/node-links.h"
#include "node/nodes.h"
#include "node/vcenter-discover.h"
#include "store/store-call.h"
#include "store/store-job.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

enum {
        NAME_MAX_BYTES = 255,
        KEY_MAX_BYTES = 255,
};

/* The key of the request was used before: its job runs, or is over. */
static bool is_known(Jobs *jobs, uint64_t id, const json_t *row)
{
        const char *state = json_string_value(json_object_get(row, "State")) ?: "";

        return jobs_find(jobs, id) || job_state_is_final(job_state_from_string(state));
}

/* The job is in the database: from here on it runs whether or not the caller still waits. */
static void on_created(int error, const json_t *out, const char *name, const char *text,
                       void *userdata)
{
        char path[JOB_OBJECT_PATH_SIZE];
        BusWait *wait = userdata;
        Jobs *jobs = wait->manager->jobs;
        Job *job = NULL;
        uint64_t id;
        int r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        id = (uint64_t) json_integer_value(json_object_get(out, "Id"));
        r = is_known(jobs, id, out) ? 0 : jobs_add(jobs, (json_t *) out, &job);
        if (r < 0) {
                bus_wait_fail(wait, BUS_ERROR_FAILED,
                              "The job is written down, and this hub cannot take it up; restart "
                              "it");
                return;
        }
        if (job)
                (void) job_log(job, NULL, LOG_NOTICE, 0, MESSAGE_JOB_CREATED,
                               "Job %" PRIu64 " backs up %s (%s) into %s as %s, asked for by %s",
                               job->id, job_text(job, "Vm"), job_text(job, "BackupType"),
                               job_text(job, "Repository"), job_text(job, "BackupId"),
                               job_text(job, "Principal"));
        bus_job_path(id, path);
        r = sd_bus_reply_method_return(wait->call, "o", path);
        if (r < 0)
                (void) log_warning(r, "Cannot answer StartBackup: %m");
        bus_wait_free(wait);
        jobs_pump(jobs);
}

/* Sources name files and servers of the hub itself: for tests and imports, and for managers only. Without them a node reads. */
static int check_sources(const Manager *manager, const json_t *sources, sd_bus_error *error)
{
        if (sources && !manager->config->backup_allow_sources)
                return bus_error_setf(
                                error, BUS_ERROR_NOT_ALLOWED,
                                "Option sources is switched off; [Backup] AllowSources=yes in "
                                "the hub's settings allows it");
        if (!sources && manager->config->export_tls_psk)
                return bus_error_setf(error, BUS_ERROR_NOT_ALLOWED,
                                      "Nodes have no keys for TLS on the exports yet; [Exports] "
                                      "TlsPsk=no lets them write (their way is an SSH tunnel)");
        return 0;
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
        if (json_object_set_new(request, "IsIdempotent", json_true()) < 0)
                return -ENOMEM;
        return request_add_text(request, "EventId", id);
}

static int create_job(BusWait *wait)
{
        return store_call(wait->manager->store, store_job_create, json_deep_copy(wait->request),
                          on_created, wait);
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
        BusWait *wait = userdata;
        int r;

        if (error < 0) {
                bus_wait_fail(wait, name, text);
                return;
        }
        r = exclude_unusable(wait->request, unusable);
        if (r >= 0)
                r = create_job(wait);
        if (r < 0)
                bus_wait_fail(wait,
                              r == -ENOTCONN ? BUS_ERROR_DATABASE_UNAVAILABLE : BUS_ERROR_FAILED,
                              "The job cannot be written down; try again");
}

static bool vm_has_job(const Jobs *jobs, const json_t *request)
{
        static const char *const names[] = { "Vm", "ContextId", "InstanceUuid" };
        const char *vm = json_string_value(json_object_get(request, "Vm"));

        for (size_t i = 0; i < jobs->n_all; i++)
                for (size_t j = 0; j < ELEMENTSOF(names); j++)
                        if (!job_state_is_final(jobs->all[i]->state) &&
                            strcmp(job_text(jobs->all[i], names[j]), vm) == 0)
                                return true;
        return false;
}

static int act_start(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        char event_id[EVENT_ID_SIZE];
        const char *key;
        BusWait *wait;
        int r;

        r = check_sources(manager, json_object_get(request, "Sources"), error);
        if (r < 0)
                return r;
        if (!manager->jobs->is_loaded)
                return bus_error_setf(error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The hub has not taken up its jobs yet (%s); try again",
                                      *manager->database.error ? manager->database.error
                                                               : "it has just started");
        if (jobs_n_open(manager->jobs) >= manager->config->jobs_queued)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "%" PRIu64 " jobs are open already, as [Jobs] Queued= allows",
                                      manager->config->jobs_queued);
        r = event_id_make(event_id);
        if (r >= 0)
                r = request_add_text(request, "EventId", event_id);
        if (r >= 0)
                r = request_add_text(request, "Principal", principal);
        if (r < 0)
                return r;
        key = json_string_value(json_object_get(request, "IdempotencyKey"));
        if (key)
                r = set_key(request, principal, key);
        if (r < 0)
                return r;
        (void) json_object_set_new(request, "NowUSec",
                                   json_integer((json_int_t) clock_realtime_usec()));
        (void) json_object_set_new(request, "NodesReachable",
                                   node_links_reachable(nodes_links(manager->nodes)));
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        /* A VM of a vCenter is looked at first: its disks may be others than at the last backup. Of one that is being backed up
         * the store knows more than a look at it would tell. */
        if (json_object_get(request, "Sources") || vm_has_job(manager->jobs, request))
                r = create_job(wait);
        else
                r = vcenter_refresh_vm(manager->store, manager->nodes,
                                       json_string_value(json_object_get(request, "Vm")), 0,
                                       on_refreshed, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

int method_start_backup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *sources = NULL, *exclude = NULL, *request = NULL;
        const char *vm, *repository = "1", *type = "incremental", *node = NULL, *key = NULL;
        const BusOption options[] = {
                { "repository", BUS_OPTION_STRING, 64, &repository, NULL },
                { "type", BUS_OPTION_STRING, 16, &type, NULL },
                { "sources", BUS_OPTION_KEY_TEXTS, JOB_DISKS_MAX, &sources, NULL },
                { "exclude", BUS_OPTION_KEY_TEXTS, JOB_DISKS_MAX, &exclude, NULL },
                { "node", BUS_OPTION_STRING, NODE_NAME_SIZE - 1, &node, NULL },
                { "idempotency_key", BUS_OPTION_STRING, KEY_MAX_BYTES, &key, NULL },
        };
        Manager *manager = userdata;
        int r = sd_bus_message_read(call, "s", &vm);

        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (*vm == '\0' || strlen(vm) > NAME_MAX_BYTES)
                return bus_error_setf(
                                error, BUS_ERROR_INVALID_ARGUMENT,
                                "Argument vm must be a name, context id or instance UUID of 1 "
                                "to %d bytes",
                                NAME_MAX_BYTES);
        if (backup_type_from_string(type) == BACKUP_TYPE_INVALID)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option type must be full or incremental");
        request = json_pack("{s:s, s:s, s:s, s:O*, s:O*, s:s*, s:s*}", "Vm", vm, "Repository",
                            repository, "BackupType", type, "Sources", sources, "Exclude", exclude,
                            "Node", node, "IdempotencyKey", key);
        return bus_call_check(manager, call, sources ? ACTION_MANAGE : ACTION_BACKUP, TAKE(request),
                              act_start, error);
}

/* Cancel. */

/* "Yes" is said of what is written: from then on no death of the hub forgets it. */
static void on_cancelled(int error, void *userdata)
{
        BusWait *wait = userdata;
        int r;

        switch (error) {
        case 0:
                r = sd_bus_reply_method_return(wait->call, "");
                if (r < 0)
                        (void) log_warning(r, "Cannot answer a cancellation: %m");
                bus_wait_free(wait);
                break;
        case -ENOTCONN:
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "The database was lost before the cancellation was written; it is "
                              "done when the database is back, unless the hub ends before");
                break;
        case -EALREADY:
                bus_wait_fail(wait, BUS_ERROR_BUSY, "The job has ended in the meantime");
                break;
        case -ECANCELED:
                bus_wait_fail(wait, BUS_ERROR_BUSY,
                              "The job is about to be read anew, or the hub to stop; try again");
                break;
        default:
                bus_wait_fail(wait, BUS_ERROR_FAILED, "The cancellation cannot be written down");
        }
}

static int act_cancel(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        uint64_t id = (uint64_t) json_integer_value(json_object_get(request, "Id"));
        Job *job = jobs_find(manager->jobs, id);
        BusWait *wait;

        if (!job)
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND,
                                      "No job %" PRIu64 " is open; sendensectl job show %" PRIu64
                                      " tells what became of it",
                                      id, id);
        /* A cancellation is a row before anything follows it; kept in memory it would end with the hub. */
        if (store_status(manager->store)->state != DATABASE_READY)
                return bus_refuse_store(manager, -ENOTCONN, error);
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        if (job_cancel(job, principal, on_cancelled, wait) >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_error_setf(error, BUS_ERROR_BUSY, "Job %" PRIu64 " is %s already", id,
                              job->ending != JOB_STATE_INVALID || job->has_error
                                              ? "ending"
                                              : job_state_to_string(job->state));
}

int bus_job_cancel(Manager *manager, sd_bus_message *call, uint64_t id, sd_bus_error *error)
{
        return bus_call_check(manager, call, ACTION_BACKUP,
                              json_pack("{s:I}", "Id", (json_int_t) id), act_cancel, error);
}

static int read_id(sd_bus_message *call, uint64_t *ret_id, sd_bus_error *error)
{
        int r = sd_bus_message_read(call, "t", ret_id);

        if (r >= 0)
                r = bus_options_none(call, error);
        if (r >= 0 && (*ret_id == 0 || *ret_id > JOB_NUMBER_MAX))
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND, "There is no job %" PRIu64,
                                      *ret_id);
        return r;
}

int method_cancel_job(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t id;
        int r = read_id(call, &id, error);

        return r < 0 ? r : bus_job_cancel(userdata, call, id, error);
}

/* Lists. */

static int answer_jobs(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *rows = json_deep_copy(json_object_get(out, "Jobs"));
        json_t *row;
        size_t i;

        json_array_foreach (rows, i, row)
                bus_job_add_live(manager->jobs, row);
        return rows ? bus_reply_dicts(call, rows) : -ENOMEM;
}

static int act_list_jobs(Manager *manager, sd_bus_message *call, const char *principal,
                         json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_job_list, json_incref(request), answer_jobs,
                              error);
}

int method_list_jobs(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = bus_list_read(call, LIST_BY_STATE | LIST_BY_VM, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, request, act_list_jobs,
                                      error);
}

static int answer_job(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *row = json_deep_copy(out);

        if (!row)
                return -ENOMEM;
        bus_job_add_live(manager->jobs, row);
        return bus_reply_dict(call, row);
}

static int act_get_job(Manager *manager, sd_bus_message *call, const char *principal,
                       json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_job_get, json_incref(request), answer_job,
                              error);
}

int method_get_job(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t id;
        int r = read_id(call, &id, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT,
                                      json_pack("{s:I}", "Id", (json_int_t) id), act_get_job,
                                      error);
}

static int answer_backups(Manager *manager, sd_bus_message *call, const json_t *out)
{
        (void) manager;
        return bus_reply_dicts(call, json_object_get(out, "Backups"));
}

static int act_list_backups(Manager *manager, sd_bus_message *call, const char *principal,
                            json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_backup_list, json_incref(request),
                              answer_backups, error);
}

int method_list_backups(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = bus_list_read(call, LIST_BY_VM | LIST_BY_REPOSITORY, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, request, act_list_backups,
                                      error);
}
