/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The runner of tasks (see task-run.h): what follows what, what a result means, and what is still owed when something fails.
 */
#include "task-run.h"

#include "budget.h"
#include "bus-node.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "clock.h"
#include "inhibitor.h"
#include "json-cleanup.h"
#include "keep.h"
#include "ledger.h"
#include "log.h"
#include "node.h"
#include "parse.h"
#include "task-login.h"
#include "task-look.h"
#include "task-release.h"
#include "task-restore.h"
#include "task-result.h"
#include "task-step.h"
#include "task-unit.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

LogContext task_context(const Task *task)
{
        return (LogContext){ .job = task->job,
                             .vm = task_request(task, "vm_name"),
                             .phase = task_state_to_string(task->state) };
}

/* Writes the row. A ledger that cannot be written stops nothing once what is owed stands in it; before that, begin()
 * obeys the answer. */
int task_store(Task *task)
{
        const LogContext context = task_context(task);
        int r = ledger_write(task->node->ledger, task->row);

        if (r < 0)
                (void) log_event(LOG_ERR, r, &context, MESSAGE_NONE,
                                 "The ledger of job %" PRIu64
                                 " cannot be written: %m; a restart now would take "
                                 "it up in an earlier state",
                                 task->job);
        return r;
}

/* Whoever waits for its turn looks again, once this is done. */
void task_wake_waiting(Node *node)
{
        for (size_t i = 0; i < node->n_tasks; i++)
                if (node->tasks[i]->waiting[0] && !node->tasks[i]->timer)
                        task_retry(node->tasks[i], 0);
}

/* The answer is that of the ledger. */
int task_move(Task *task, TaskEvent event)
{
        TaskState before = task->state, after = task_state_after(before, event);
        LogContext context;
        int r;

        if (after < 0) {
                context = task_context(task);
                (void) log_event(LOG_ERR, 0, &context, MESSAGE_NONE,
                                 "Job %" PRIu64 " cannot be %s when it is %s", task->job,
                                 task_event_to_string(event), task_state_to_string(before));
                return -EPROTO;
        }
        task->state = after;
        task_set(task, "State", json_string(task_state_to_string(after)));
        r = task_store(task);
        context = task_context(task);
        (void) log_event(LOG_INFO, 0, &context, MESSAGE_JOB_STATE,
                         "Job %" PRIu64 " of %s: %s, was %s", task->job, context.vm,
                         task_state_to_string(after), task_state_to_string(before));
        bus_task_changed(task);
        inhibitor_set(task->node->inhibitor, node_n_owed(task->node) > 0);
        task_wake_waiting(task->node);
        return r;
}

void task_timer_off(Task *task)
{
        task->timer = sd_event_source_disable_unref(task->timer);
}

void task_timer_set(Task *task, uint64_t usec, sd_event_time_handler_t handler)
{
        int r;

        task_timer_off(task);
        r = sd_event_add_time_relative(task->node->event, &task->timer, CLOCK_MONOTONIC, usec, 0,
                                       handler, task);
        if (r < 0)
                (void) log_error(r, "Cannot set a timer of job %" PRIu64 ": %m", task->job);
}

/* Whatever it did is undone: the snapshot goes, if there may be one. */
static void undo(Task *task)
{
        task_timer_off(task);
        task->waiting[0] = '\0';
        (void) task_move(task, TASK_EVENT_UNDO);
        if (task->unit[0])
                task_step_close(task);
        else
                task_enter(task);
}

static void fail(Task *task, const char *name, const char *text)
{
        LogContext context = task_context(task);

        if (*task_text(task, "Ending"))
                return;
        task_set(task, "Ending", json_string("failed"));
        task_set(task, "ErrorName", json_string(name));
        task_set_text(task, "ErrorText", text);
        (void) log_event(LOG_ERR, 0, &context, MESSAGE_JOB_FAILED,
                         "Job %" PRIu64 " of %s failed: %s", task->job, context.vm,
                         task_text(task, "ErrorText"));
        undo(task);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        Task *task = userdata;

        (void) source;
        (void) usec;
        task_timer_off(task);
        if (task->unit[0])
                task_step_ask_again(task);
        else
                task_enter(task);
        return 0;
}

void task_retry(Task *task, uint64_t delay_sec)
{
        task_timer_set(task, delay_sec * USEC_PER_SEC, on_retry);
}

/* ── Results ── */

static void copied(Task *task, const char *member, json_t *result)
{
        task_set(task, member, result);
        task_set(task, "CopiedUSec", json_integer((json_int_t) clock_realtime_usec()));
        (void) task_move(task, TASK_EVENT_COPIED);
}

/* Where the new disks are, and that they may become those of the VM, is written before a hand is laid on it. */
static int begin_swap(Task *task, const json_t *result)
{
        int r;

        task_set(task, "Copy", task_result_summary(task, result));
        task_set(task, "SwapBegan", json_true());
        r = task_store(task);
        if (r < 0)
                fail(task, BUS_ERROR_FAILED,
                     "The ledger below /var/lib/sendense-node cannot be written, so no disk was "
                     "exchanged");
        return r;
}

