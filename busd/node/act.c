/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Acts (see act.h).
 */
#include "act.h"

#include "bus-node.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "json-cleanup.h"
#include "keep.h"
#include "ledger.h"
#include "log.h"
#include "request.h"
#include "task-login.h"
#include "task-release.h"
#include "task-run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <systemd/sd-id128.h>

/* What is in the sealed memory behind fd. */
static int read_memory(int fd, Secret **ret_secret, sd_bus_error *error)
{
        int r = secret_read_memfd(fd, REQUEST_SIZE_MAX, ret_secret);

        return r < 0 ? bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The request must be a memfd of at most %d bytes, sealed "
                                      "against every change",
                                      REQUEST_SIZE_MAX)
                     : 0;
}

/* It is what the task has, or what was refused: no other than before. */
static bool knows_login(const Task *task, const Login *login)
{
        bool is_same = task->password ? secret_equal(task->password, login->password)
                                      : task_login_was_refused(task, login->password);

        return is_same && !task_place_differs(task, login->place);
}

/* Of this very task, from who may release it: it is newer than the one that the task began with, be it by its password alone.
 * Another vCenter's is none. */
static void renew(Task *task, const Login *login)
{
        const LogContext context = { .job = task->job, .vm = task_request(task, "vm_name") };
        Secret *copy;

        if (!task_owes(task) || strcmp(task_request(task, "vcenter_host"), login->host) != 0 ||
            knows_login(task, login) ||
            secret_new(secret_data(login->password), secret_size(login->password), &copy) < 0)
                return;
        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_NONE,
                         "Job %" PRIu64 " of %s goes on as %s at %s", task->job, context.vm,
                         login->user, login->host);
        task_set_place(task, login->place);
        task_login(task, copy);
        (void) task_store(task);
}

/* What a restore makes is known by this alone, from before it is made. */
static int add_restore(json_t *row)
{
        char uuid[SD_ID128_UUID_STRING_MAX];
        sd_id128_t id;
        int r = sd_id128_randomize(&id);

        if (r < 0)
                return r;
        return json_object_update_new(row,
                                      json_pack("{s:s, s:s, s:b}", "Kind", "restore", "NewUuid",
                                                sd_id128_to_uuid_string(id, uuid), "OwesVm", 0)) < 0
                               ? -ENOMEM
                               : 0;
}

static json_t *row_new(const Node *node, const Request *request, bool is_restore,
                       const char *principal)
{
        CLEANUP(json_decref_p) json_t *row = NULL;
        char name[80] = "";

        if (!is_restore)
                (void) snprintf(name, sizeof(name), "sendense-%s-%" PRIu64 "-%" PRIu64,
                                node->installation, request->job, request->attempt);
        row = json_pack("{s:i, s:I, s:I, s:s, s:O, s:s, s:s, s:b, s:s, s:s, s:I}", "Format", 1,
                        "Job", (json_int_t) request->job, "Attempt", (json_int_t) request->attempt,
                        "State", task_state_to_string(TASK_ACCEPTED), "Request", request->public,
                        "Digest", request->digest, "SnapshotName", name, "OwesSnapshot", 0,
                        "BootId", node->boot_id, "Principal", principal, "CreatedUSec",
                        (json_int_t) clock_realtime_usec());
        if (request->keys && json_object_set_new(row, "HasKeys", json_true()) < 0)
                return NULL;
        return row && (!is_restore || add_restore(row) >= 0) ? TAKE(row) : NULL;
}

/* The job is known. 1: this is the same request; 0: it is a new attempt, and the old one is over. */
static int compare(const Task *task, const Request *request, sd_bus_error *error)
{
        char waits_for[TASK_WAITING_SIZE];

        if (task->attempt == request->attempt &&
            strcmp(task_text(task, "Digest"), request->digest) == 0)
                return 1;
        if (request->attempt <= task->attempt)
                return bus_error_setf(error, BUS_ERROR_EXISTS,
                                      "Job %" PRIu64 " has been at attempt %" PRIu64
                                      " already, with another request",
                                      task->job, task->attempt);
        task_waits_for(task, waits_for);
        if (!task_state_is_final(task->state))
                return bus_error_setf(error, BUS_ERROR_EXISTS,
                                      "Attempt %" PRIu64 " of job %" PRIu64
                                      " is %s; it must end first%s%s",
                                      task->attempt, task->job, task_state_to_string(task->state),
                                      *waits_for ? ". It waits for " : "", waits_for);
        return 0;
}

