/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ports, obligations, clean-up and diagnosis on the bus: what an operator asks when something is wrong.
 */
#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-list.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "diagnose.h"
#include "job-types.h"
#include "job/jobs.h"
#include "job/run-work.h"
#include "job/sweep.h"
#include "log.h"
#include "manager.h"
#include "node/node-debts.h"
#include "node/nodes.h"
#include "repository/repositories.h"
#include "store/store-call.h"
#include "store/store-lease.h"
#include "store/store-obligation.h"
#include "store/store-policy.h"
#include "store/store-repository.h"

#include <errno.h>
#include <inttypes.h>

/* The process that answered the handshake on this port. */
static void add_process(const Jobs *jobs, json_t *row)
{
        json_int_t port = json_integer_value(json_object_get(row, "Port"));

        for (size_t i = 0; i < jobs->n_all; i++)
                for (size_t j = 0; j < jobs->all[i]->n_disks; j++) {
                        const JobDisk *disk = jobs->all[i]->disks + j;

                        if (disk->port == port && disk->process_id > 0)
                                (void) json_object_set_new(row, "ProcessId",
                                                           json_integer(disk->process_id));
                }
}

static int answer_ports(Manager *manager, sd_bus_message *call, const json_t *out)
{
        CLEANUP(json_decrefp) json_t *rows = json_deep_copy(json_object_get(out, "Leases"));
        json_t *row;
        size_t i;

        json_array_foreach (rows, i, row)
                add_process(manager->jobs, row);
        return rows ? bus_reply_dicts(call, rows) : -ENOMEM;
}

static int act_list_ports(Manager *manager, sd_bus_message *call, const char *principal,
                          json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_lease_list, json_incref(request), answer_ports,
                              error);
}

int method_list_ports(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = bus_list_read(call, LIST_IS_WHOLE, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, request, act_list_ports,
                                      error);
}

/* What an open job must undo at its end is no concern of anybody's, unless it cannot come to its end; what is owed is. */
static int tell_concern(Jobs *jobs, json_t *row)
{
        const char *state = json_string_value(json_object_get(row, "State"));
        const Job *job =
                        jobs_find(jobs, (uint64_t) json_integer_value(json_object_get(row, "Job")));
        bool is_owed = job_state_is_final(job_state_from_string(state ?: "")) ||
                       (job && run_work_is_stuck(job));

        return json_object_set_new(row, "State", json_string(is_owed ? "owed" : "running"));
}

/* Only what the reference lists: the rows hold more, for the sweep. */
static int answer_obligations(Manager *manager, sd_bus_message *call, const json_t *out)
{
        static const char *const inner[] = { "InstanceUuid", "BackupId",   "RepositoryPath",
                                             "DiskKeys",     "Ending",     "RepositoryUuid",
                                             "RepositoryId", "WasAccepted" };
        CLEANUP(json_decrefp) json_t *rows = json_deep_copy(json_object_get(out, "Obligations"));
        json_t *row;
        size_t i;

        json_array_foreach (rows, i, row) {
                if (tell_concern(manager->jobs, row) < 0)
                        return -ENOMEM;
                for (size_t j = 0; j < ELEMENTSOF(inner); j++)
                        (void) json_object_del(row, inner[j]);
        }
        return rows ? bus_reply_dicts(call, rows) : -ENOMEM;
}

static int act_list_obligations(Manager *manager, sd_bus_message *call, const char *principal,
                                json_t *request, sd_bus_error *error)
{
        (void) principal;
        return bus_call_store(manager, call, store_obligation_list, json_incref(request),
                              answer_obligations, error);
}

int method_list_obligations(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        json_t *request = NULL;
        int r = bus_list_read(call, LIST_IS_WHOLE, &request, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, request, act_list_obligations,
                                      error);
}

/* A deletion that has passed the point of no return, in a repository that will not come back. */
static int give_up(Manager *manager, const LogContext *context)
{
        Job *job = jobs_find(manager->jobs, context->job);

        return job ? run_work_give_up(job, context->principal) : -EBUSY;
}

/* It is owed no more, though nobody has undone it. */
static int answer_forgiven(Manager *manager, sd_bus_message *call, const json_t *out)
{
        const LogContext context = {
                .job = (uint64_t) json_integer_value(json_object_get(out, "Job")),
                .principal = json_string_value(json_object_get(out, "Principal")),
        };

        if (json_is_true(json_object_get(out, "IsOpen")) && give_up(manager, &context) < 0)
                return sd_bus_reply_method_errorf(call, BUS_ERROR_BUSY,
                                                  "Job %" PRIu64
                                                  " is open, and undoes at its end what it owes",
                                                  context.job);
        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE,
                         "What job %" PRIu64 " owes, %s %s, is forgiven by %s", context.job,
                         json_string_value(json_object_get(out, "Kind")),
                         json_string_value(json_object_get(out, "Subject")), context.principal);
        sweeper_look(manager->sweeper);
        return sd_bus_reply_method_return(call, "");
}