void task_step_ok(Task *task, const json_t *result)
{
        char why[256], end_why[512];
        int r;

        task_login_proven(task);
        switch (task->state) {
        case TASK_ACCEPTED:
                if (task_is_restore(task))
                        task_set(task, "Look", json_deep_copy(result));
                else if (task_look_take(task, result, why) < 0) {
                        fail(task, BUS_ERROR_DISKS_CHANGED, why);
                        return;
                }
                (void) task_store(task);
                break;
        case TASK_SNAPSHOTTING:
                task_set(task, "Snapshot", json_deep_copy(result));
                (void) task_move(task, TASK_EVENT_SNAPSHOT_TAKEN);
                /* They may have changed since the look. */
                if (task_check_targets(task, json_object_get(result, "disks"),
                                       json_object_get(result, "excluded"), why) < 0) {
                        fail(task, BUS_ERROR_DISKS_CHANGED, why);
                        return;
                }
                break;
        case TASK_COPYING:
                if (task_is_restore(task) && restore_step(task) == RESTORE_SWAP) {
                        copied(task, "Swap", json_deep_copy(result));
                        break;
                }
                r = ledger_write_result(task->node->ledger, task->job, result);
                if (r < 0) {
                        (void) snprintf(why, sizeof(why),
                                        "The result of the copy cannot be kept below "
                                        "/var/lib/sendense-node: %s",
                                        r == -EFBIG ? "it is larger than any result may be"
                                                    : strerror(-r));
                        fail(task, BUS_ERROR_FAILED, why);
                        return;
                }
                if (!restore_is_in_place(task))
                        copied(task, "Copy", task_result_summary(task, result));
                else if (begin_swap(task, result) < 0)
                        return;
                break;
        case TASK_RELEASING:
                if (task_is_restore(task) && restore_take_end(task, result, end_why) > 0) {
                        task_release_failed(task, BUS_ERROR_VM_LEFT, end_why);
                        return;
                }
                if (!task_is_restore(task))
                        task_result_of_release(task, result);
                task_set_owes(task, false);
                task_set(task, "ReleaseError", json_null());
                (void) task_store(task);
                break;
        case TASK_COPIED:
        case TASK_RELEASED:
        case TASK_FAILED:
        case TASK_CANCELLED:
        case TASK_STATE_MAX:
        case TASK_STATE_INVALID:
                break;
        }
        task_step_close(task);
}

void task_step_failed(Task *task, const char *name, const char *text)
{
        if (task->state == TASK_RELEASING)
                task_release_failed(task, name, text);
        else
                fail(task, name, text);
}

/* ── States ── */

static void begin(Task *task)
{
        bool is_restore = task_is_restore(task);

        /* Of its next step nothing can be there yet. */
        task->is_recovered = false;
        task_set_owes(task, true);
        if (task_move(task, is_restore ? TASK_EVENT_BEGIN_IMPORT : TASK_EVENT_BEGIN) >= 0) {
                task_enter(task);
                return;
        }
        /* A snapshot or a VM that the ledger does not hold would be nobody's after a restart. */
        task_set_owes(task, false);
        fail(task, BUS_ERROR_FAILED,
             is_restore ? "The ledger below /var/lib/sendense-node cannot be written, so no VM was "
                          "made"
                        : "The ledger below /var/lib/sendense-node cannot be written, so no "
                          "snapshot was made");
}

/* Its snapshot comes when host and datastores have room for it. */
static void admit(Task *task)
{
        char reason[TASK_WAITING_SIZE] = "";
        const LogContext context = task_context(task);
        bool is_new = !task->waiting[0];

        if (budget_admits(task->node, task, reason)) {
                task->waiting[0] = '\0';
                begin(task);
                return;
        }
        if (strcmp(task->waiting, reason) == 0)
                return;
        (void) snprintf(task->waiting, sizeof(task->waiting), "%s", reason);
        if (is_new)
                (void) log_event(LOG_INFO, 0, &context, MESSAGE_NONE,
                                 "Job %" PRIu64 " of %s waits for %s", task->job, context.vm,
                                 reason);
        bus_task_changed(task);
}

void task_finish(Task *task)
{
        const char *ending = task_text(task, "Ending");
        LogContext context;

        (void) task_move(task, strcmp(ending, "failed") == 0      ? TASK_EVENT_DONE_FAILED
                               : strcmp(ending, "cancelled") == 0 ? TASK_EVENT_DONE_CANCELLED
                                                                  : TASK_EVENT_DONE);
        task->password = secret_free(task->password);
        task->refused = secret_free(task->refused);
        task->keys = secret_free(task->keys);
        keep_nothing(task->job);
        context = task_context(task);
        (void) log_event(LOG_INFO, 0, &context, MESSAGE_JOB_ENDED, "Job %" PRIu64 " of %s is %s",
                         task->job, context.vm, task_state_to_string(task->state));
        bus_task_removed(task);
        task_stop_slice(task);
}