/* Written before anything is begun: what the ledger does not hold is not done. */
static int accept(Node *node, Request *request, bool is_restore, const char *principal,
                  Task **ret_task, sd_bus_error *error)
{
        CLEANUP(json_decref_p) json_t *row = row_new(node, request, is_restore, principal);
        Task *task;
        int r;

        /* In this order: a node that dies in between finds the secrets that the row needs. */
        keep_secret(request->job, KEEP_LOGIN, request->password);
        if (request->keys)
                keep_secret(request->job, KEEP_KEYS, request->keys);
        r = row ? ledger_write(node->ledger, row) : -ENOMEM;
        if (r < 0) {
                keep_nothing(request->job);
                return bus_error_setf(error, BUS_ERROR_FAILED, "The ledger cannot be written: %s",
                                      strerror(-r));
        }
        task = task_new(node, TAKE(row));
        r = task ? node_add(node, task) : -ENOMEM;
        if (r < 0) {
                (void) ledger_remove(node->ledger, request->job);
                keep_nothing(request->job);
                task_free(task);
                return bus_error_setf(error, BUS_ERROR_BUSY, "The node has too many tasks");
        }
        task->password = TAKE(request->password);
        task->keys = TAKE(request->keys);
        *ret_task = task;
        return 0;
}

static int refuse_busy(const Task *other, sd_bus_error *error)
{
        char waits_for[TASK_WAITING_SIZE];

        task_waits_for(other, waits_for);
        return bus_error_setf(error, BUS_ERROR_VM_BUSY, "Job %" PRIu64 " is at work on this VM%s%s",
                              other->job, *waits_for ? ", and waits for " : "", waits_for);
}

static int start(Node *node, Request *request, bool is_restore, const char *principal,
                 const Task **ret_task, sd_bus_error *error)
{
        const json_t *of =
                        is_restore ? json_object_get(request->public, "in_place") : request->public;
        const char *uuid = json_string_value(json_object_get(of, "instance_uuid"));
        Task *task = node_find(node, request->job), *other;
        LogContext context;
        int r;

        if (!node->credentials)
                return bus_error_setf(error, BUS_ERROR_NOT_ALLOWED,
                                      "The node has no socket to give passwords through. Start it: "
                                      "systemctl enable "
                                      "--now sendense-node-credentials.socket, then restart "
                                      "sendense-node");
        if (task) {
                r = compare(task, request, error);
                if (r != 0) {
                        *ret_task = task;
                        return r < 0 ? r : 0;
                }
                /* Its slice, which is the new one's too, is being stopped, and the answers need the task. */
                if (task->n_calls > 0)
                        return bus_error_setf(error, BUS_ERROR_BUSY,
                                              "Attempt %" PRIu64 " of job %" PRIu64
                                              " is just being put away; try again",
                                              task->attempt, task->job);
        }
        other = uuid ? node_find_vm(node, uuid, is_restore) : NULL;
        if (other)
                return refuse_busy(other, error);
        if (task)
                node_drop(node, task);
        task = NULL;
        r = accept(node, request, is_restore, principal, &task, error);
        if (r < 0 || !task)
                return r < 0 ? r : -ENOMEM;
        context = (LogContext){ .job = task->job,
                                .vm = task_request(task, "vm_name"),
                                .principal = principal };
        (void) log_event(LOG_INFO, 0, &context, MESSAGE_JOB_CREATED,
                         "Job %" PRIu64 ", attempt %" PRIu64 ": %s of %s for %s", task->job,
                         task->attempt, is_restore ? "restore" : "backup", context.vm, principal);
        bus_task_added(task);
        task_enter(task);
        *ret_task = task;
        return 0;
}

