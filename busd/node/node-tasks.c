/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tasks that a node holds (see node-tasks.h).
 */
#include "node-tasks.h"

#include "bus-node.h"
#include "cleanup.h"
#include "keep.h"
#include "ledger.h"
#include "log.h"
#include "node.h"
#include "task-restore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        FINISHED_TASKS_MAX = 200, /* kept for those who ask later */
};

Task *node_find(const Node *node, uint64_t job)
{
        for (size_t i = 0; i < node->n_tasks; i++)
                if (node->tasks[i]->job == job)
                        return node->tasks[i];
        return NULL;
}

/* One that only waits for its snapshot to go is no obstacle: the next one of that VM takes it along. */
Task *node_find_vm(const Node *node, const char *instance_uuid, bool is_restore)
{
        for (size_t i = 0; i < node->n_tasks; i++)
                if (!task_state_is_final(node->tasks[i]->state) &&
                    node->tasks[i]->state != TASK_RELEASING &&
                    strcmp(task_request(node->tasks[i], "instance_uuid"), instance_uuid) == 0)
                        return node->tasks[i];
        for (size_t i = 0; i < node->n_tasks; i++)
                if (restore_obstructs(node->tasks[i], is_restore) &&
                    strcmp(restore_in_place_uuid(node->tasks[i]), instance_uuid) == 0)
                        return node->tasks[i];
        return NULL;
}

unsigned node_n_owed(const Node *node)
{
        unsigned n = 0;

        for (size_t i = 0; i < node->n_tasks; i++)
                n += task_owes(node->tasks[i]);
        return n;
}

/* The oldest of the finished ones makes room. */
static void make_room(Node *node)
{
        Task *oldest = NULL;
        size_t n = 0;

        for (size_t i = 0; i < node->n_tasks; i++) {
                Task *task = node->tasks[i];

                if (!task_state_is_final(task->state) || task_owes(task) || task->n_calls > 0)
                        continue;
                n++;
                if (!oldest ||
                    task_number(task, "CreatedUSec") < task_number(oldest, "CreatedUSec"))
                        oldest = task;
        }
        if (oldest && (n > FINISHED_TASKS_MAX || node->n_tasks == NODE_TASKS_MAX))
                node_drop(node, oldest);
}

int node_add(Node *node, Task *task)
{
        make_room(node);
        if (node->n_tasks == NODE_TASKS_MAX)
                return -ENOBUFS;
        node->tasks[node->n_tasks++] = task;
        return 0;
}

void node_drop(Node *node, Task *task)
{
        int r = ledger_remove(node->ledger, task->job);

        if (r < 0)
                (void) log_warning(r, "Cannot remove an old job from the ledger, ignoring: %m");
        bus_task_dropped(task);
        for (size_t i = 0; i < node->n_tasks; i++)
                if (node->tasks[i] == task)
                        node->tasks[i] = node->tasks[--node->n_tasks];
        task_free(task);
}

static void take_row(const json_t *row, void *userdata)
{
        Node *node = userdata;
        Task *task = task_new(node, json_deep_copy(row));

        if (!task || node_add(node, task) < 0) {
                task_free(task);
                (void) log_error(-ENOBUFS,
                                 "There are more jobs in the ledger than the node can hold");
        }
}

static void bad_row(const char *name, int error, void *userdata)
{
        (void) userdata;
        (void) log_error(error,
                         "The ledger's file %s cannot be read (%m); a snapshot that it speaks of "
                         "may be left over. Look at "
                         "it, and at the snapshots called 'sendense-…' of its VM",
                         name);
}

int node_tasks_read(Node *node)
{
        return ledger_read(node->ledger, take_row, bad_row, node);
}

void node_tasks_take_kept(Node *node, const char *name, int fd)
{
        _cleanup_close_ int owned = fd;
        KeepKind kind = KEEP_LOGIN;
        uint64_t job = keep_name_job(name, &kind);
        Task *task = job > 0 ? node_find(node, job) : NULL;
        Secret **secret;
        int r;

        if (!task || task_state_is_final(task->state)) {
                (void) log_debug("Systemd has kept '%s', which belongs to no open job", name);
                if (job > 0)
                        keep_nothing(job);
                return;
        }
        secret = kind == KEEP_LOGIN ? &task->password : &task->keys;
        *secret = secret_free(*secret);
        r = secret_read_memfd(owned, SECRET_SIZE_MAX, secret);
        if (r < 0)
                (void) log_warning(r,
                                   "What systemd has kept as '%s' for job %" PRIu64
                                   " cannot be read: %m",
                                   name, job);
}