static int on_no_login(sd_event_source *source, uint64_t usec, void *userdata)
{
        Task *task = userdata;

        (void) source;
        (void) usec;
        fail(task, BUS_ERROR_NODE_UNREACHABLE,
             "The node was stopped in the middle of it, and nobody has offered a login for vCenter "
             "since");
        return 0;
}

/* A unit without a password would only fail. So would one without the keys of its exports, and nobody offers them twice: another attempt
 * has new ones. */
static void step(Task *task)
{
        const LogContext context = task_context(task);

        if (task_unit_needs_keys(task) && !task->keys && !task->is_recovered) {
                fail(task, BUS_ERROR_NODE_UNREACHABLE,
                     "The node was stopped in the middle of it, and has lost the keys of the hub's "
                     "exports; start it again");
                return;
        }
        if (task->password || task->is_recovered) {
                task_step_begin(task);
                return;
        }
        (void) log_event(LOG_WARNING, 0, &context, MESSAGE_NONE,
                         "Job %" PRIu64 " of %s goes on when the hub offers a login for %s",
                         task->job, context.vm, task_request(task, "vcenter_host"));
        task_timer_set(task, task->node->config->snapshot_hold_usec, on_no_login);
}

static bool must_look(const Task *task)
{
        return task_is_restore(task) ? restore_step(task) == RESTORE_LOOK
                                     : task_look(task) != TASK_LOOK_DONE;
}

void task_enter(Task *task)
{
        if (task->timer || task->unit[0] || task->node->is_stopping)
                return;
        switch (task->state) {
        case TASK_ACCEPTED:
                if (must_look(task))
                        step(task);
                else if (task_is_restore(task))
                        begin(task);
                else
                        admit(task);
                break;
        case TASK_SNAPSHOTTING:
        case TASK_COPYING:
                step(task);
                break;
        case TASK_COPIED:
                task_hold(task);
                break;
        case TASK_RELEASING:
                task_release_enter(task);
                break;
        case TASK_RELEASED:
        case TASK_FAILED:
        case TASK_CANCELLED:
        case TASK_STATE_MAX:
        case TASK_STATE_INVALID:
                break;
        }
}

/* By names that pass: the hub tries such a job again. */
static bool was_lost(Task *task, bool is_same_boot)
{
        bool is_begun = task->state == TASK_SNAPSHOTTING || task->state == TASK_COPYING;

        if (!is_same_boot && is_begun)
                fail(task, BUS_ERROR_REBOOTED, "The node was rebooted in the middle of it");
        else if (task->state != TASK_ACCEPTED || task->password)
                return false;
        else if (!is_same_boot)
                fail(task, BUS_ERROR_REBOOTED,
                     "The node was rebooted before anything was begun; start it again");
        else
                fail(task, BUS_ERROR_NODE_UNREACHABLE,
                     "The node was stopped before anything was begun; start it again");
        return true;
}

void task_recover(Task *task, bool is_same_boot)
{
        if (task_state_is_final(task->state))
                return;
        /* What it starts from now on runs in this boot, and a restart of the node finds it again. */
        if (!is_same_boot) {
                task_set(task, "BootId", json_string(task->node->boot_id));
                (void) task_store(task);
        }
        if (was_lost(task, is_same_boot))
                return;
        task->is_recovered = is_same_boot;
        task_enter(task);
}

int task_cancel(Task *task, const char *principal)
{
        const LogContext context = { .job = task->job,
                                     .vm = task_request(task, "vm_name"),
                                     .principal = principal };

        /* Who has not heard the answer asks again. */
        if (strcmp(task_text(task, "Ending"), "cancelled") == 0)
                return 0;
        if (task_state_is_final(task->state) || task->state == TASK_RELEASING)
                return -EALREADY;
        task_set(task, "Ending", json_string("cancelled"));
        task_set(task, "ErrorName", json_string(BUS_ERROR_CANCELLED));
        task_set(task, "ErrorText", json_string("Cancelled"));
        (void) log_event(LOG_NOTICE, 0, &context, MESSAGE_JOB_CANCELLED,
                         "Job %" PRIu64 " of %s was cancelled by %s", task->job, context.vm,
                         principal);
        undo(task);
        return 0;
}

int task_release(Task *task, const char *outcome, const char *principal)
{
        bool is_abandoned = strcmp(outcome, "abandoned") == 0;

        if (!is_abandoned && strcmp(outcome, "committed") != 0)
                return -EINVAL;
        if (task->state == TASK_RELEASING || task_state_is_final(task->state))
                return 0;
        if (task->state != TASK_COPIED)
                return is_abandoned ? task_cancel(task, principal) : -EBUSY;
        task_set(task, "Outcome", json_string(outcome));
        task_timer_off(task);
        (void) task_move(task, TASK_EVENT_RELEASE);
        task_enter(task);
        return 0;
}
