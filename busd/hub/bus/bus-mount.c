/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts on the bus: made, ended, listed. A call that makes one is answered when all its disks can be read, and one that ends one
 * when nothing of it is left, so that who called needs not ask again.
 */
#include "bus/bus-mount.h"

#include "bus/bus-call.h"
#include "bus/bus-dict.h"
#include "bus/bus-error.h"
#include "bus/bus-job.h"
#include "bus/bus-methods.h"
#include "cleanup.h"
#include "clock.h"
#include "job/begin.h"
#include "job/work-mount.h"
#include "log.h"
#include "manager.h"
#include "names.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        MOUNT_WAITS_MAX = 64,
};

typedef struct MountWait {
        BusWait *wait;
        uint64_t job;
        bool is_for_end;
} MountWait;

struct MountWaits {
        MountWait all[MOUNT_WAITS_MAX];
        size_t n;
};

/* ── Who waits ── */

MountWaits *mount_waits_new(void)
{
        return calloc(1, sizeof(MountWaits));
}

MountWaits *mount_waits_free(MountWaits *waits)
{
        for (size_t i = 0; waits && i < waits->n; i++)
                bus_wait_free(waits->all[i].wait);
        free(waits);
        return NULL;
}

static int wait_add(Manager *manager, BusWait *wait, uint64_t job, bool is_for_end)
{
        MountWaits *waits = manager->mount_waits;

        if (waits->n >= MOUNT_WAITS_MAX)
                return -EBUSY;
        waits->all[waits->n++] = (MountWait){ wait, job, is_for_end };
        return 0;
}

static void answer_path(BusWait *wait, uint64_t job)
{
        char path[JOB_OBJECT_PATH_SIZE];
        int r;

        bus_job_path(job, path);
        r = sd_bus_reply_method_return(wait->call, "o", path);
        if (r < 0)
                (void) log_warning(r, "Cannot answer MountBackup: %m");
        bus_wait_free(wait);
}

static void answer_ended(BusWait *wait)
{
        int r = sd_bus_reply_method_return(wait->call, "");

        if (r < 0)
                (void) log_warning(r, "Cannot answer UnmountBackup: %m");
        bus_wait_free(wait);
}

/* True when it was answered. */
static bool tell(const MountWait *waiting, const Job *job, JobNews news)
{
        if (news == JOB_NEWS_REMOVED)
                bus_wait_fail(waiting->wait, BUS_ERROR_BUSY,
                              "The job is being read anew; sendensectl mount list shows it");
        else if (waiting->is_for_end && job_state_is_final(job->state))
                answer_ended(waiting->wait);
        else if (!waiting->is_for_end && mount_is_served(job))
                answer_path(waiting->wait, job->id);
        else if (!waiting->is_for_end && job_state_is_final(job->state))
                bus_wait_fail(waiting->wait,
                              *job->error_name ? job->error_name : BUS_ERROR_CANCELLED,
                              *job->error_text ? job->error_text : "It was ended meanwhile");
        else
                return false;
        return true;
}

void bus_mount_on_news(Manager *manager, const Job *job, JobNews news)
{
        MountWaits *waits = manager->mount_waits;

        for (size_t i = waits ? waits->n : 0; i-- > 0;)
                if (waits->all[i].job == job->id && tell(waits->all + i, job, news))
                        waits->all[i] = waits->all[--waits->n];
}

/* ── MountBackup ── */

static void on_begun(int error, const char *name, const char *text, uint64_t id, const Job *job,
                     void *userdata)
{
        BusWait *wait = userdata;

        (void) job;
        if (error < 0)
                bus_wait_fail(wait, name, text);
        else if (wait_add(wait->manager, wait, id, false) < 0)
                bus_wait_fail(wait, BUS_ERROR_BUSY,
                              "It is being mounted; sendensectl mount list shows it");
}

/* A user of this machine gets sockets of his own, anybody else root's. */
static uint32_t uid_of(const char *principal)
{
        uint64_t uid = 0;

        if (strncmp(principal, "uid:", 4) != 0 ||
            parse_uint64(principal + 4, 0, UINT32_MAX - 1, &uid) < 0)
                return 0;
        return (uint32_t) uid;
}

/* What its job keeps of the request. */
static int add_work(json_t *request, const char *principal)
{
        json_t *wanted = json_object_get(request, "Wanted");
        uint64_t expires_sec = (uint64_t) json_integer_value(json_object_get(wanted, "ExpiresSec"));
        json_t *work = mount_work(json_object_get(wanted, "Disks"),
                                  json_is_true(json_object_get(wanted, "Writable")),
                                  json_is_true(json_object_get(wanted, "Port")), uid_of(principal),
                                  clock_realtime_usec() + expires_sec * USEC_PER_SEC);

        if (json_object_set_new(request, "Work", work) < 0)
                return -ENOMEM;
        return json_object_del(request, "Wanted");
}

