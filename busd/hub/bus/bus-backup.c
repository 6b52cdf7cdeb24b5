/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups and jobs on the bus: started, cancelled, listed, shown. What a job does now is added to its
 * row from memory.
 */
#include "bus/bus-begin.h"
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "bus/bus-list.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "hub-config.h"
#include "job/begin.h"
#include "job/jobs.h"
#include "log.h"
#include "manager.h"
#include "node-keys.h"
#include "store/store-job.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        NAME_MAX_BYTES = 255,
        KEY_MAX_BYTES = 255,
};

static int act_start(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        if (json_object_get(request, "Sources") && !manager->config->backup_allow_sources)
                return bus_error_setf(error, BUS_ERROR_NOT_ALLOWED,
                                      "Option sources is switched off; [Backup] AllowSources=yes "
                                      "in the hub's settings allows it");
        return bus_begin_job(manager, call, principal, request, job_begin, error);
}

/* Sources name files and servers of the hub itself: for tests and imports, and for managers only. Without them a node reads. */
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
        case -EAGAIN:
                bus_wait_fail(wait, BUS_ERROR_DATABASE_UNAVAILABLE,
                              "The database does not take the cancellation now (the journal says "
                              "why); it is done when it does, unless the hub ends before");
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

/* Who may have it done may have it ended. */
static const char *cancel_action(const Job *job)
{
        switch (job ? job->type : JOB_BACKUP) {
        case JOB_RESTORE:
        case JOB_MOUNT:
        case JOB_FILES:
                return ACTION_RESTORE;
        case JOB_DELETE:
                return ACTION_DELETE;
        case JOB_BACKUP:
        case JOB_VERIFY:
        case JOB_TYPE_MAX:
        case JOB_TYPE_INVALID:
        default:
                return ACTION_BACKUP;
        }
}

static int act_cancel(Manager *manager, sd_bus_message *call, const char *principal,
                      json_t *request, sd_bus_error *error)
{
        uint64_t id = (uint64_t) json_integer_value(json_object_get(request, "Id"));
        Job *job = jobs_find(manager->jobs, id);
        BusWait *wait;
        int r;

        if (!job)
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND,
                                      "No job %" PRIu64 " is open; sendensectl job show %" PRIu64
                                      " tells what became of it",
                                      id, id);
        /* A dialog can be open for minutes. */
        if (strcmp(cancel_action(job), json_string_value(json_object_get(request, "Action"))) != 0)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "Job %" PRIu64 " has only just begun, and whoever ends it "
                                      "needs the right for that kind of job: try again",
                                      id);
        /* A cancellation is a row before anything follows it; kept in memory it would end with the hub. */
        if (store_status(manager->store)->state != DATABASE_READY)
                return bus_refuse_store(manager, -ENOTCONN, error);
        wait = bus_wait_new(manager, call, request);
        if (!wait)
                return -ENOMEM;
        r = job_cancel(job, principal, on_cancelled, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        if (r == -EPERM)
                return job->type == JOB_DELETE
                                       ? bus_error_setf(error, BUS_ERROR_NOT_ALLOWED,
                                                        "What job %" PRIu64
                                                        " has begun can only be finished: a "
                                                        "deletion that stops half-way would leave "
                                                        "less than it found",
                                                        id)
                                       : bus_error_setf(error, BUS_ERROR_NOT_ALLOWED,
                                                        "Job %" PRIu64
                                                        " has made its VM, which stays; remove it "
                                                        "at vCenter",
                                                        id);
        return bus_error_setf(error, BUS_ERROR_BUSY, "Job %" PRIu64 " is %s already", id,
                              job->ending != JOB_STATE_INVALID || job->has_error
                                              ? "ending"
                                              : job_state_to_string(job->state));
}

int bus_job_cancel(Manager *manager, sd_bus_message *call, uint64_t id, sd_bus_error *error)
{
        const Job *job = manager->jobs ? jobs_find(manager->jobs, id) : NULL;
        const char *action = cancel_action(job);

        return bus_call_check(manager, call, action,
                              json_pack("{s:I, s:s}", "Id", (json_int_t) id, "Action", action),
                              act_cancel, error);
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