static int act_forgive(Manager *manager, sd_bus_message *call, const char *principal,
                       json_t *request, sd_bus_error *error)
{
        char event_id[EVENT_ID_SIZE];
        int r = event_id_make(event_id);

        if (r >= 0 &&
            json_object_update_new(request, json_pack("{s:s, s:I, s:s}", "EventId", event_id,
                                                      "NowUSec", (json_int_t) clock_realtime_usec(),
                                                      "Principal", principal)) < 0)
                r = -ENOMEM;
        return r < 0 ? r
                     : bus_call_store(manager, call, store_obligation_forgive, json_incref(request),
                                      answer_forgiven, error);
}

int method_forgive_obligation(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t id;
        int r = sd_bus_message_read(call, "t", &id);

        if (r >= 0)
                r = bus_options_none(call, error);
        if (r >= 0 && (id == 0 || id > INT64_MAX))
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND, "There is no obligation %" PRIu64,
                                      id);
        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE,
                                      json_pack("{s:I}", "Id", (json_int_t) id), act_forgive,
                                      error);
}

/* What was undone at the hub stands in the request by now; what the nodes owe comes after it. */
static void on_debts(const json_t *lines, void *userdata)
{
        BusWait *wait = userdata;
        json_t *all = json_object_get(wait->request, "Lines");
        int r = json_array_extend(all, (json_t *) lines) < 0 ? -ENOMEM
                                                             : bus_reply_texts(wait->call, all);

        if (r < 0)
                (void) log_warning(r, "Cannot answer Cleanup: %m");
        bus_wait_free(wait);
}

static void on_swept(const json_t *lines, void *userdata)
{
        BusWait *wait = userdata;

        if (json_object_set_new(wait->request, "Lines", json_deep_copy(lines)) < 0 ||
            node_debts_ask(nodes_links(wait->manager->nodes), on_debts, wait) < 0)
                bus_wait_fail(wait, BUS_ERROR_FAILED, "Out of memory");
}

static int act_cleanup(Manager *manager, sd_bus_message *call, const char *principal,
                       json_t *request, sd_bus_error *error)
{
        const LogContext context = { .principal = principal };
        BusWait *wait = bus_wait_new(manager, call, request);
        int r;

        if (!wait)
                return -ENOMEM;
        r = sweeper_run(manager->sweeper, on_swept, wait);
        if (r >= 0) {
                (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE,
                                 "Cleaning up, asked for by %s", principal);
                return 0;
        }
        bus_wait_free(wait);
        if (r == -EBUSY)
                return bus_error_setf(error, BUS_ERROR_BUSY, "A clean-up is under way already");
        return bus_refuse_store(manager, r, error);
}

int method_cleanup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_MANAGE, json_object(), act_cleanup,
                                      error);
}

static void on_diagnosed(const json_t *rows, void *userdata)
{
        BusWait *wait = userdata;
        int r = bus_reply_dicts(wait->call, rows);

        if (r < 0)
                (void) log_warning(r, "Cannot answer Diagnose: %m");
        bus_wait_free(wait);
}

static void diagnose_with(BusWait *wait, const json_t *policies)
{
        if (diagnose(wait->manager, json_object_get(wait->request, "Repositories"), policies,
                     on_diagnosed, wait) < 0)
                bus_wait_fail(wait, BUS_ERROR_FAILED, "Out of memory");
}

static void on_policies(int error, const json_t *out, const char *name, const char *text,
                        void *userdata)
{
        (void) error, (void) name, (void) text; /* the check of the database says it */
        diagnose_with(userdata, json_object_get(out, "Policies"));
}

static void on_repositories(int error, const json_t *out, const char *name, const char *text,
                            void *userdata)
{
        CLEANUP(json_decrefp) json_t *rows = json_deep_copy(json_object_get(out, "Repositories"));
        BusWait *wait = userdata;
        json_t *row;
        size_t i;

        (void) error, (void) name, (void) text; /* the check of the database says it */
        json_array_foreach (rows, i, row)
                repositories_add_health(wait->manager->repositories, row);
        if (rows)
                (void) json_object_set(wait->request, "Repositories", rows);
        if (store_call(wait->manager->store, store_policy_list, json_object(), on_policies, wait) <
            0)
                diagnose_with(wait, NULL);
}

/* It must answer above all when something is wrong: without the database it leaves out what it cannot
 * know. */
static int act_diagnose(Manager *manager, sd_bus_message *call, const char *principal,
                        json_t *request, sd_bus_error *error)
{
        BusWait *wait = bus_wait_new(manager, call, request);

        (void) principal, (void) error;
        if (!wait)
                return -ENOMEM;
        if (store_call(manager->store, store_repository_list, json_object(), on_repositories,
                       wait) < 0)
                diagnose_with(wait, NULL);
        return 0;
}

int method_diagnose(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r = bus_options_none(call, error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT, json_object(), act_diagnose,
                                      error);
}
