/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Budgets of hosts and datastores (see budget.h).
 */
#include "budget.h"

#include "task-look.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        DISK_CONNECTIONS_MAX = 8, /* of HTTPS, as sendense-backup-client has it */
};

static const json_t *look_of(const Task *task)
{
        return json_object_get(task->row, "Look");
}

static const char *text_of(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key)) ?: "";
}

/* "[name] folder/file" begins with the datastore. */
static size_t datastore_length(const char *path)
{
        const char *end = path[0] == '[' ? strchr(path, ']') : NULL;

        return end ? (size_t) (end - path) + 1 : 0;
}

static const json_t *disks_of(const Task *task)
{
        return json_object_get(look_of(task), "disks");
}

static bool is_copied(const json_t *disk)
{
        return strcmp(text_of(disk, "verdict"), "no") != 0;
}

uint64_t budget_job_connections(const NodeConfig *config)
{
        return config->copy_connections < config->copy_host_connections_max
                               ? config->copy_connections
                               : config->copy_host_connections_max;
}

uint64_t budget_connections(const Task *task)
{
        uint64_t all = budget_job_connections(task->node->config), n = 0, each;
        const json_t *disk;
        size_t i;

        json_array_foreach (disks_of(task), i, disk)
                n += is_copied(disk);
        if (n > all)
                n = all;
        /* VDDK opens each disk once. */
        each = strcmp(task->node->config->copy_transport, "https") == 0 && n > 0 ? all / n : 1;
        return n * (each < DISK_CONNECTIONS_MAX ? each : DISK_CONNECTIONS_MAX);
}

static bool is_same_vcenter(const Task *a, const Task *b)
{
        return strcmp(task_request(a, "vcenter_host"), task_request(b, "vcenter_host")) == 0;
}

static bool is_same_host(const Task *a, const Task *b)
{
        return is_same_vcenter(a, b) &&
               strcmp(text_of(look_of(a), "host"), text_of(look_of(b), "host")) == 0;
}

/* Equal names in two datacenters are two datastores. */
static bool is_on(const Task *task, const json_t *where)
{
        const char *path = text_of(where, "datastore_path");
        size_t length = datastore_length(path), i;
        const json_t *disk;

        json_array_foreach (disks_of(task), i, disk)
                if (length > 0 && strncmp(text_of(disk, "datastore_path"), path, length) == 0 &&
                    strcmp(text_of(disk, "datacenter"), text_of(where, "datacenter")) == 0)
                        return true;
        return false;
}

static bool reads_disks(const Task *task)
{
        return task->state == TASK_SNAPSHOTTING || task->state == TASK_COPYING;
}

/* One whose removal fails for days is an obligation, and holds up nobody. */
static bool has_snapshot(const Task *task)
{
        return reads_disks(task) || task->state == TASK_COPIED ||
               (task->state == TASK_RELEASING && task->unit[0]);
}

/* It waits as this one does, and came before it. */
static bool is_before(const Task *other, const Task *task)
{
        uint64_t a = task_number(other, "CreatedUSec"), b = task_number(task, "CreatedUSec");

        return other->state == TASK_ACCEPTED && task_look(other) == TASK_LOOK_DONE &&
               (a != b ? a < b : other->job < task->job);
}

static bool admits_host(const Node *node, const Task *task, char *ret_reason)
{
        uint64_t max = node->config->copy_host_connections_max, used = 0;

        for (size_t i = 0; i < node->n_tasks; i++) {
                const Task *other = node->tasks[i];

                if (other != task && is_same_host(other, task) &&
                    (reads_disks(other) || is_before(other, task)))
                        used += budget_connections(other);
        }
        if (used + budget_connections(task) <= max)
                return true;
        (void) snprintf(ret_reason, TASK_WAITING_SIZE,
                        "the host %.60s: %" PRIu64 " of %" PRIu64 " connections are taken, %" PRIu64
                        " are needed",
                        text_of(look_of(task), "host"), used, max, budget_connections(task));
        return false;
}

static bool admits_datastore(const Node *node, const Task *task, const json_t *disk,
                             char *ret_reason)
{
        const char *path = text_of(disk, "datastore_path");
        size_t length = datastore_length(path);
        uint64_t max = node->config->snapshot_datastore_max, used = 0;

        for (size_t i = 0; i < node->n_tasks; i++) {
                const Task *other = node->tasks[i];

                if (other != task && is_same_vcenter(other, task) && is_on(other, disk) &&
                    (has_snapshot(other) || is_before(other, task)))
                        used++;
        }
        if (used < max)
                return true;
        (void) snprintf(ret_reason, TASK_WAITING_SIZE,
                        "the datastore %.*s: %" PRIu64 " of %" PRIu64 " snapshots are taken",
                        (int) (length < 64 ? length : 64), path, used, max);
        utf8_make_valid(ret_reason); /* a name that was cut */
        return false;
}

bool budget_admits(const Node *node, const Task *task, char ret_reason[static TASK_WAITING_SIZE])
{
        const json_t *disk;
        size_t i;

        if (!admits_host(node, task, ret_reason))
                return false;
        json_array_foreach (disks_of(task), i, disk)
                if (!admits_datastore(node, task, disk, ret_reason))
                        return false;
        return true;
}
