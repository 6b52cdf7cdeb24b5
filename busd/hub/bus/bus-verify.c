/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The methods that have backups read back: one, or all that were not for a while.
 */
#include "bus/bus-begin.h"
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
#include "refusal.h"
#include "store/store-call.h"
#include "store/store-verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        VERIFIED_AT_ONCE = 200, /* jobs that one call makes; the next call goes on */
        ROUND_SHARE = 2, /* a round leaves that part of the open jobs, and at least one, to what people wait for */
};

int method_verify_backup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(json_decrefp) json_t *disks = NULL;
        const char *backup_id, *key_text = NULL;
        bool chain = true;
        const BusOption options[] = {
                { "chain", BUS_OPTION_BOOL, 0, &chain, NULL },
                { "disks", BUS_OPTION_NUMBERS, JOB_DISKS_MAX, &disks, NULL },
                { "idempotency_key", BUS_OPTION_STRING, BUS_KEY_MAX_BYTES, &key_text, NULL },
        };
        const json_t *key;
        size_t i;
        int r;

        r = sd_bus_message_read(call, "s", &backup_id);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (disks && json_array_size(disks) == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option disks is empty; leave it out for all disks");
        json_array_foreach (disks, i, key)
                if (json_integer_value(key) < 1 ||
                    json_integer_value(key) > (json_int_t) DISK_KEY_MAX)
                        return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                              "Option disks has a number that is no disk key");
        return bus_begin_work(userdata, call, ACTION_BACKUP, JOB_VERIFY, backup_id,
                              json_pack("{s:b, s:O*}", "chain", chain, "disks", disks), key_text,
                              error);
}

/* All that are due: one job after the other is written down, and then the call is answered. */
typedef struct Round {
        BusWait *wait;
        json_t *due; /* rows of backups */
        size_t next;
        json_t *paths; /* of the jobs that were made */
} Round;

static Round *round_free(Round *round)
{
        json_decref(round->due);
        json_decref(round->paths);
        free(round);
        return NULL;
}

static void answer_round(Round *round)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const json_t *path;
        size_t i;
        int r;

        r = sd_bus_message_new_method_return(round->wait->call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "o");
        json_array_foreach (round->paths, i, path)
                if (r >= 0)
                        r = sd_bus_message_append(reply, "o", json_string_value(path));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_send(reply);
        if (r < 0)
                (void) log_warning(r, "Cannot answer VerifyAll: %m");
        bus_wait_free(round->wait);
        round_free(round);
}

static void begin_next(Round *round);

/* Further jobs are for the next call. Only when none was begun the caller is told so, and asks again. */
static void end_full(Round *round)
{
        const HubConfig *config = round->wait->manager->jobs->config;
        char text[160];

        if (json_array_size(round->paths) > 0) {
                answer_round(round);
                return;
        }
        (void) snprintf(text, sizeof(text),
                        "Backups are due, but %zu jobs are open already, and a round of "
                        "verifications leaves half of [Jobs] Queued=%" PRIu64 " to others",
                        jobs_n_open_of(round->wait->manager->jobs, false), config->jobs_queued);
        bus_wait_fail(round->wait, BUS_ERROR_BUSY, text);
        round_free(round);
}

static bool is_round_full(const Round *round)
{
        const Jobs *jobs = round->wait->manager->jobs;
        uint64_t most = jobs->config->jobs_queued / ROUND_SHARE;

        return jobs_n_open_of(jobs, false) >= (most > 0 ? most : 1);
}

/* A backup that was deleted meanwhile, or is being deleted, is nobody's fault. */
static void on_begun(int error, const char *name, const char *text, uint64_t id, const Job *job,
                     void *userdata)
{
        char path[JOB_OBJECT_PATH_SIZE];
        Round *round = userdata;

        (void) job;
        if (error < 0 && strcmp(name ?: "", BUS_ERROR_BUSY) == 0) {
                end_full(round);
                return;
        }
        if (error < 0 && strcmp(name ?: "", BUS_ERROR_NOT_FOUND) != 0 &&
            strcmp(name ?: "", BUS_ERROR_VM_BUSY) != 0) {
                bus_wait_fail(round->wait, name, text);
                round_free(round);
                return;
        }
        if (error >= 0) {
                bus_job_path(id, path);
                (void) json_array_append_new(round->paths, json_string(path));
        }
        begin_next(round);
}

static void begin_next(Round *round)
{
        const json_t *row = json_array_get(round->due, round->next++);
        CLEANUP(json_decrefp) json_t *request = NULL;
        int r;

        if (!row) {
                answer_round(round);
                return;
        }
        if (is_round_full(round)) {
                end_full(round);
                return;
        }
        request = json_pack("{s:s, s:O, s:{s:b, s:b}, s:O}", "Type", job_type_to_string(JOB_VERIFY),
                            "BackupId", json_object_get(row, "BackupId"), "Work", "chain", 1, "due",
                            1, "Principal", json_object_get(round->wait->request, "Principal"));
        r = request ? job_begin_work(round->wait->manager->jobs, request, on_begun, round)
                    : -ENOMEM;
        if (r >= 0)
                return;
        bus_wait_fail(round->wait,
                      r == -ENOTCONN ? BUS_ERROR_DATABASE_UNAVAILABLE : BUS_ERROR_FAILED,
                      "The jobs cannot all be written down; try again");
        round_free(round);
}

static void on_due(int error, const json_t *out, const char *name, const char *text, void *userdata)
{
        Round *round = userdata;

        if (error < 0) {
                bus_wait_fail(round->wait, name, text);
                round_free(round);
                return;
        }
        round->due = json_incref(json_object_get(out, "Backups"));
        begin_next(round);
}

static int act_verify_all(Manager *manager, sd_bus_message *call, const char *principal,
                          json_t *request, sd_bus_error *error)
{
        Round *round;
        int r;

        if (!manager->jobs->is_loaded)
                return bus_error_setf(error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The hub has not taken up its jobs yet; try again");
        r = request_add_text(request, "Principal", principal);
        if (r < 0)
                return r;
        round = malloc(sizeof(*round));
        if (!round)
                return -ENOMEM;
        *round = (Round){ .wait = bus_wait_new(manager, call, request), .paths = json_array() };
        r = round->wait && round->paths ? store_call(manager->store, store_verify_due,
                                                     json_deep_copy(request), on_due, round)
                                        : -ENOMEM;
        if (r >= 0)
                return 0;
        if (round->wait)
                bus_wait_free(round->wait);
        round_free(round);
        return bus_refuse_store(manager, r, error);
}

int method_verify_all(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *vm = NULL, *repository = NULL;
        uint64_t age_usec = 0, now_usec = clock_realtime_usec();
        const BusOption options[] = {
                { "older_than_usec", BUS_OPTION_UINT64, INT64_MAX, &age_usec, NULL },
                { "vm", BUS_OPTION_STRING, LIST_FILTER_MAX, &vm, NULL },
                { "repository", BUS_OPTION_STRING, LIST_FILTER_MAX, &repository, NULL },
        };
        json_t *request;
        int r;

        r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        request = json_pack("{s:I, s:i, s:s*, s:s*}", "BeforeUSec",
                            (json_int_t) (age_usec < now_usec ? now_usec - age_usec : 1), "Limit",
                            VERIFIED_AT_ONCE, "Vm", vm, "Repository", repository);
        return bus_call_check(userdata, call, ACTION_BACKUP, request, act_verify_all, error);
}