static int act_mount(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                     sd_bus_error *error)
{
        BusWait *wait;
        int r;

        if (!manager->jobs->is_loaded)
                return bus_error_setf(error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The hub has not taken up its jobs yet (%s); try again",
                                      *manager->database.error ? manager->database.error
                                                               : "it has just started");
        r = add_work(request, principal);
        if (r >= 0)
                r = request_add_text(request, "Principal", principal);
        if (r < 0)
                return r;
        wait = bus_wait_new(manager, call, NULL);
        if (!wait)
                return -ENOMEM;
        r = job_begin_work(manager->jobs, request, on_begun, wait);
        if (r >= 0)
                return 0;
        bus_wait_free(wait);
        return bus_refuse_store(manager, r, error);
}

int method_mount_backup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t expires_sec = MOUNT_EXPIRES_DEFAULT_SEC;
        CLEANUP(json_decrefp) json_t *keys = NULL;
        bool is_writable = false, wants_port = false;
        const char *id;
        const BusOption options[] = {
                { "disks", BUS_OPTION_NUMBERS, JOB_DISKS_MAX, &keys, NULL },
                { "writable", BUS_OPTION_BOOL, 0, &is_writable, NULL },
                { "expires_sec", BUS_OPTION_UINT64, MOUNT_EXPIRES_MAX_SEC, &expires_sec, NULL },
                { "port", BUS_OPTION_BOOL, 0, &wants_port, NULL },
        };
        int r;

        r = sd_bus_message_read(call, "s", &id);
        if (r >= 0)
                r = bus_options_read(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (expires_sec == 0)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "Option expires_sec must be from 1 to %d",
                                      MOUNT_EXPIRES_MAX_SEC);
        /* On a port every user of the machine may read it. */
        return bus_call_check(userdata, call, wants_port ? ACTION_MANAGE : ACTION_RESTORE,
                              json_pack("{s:s, s:s, s:{s:O*, s:b, s:b, s:I}}", "Type",
                                        job_type_to_string(JOB_MOUNT), "BackupId",
                                        backup_id_is_valid(id) ? id : "", "Wanted", "Disks", keys,
                                        "Writable", is_writable, "Port", wants_port, "ExpiresSec",
                                        (json_int_t) expires_sec),
                              act_mount, error);
}

/* ── UnmountBackup ── */

static int act_unmount(Manager *manager, sd_bus_message *call, const char *principal,
                       json_t *request, sd_bus_error *error)
{
        uint64_t id = (uint64_t) json_integer_value(json_object_get(request, "Id"));
        Job *job = jobs_find(manager->jobs, id);
        BusWait *wait;
        int r;

        if (!job || job->type != JOB_MOUNT || job_state_is_final(job->state))
                return bus_error_setf(error, BUS_ERROR_NOT_FOUND,
                                      "There is no mount %" PRIu64
                                      "; sendensectl mount list shows those there are",
                                      id);
        if (store_status(manager->store)->state != DATABASE_READY)
                return bus_refuse_store(manager, -ENOTCONN, error);
        r = mount_end(job, principal);
        if (r == -EAGAIN)
                return bus_error_setf(error, BUS_ERROR_BUSY,
                                      "Job %" PRIu64
                                      " is just being mounted; try again, or cancel the job",
                                      id);
        /* It ends, whoever wanted it first. */
        wait = bus_wait_new(manager, call, NULL);
        r = wait ? wait_add(manager, wait, id, true) : -ENOMEM;
        if (r < 0)
                bus_wait_free(wait);
        return r;
}

int method_unmount_backup(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        uint64_t id;
        int r = sd_bus_message_read(call, "t", &id);

        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        return bus_call_check(userdata, call, ACTION_RESTORE,
                              json_pack("{s:I}", "Id",
                                        id <= JOB_NUMBER_MAX ? (json_int_t) id : (json_int_t) 0),
                              act_unmount, error);
}

/* ── ListMounts ── */

static bool is_listed(const Job *job, const char *backup_id)
{
        return job->type == JOB_MOUNT && !job_state_is_final(job->state) &&
               (!backup_id || strcmp(job_text(job, "BackupId"), backup_id) == 0);
}

static int act_list(Manager *manager, sd_bus_message *call, const char *principal, json_t *request,
                    sd_bus_error *error)
{
        const char *backup_id = json_string_value(json_object_get(request, "BackupId"));
        CLEANUP(json_decrefp) json_t *mounts = json_array();

        (void) principal;
        if (!manager->jobs->is_loaded)
                return bus_error_setf(error, BUS_ERROR_DATABASE_UNAVAILABLE,
                                      "The hub has not taken up its jobs yet; try again");
        for (size_t i = 0; i < manager->jobs->n_all; i++)
                if (is_listed(manager->jobs->all[i], backup_id) &&
                    json_array_append_new(mounts, mount_describe(manager->jobs->all[i])) < 0)
                        return -ENOMEM;
        return bus_reply_dicts(call, mounts);
}

int method_list_mounts(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *backup_id = NULL;
        const BusOption options[] = {
                { "backup", BUS_OPTION_STRING, BACKUP_ID_SIZE, &backup_id, NULL },
        };
        int r = bus_options_read(call, options, ELEMENTSOF(options), error);

        return r < 0 ? r
                     : bus_call_check(userdata, call, ACTION_INSPECT,
                                      json_pack("{s:s*}", "BackupId", backup_id), act_list, error);
}
