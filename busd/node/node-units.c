/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Units of a node (see node-units.h).
 */
#include "node-units.h"

#include "asks.h"
#include "cleanup.h"
#include "log.h"
#include "names.h"
#include "node.h"
#include "task-run.h"
#include "unit/unit-files.h"
#include "unit/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void node_units_on_unit(const char *unit, const UnitState *state, void *userdata)
{
        const Node *node = userdata;
        UnitName name;
        Task *task;

        if (unit_name_from_string(unit, &name) < 0)
                return;
        asks_on_unit(node->asks, unit, state);
        task = node_find(node, name.job);
        if (task)
                task_on_unit(task, unit, state);
}

typedef struct Stray {
        const Node *node;
        char unit[UNIT_NAME_SIZE];
} Stray;

static void put_away(const Node *node, uint64_t job)
{
        Task *task = node_find(node, job);

        if (task && task_state_is_final(task->state))
                task_stop_slice(task);
}

static void on_stray_stopped(int error, const char *text, void *userdata)
{
        _cleanup_free_ Stray *stray = userdata;
        const char *unit = stray->unit;
        UnitName name;

        if (error < 0 && error != -ECANCELED)
                (void) log_warning(error, "A leftover unit %s cannot be stopped: %s", unit,
                                   text ?: "");
        /* A question that has taken the name makes its files anew. */
        if (!asks_has_unit(stray->node->asks, unit))
                unit_files_remove(unit);
        if (!stray->node->is_stopping && unit_name_from_string(unit, &name) >= 0)
                put_away(stray->node, name.job);
}

static void stop_stray(const Node *node, const char *unit)
{
        Stray *stray = malloc(sizeof(*stray));

        if (!stray)
                return;
        *stray = (Stray){ .node = node };
        (void) snprintf(stray->unit, sizeof(stray->unit), "%s", unit);
        if (units_stop(node->units, stray->unit, on_stray_stopped, stray) < 0)
                free(stray);
}

typedef struct Listed {
        const Node *node;
        const char *const *units;
        size_t n;
} Listed;

/* Of a step that is open, or of a unit that is there and has them open. */
static bool keep_file(const char *unit, void *userdata)
{
        const Listed *listed = userdata;

        for (size_t i = 0; i < listed->node->n_tasks; i++)
                if (strcmp(listed->node->tasks[i]->unit, unit) == 0)
                        return true;
        if (asks_has_unit(listed->node->asks, unit))
                return true;
        for (size_t i = 0; i < listed->n; i++)
                if (strcmp(listed->units[i], unit) == 0)
                        return true;
        return false;
}

/* Those of a step that is over: the daemon died between storing its result and stopping it, or removing its files. */
static void on_units(int error, const char *const *units, size_t n, void *userdata)
{
        const Node *node = userdata;

        if (error < 0)
                (void) log_warning(error, "Systemd does not tell about our units: %m");
        else
                (void) unit_files_sweep(keep_file, &(Listed){ node, units, n });
        for (size_t i = 0; error >= 0 && i < n; i++) {
                const Task *task;
                UnitName name;

                if (unit_name_from_string(units[i], &name) < 0)
                        continue;
                /* It died before the slice of a job that is over was stopped. */
                if (name.kind == UNIT_TASK_SLICE)
                        put_away(node, name.job);
                if (name.kind != UNIT_VSPHERE_SERVICE && name.kind != UNIT_COPY_SERVICE)
                        continue;
                task = node_find(node, name.job);
                if ((task && strcmp(task->unit, units[i]) == 0) ||
                    asks_has_unit(node->asks, units[i]))
                        continue;
                stop_stray(node, units[i]);
        }
}

void node_units_tidy(Node *node)
{
        (void) units_list(node->units, on_units, node);
}