int act_start(Node *node, int fd, bool is_restore, const char *principal, const Task **ret_task,
              sd_bus_error *error)
{
        CLEANUP(secret_free_p) Secret *memory = NULL;
        CLEANUP(request_done) Request request = {};
        char why[REQUEST_ERROR_SIZE];
        int r;

        r = read_memory(fd, &memory, error);
        if (r < 0)
                return r;
        r = (is_restore ? restore_request_read : request_read)(secret_data(memory),
                                                               secret_size(memory), &request, why);
        if (r == -EBADMSG)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why);
        if (r < 0)
                return r;
        return start(node, &request, is_restore, principal, ret_task, error);
}

int act_cancel(Task *task, const char *principal, sd_bus_error *error)
{
        if (task_cancel(task, principal) == -EALREADY)
                return bus_error_setf(error, BUS_ERROR_EXISTS, "Job %" PRIu64 " is %s already",
                                      task->job, task_state_to_string(task->state));
        return 0;
}

/* A login in a body that is about a task may be missing, or be the password alone: the task knows where and who. */
static int read_login(int fd, bool must, const char *host, const char *user, Login *ret_login,
                      sd_bus_error *error)
{
        CLEANUP(secret_free_p) Secret *memory = NULL;
        char why[REQUEST_ERROR_SIZE];
        int r;

        r = read_memory(fd, &memory, error);
        if (r < 0)
                return r;
        r = login_read(secret_data(memory), secret_size(memory), host, user, ret_login, why);
        if (r == -EBADMSG)
                return must ? bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT, "%s", why) : 0;
        return r;
}

int act_release(Task *task, const char *outcome, int fd, const char *principal, sd_bus_error *error)
{
        CLEANUP(login_done) Login login = {};
        int r = 0;

        if (fd >= 0)
                r = read_login(fd, false, task_request(task, "vcenter_host"),
                               task_request(task, "vcenter_user"), &login, error);
        if (r < 0)
                return r;
        if (login.password) {
                renew(task, &login);
                logins_offer(task->node, login.host, login.user, login.password);
        }
        r = task_release(task, outcome, principal);
        if (r == -EINVAL)
                return bus_error_setf(error, BUS_ERROR_INVALID_ARGUMENT,
                                      "The outcome must be committed or abandoned");
        if (r == -EBUSY)
                return bus_error_setf(error, BUS_ERROR_EXISTS,
                                      "Job %" PRIu64 " is %s; only what is copied can be committed",
                                      task->job, task_state_to_string(task->state));
        return 0;
}

static bool is_named(const Login *login, uint64_t job)
{
        for (size_t i = 0; i < login->n_jobs; i++)
                if (login->jobs[i] == job)
                        return true;
        return false;
}

static bool is_meant(const Login *login, uint64_t job)
{
        return login->n_jobs == 0 || is_named(login, job);
}

/* A job that is copied is held for the hub; naming it here is no release. */
static const char *outcome_of(const Task *task)
{
        if (!task_owes(task))
                return "removed";
        if (task->state == TASK_RELEASING)
                return task->password || task->unit[0] ? "removing" : "owed";
        return task_state_is_final(task->state) ? "owed" : "in use";
}

int act_clean_up(Node *node, int fd, const char *principal, sd_bus_message *reply,
                 sd_bus_error *error)
{
        CLEANUP(login_done) Login login = {};
        const LogContext context = { .principal = principal };
        int r;

        r = read_login(fd, true, NULL, NULL, &login, error);
        if (r < 0)
                return r;
        (void) log_event(LOG_INFO, 0, &context, MESSAGE_NONE,
                         "A login for the snapshots of older jobs at %s came from %s", login.host,
                         principal);
        for (size_t i = 0; i < node->n_tasks; i++)
                if (is_named(&login, node->tasks[i]->job))
                        renew(node->tasks[i], &login);
        logins_offer(node, login.host, login.user, login.password);
        r = sd_bus_message_open_container(reply, 'a', "(ts)");
        for (size_t i = 0; r >= 0 && i < node->n_tasks; i++)
                if (is_meant(&login, node->tasks[i]->job) &&
                    strcmp(task_request(node->tasks[i], "vcenter_host"), login.host) == 0)
                        r = sd_bus_message_append(reply, "(ts)", node->tasks[i]->job,
                                                  outcome_of(node->tasks[i]));
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
