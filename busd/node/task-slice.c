/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The slice of a job that is over (see task-run.h).
 */
#include "log.h"
#include "node.h"
#include "task-run.h"
#include "unit/units.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static void on_slice_stopped(int error, const char *text, void *userdata)
{
        Task *task = userdata;

        task->n_calls--;
        if (error < 0 && error != -ECANCELED)
                (void) log_warning(error,
                                   "The slice of job %" PRIu64 " cannot be stopped, ignoring: %s",
                                   task->job, text ?: strerror(-error));
}

/* It stays while anything of the job is in it. */
static void on_units_of_slice(int error, const char *const *units, size_t n, void *userdata)
{
        Task *task = userdata;
        const UnitName slice = { .kind = UNIT_TASK_SLICE, .job = task->job };
        char text[UNIT_NAME_SIZE];
        bool is_used = error < 0 || task->node->is_stopping;

        task->n_calls--;
        for (size_t i = 0; !is_used && i < n; i++) {
                UnitName name;

                is_used = unit_name_from_string(units[i], &name) >= 0 && name.job == task->job &&
                          name.kind != UNIT_TASK_SLICE;
        }
        if (is_used || unit_name_to_string(&slice, text) < 0)
                return;
        task->n_calls++;
        if (units_stop(task->node->units, text, on_slice_stopped, task) < 0)
                task->n_calls--;
}

void task_stop_slice(Task *task)
{
        task->n_calls++;
        if (units_list(task->node->units, on_units_of_slice, task) < 0)
                task->n_calls--;
}
