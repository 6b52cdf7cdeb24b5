/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One step of a task (see task-step.h): what is left of an earlier unit of its name is stopped, the files are made, the
 * unit is started, its end is told by systemd, its result is read and stored, the unit is stopped; then the task goes on
 * in the state that was stored. Between two steps no call to systemd is open.
 */
#include "task-step.h"

#include "bus-node.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "node.h"
#include "task-release.h"
#include "task-restore.h"
#include "task-run.h"
#include "task-unit.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <string.h>

enum {
        ASK_AGAIN_SEC = 5,
};

static void settle(Task *task);

/* ── The end of a step ── */

static void on_stopped(int error, const char *text, void *userdata)
{
        Task *task = userdata;

        task->n_calls--;
        if (error < 0 && error != -ECANCELED) {
                const LogContext context = task_context(task);

                (void) log_event(LOG_WARNING, error, &context, MESSAGE_NONE,
                                 "%s cannot be stopped: %s", task->unit, text ?: strerror(-error));
        }
        task->is_closed = true;
        settle(task);
}

void task_step_close(Task *task)
{
        int r;

        if (task->is_closing)
                return;
        task->is_closing = true;
        task->n_calls++;
        r = units_stop(task->node->units, task->unit, on_stopped, task);
        if (r < 0)
                on_stopped(r, NULL, task);
}

static void settle(Task *task)
{
        if (task->n_calls > 0 || !task->is_closed || task->node->is_stopping)
                return;
        unit_files_remove(task->unit);
        task->unit[0] = '\0';
        task->process_id = 0;
        task->is_closed = false;
        task->is_closing = false;
        /* A snapshot that cannot be removed yet takes nobody's room from here on. */
        task_wake_waiting(task->node);
        task_enter(task);
}

/* It makes something that a second run would find in its way, and take for somebody's. */
static bool runs_once(const Task *task)
{
        return task->state == TASK_COPYING && task_is_restore(task) &&
               restore_step(task) == RESTORE_IMPORT;
}

/* The unit has ended, or is not there. */
static void collect(Task *task, const UnitState *state)
{
        CLEANUP(json_decref_p) json_t *result = NULL;
        const char *name, *text;
        int r = unit_files_read_result(task->unit, &result);

        task_timer_off(task); /* nobody has to be asked again */
        if (r >= 0 && strcmp(state->active, "active") == 0 &&
            strcmp(json_string_value(json_object_get(result, "result")) ?: "", "ok") == 0) {
                task_step_ok(task, result);
                return;
        }
        name = json_string_value(json_object_get(result, "error_name"));
        text = json_string_value(json_object_get(result, "error_text"));
        if (name && text && strncmp(name, "com.sendense.Error.", 19) == 0) {
                /* A program that ends by itself leaves no snapshot and no VM, or says so; of one before it, it may know nothing. */
                if ((task->state == TASK_SNAPSHOTTING &&
                     !json_is_true(json_object_get(task->row, "IsRepeated")) &&
                     strcmp(name, BUS_ERROR_SNAPSHOT_LEFT) != 0) ||
                    (runs_once(task) && strcmp(name, BUS_ERROR_VM_LEFT) != 0))
                        task_set_owes(task, false);
                task_step_failed(task, name, text);
                return;
        }
        name = task->state == TASK_COPYING ? BUS_ERROR_COPY_FAILED : BUS_ERROR_FAILED;
        if (!state->exists)
                task_step_failed(task, name, "Its unit vanished without a result");
        else {
                char line[224];

                (void) snprintf(line, sizeof(line),
                                "%.60s ended without a result (%.20s); journalctl -u %.60s says "
                                "more",
                                task->unit, state->result, task->unit);
                task_step_failed(task, name, line);
        }
}

static bool has_ended(const UnitState *state)
{
        return !state->exists || strcmp(state->active, "failed") == 0 ||
               strcmp(state->active, "inactive") == 0 ||
               (strcmp(state->active, "active") == 0 && strcmp(state->sub, "exited") == 0);
}

void task_on_unit(Task *task, const char *unit, const UnitState *state)
{
        /* Before the start was answered, "inactive" is what was there before. */
        if (strcmp(unit, task->unit) != 0 || task->is_closing || task->n_calls > 0 ||
            !has_ended(state))
                return;
        collect(task, state);
}

/* ── The beginning of a step ── */

static void on_state(int error, const UnitState *state, void *userdata)
{
        Task *task = userdata;

        task->n_calls--;
        if (task->is_closing || task->node->is_stopping) {
                settle(task);
                return;
        }
        if (error < 0) {
                /* It may run, so it stays the task's. */
                task->is_recovered = true;
                task_retry(task, ASK_AGAIN_SEC);
                return;
        }
        if (!state->exists && task->is_recovered && !runs_once(task)) {
                /* The node died before the start, or somebody stopped it: such a step can be done again. */
                task->is_recovered = false;
                task->unit[0] = '\0';
                if (task->state == TASK_SNAPSHOTTING) {
                        task_set(task, "IsRepeated", json_true());
                        (void) task_store(task);
                }
                task_enter(task);
                return;
        }
        task->is_recovered = false;
        task->process_id = state->main_pid;
        if (has_ended(state))
                collect(task, state);
        else
                bus_task_changed(task);
}

static void ask_state(Task *task)
{
        int r;

        task->n_calls++;
        r = units_get(task->node->units, task->unit, on_state, task);
        if (r < 0)
                on_state(r, NULL, task);
}

void task_step_ask_again(Task *task)
{
        if (!task->is_closing && task->n_calls == 0)
                ask_state(task);
}

static void on_started(int error, const char *text, void *userdata)
{
        Task *task = userdata;

        task->n_calls--;
        if (task->is_closing || task->node->is_stopping) {
                settle(task);
                return;
        }
        if (error < 0) {
                task_step_failed(task, bus_error_from_errno(error) ?: BUS_ERROR_FAILED,
                                 text ?: "systemd does not start its unit");
                return;
        }
        ask_state(task); /* it may have ended before the answer */
}

static void on_old_gone(int error, const char *text, void *userdata)
{
        CLEANUP(json_decref_p) json_t *spec = NULL;
        Task *task = userdata;
        char why[256];
        int r;

        task->n_calls--;
        if (task->is_closing || task->node->is_stopping) {
                settle(task);
                return;
        }
        if (error < 0) {
                task_step_failed(task, BUS_ERROR_FAILED,
                                 text ?: "An earlier unit of its name cannot be stopped");
                return;
        }
        spec = task_unit_task(task, why);
        if (!spec) {
                task_step_failed(task, BUS_ERROR_FAILED, why);
                return;
        }
        task->n_calls++;
        r = task_unit_start(task, spec, on_started);
        if (r < 0)
                on_started(r,
                           "The unit cannot be put together, or its files in /run cannot be made",
                           task);
}

void task_step_begin(Task *task)
{
        int r;

        if (task_unit_name(task, task->unit) < 0) {
                task->unit[0] = '\0';
                return;
        }
        task->has_newer_login = false;
        if (task->is_recovered) {
                ask_state(task);
                return;
        }
        task->n_calls++;
        r = units_stop(task->node->units, task->unit, on_old_gone, task);
        if (r < 0)
                on_old_gone(r, NULL, task);
}
