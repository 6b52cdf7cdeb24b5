/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logins of tasks (see task-login.h).
 */
#include "task-login.h"

#include "keep.h"
#include "node.h"
#include "task-release.h"
#include "task-run.h"

#include <string.h>

void task_login(Task *task, Secret *password)
{
        if (task_state_is_final(task->state)) {
                secret_free(password);
                return;
        }
        secret_free(task->password);
        task->password = password;
        task->is_proven = false;
        keep_secret(task->job, KEEP_LOGIN, password);
        task->has_newer_login = task->unit[0] != '\0';
        if (task->state == TASK_COPIED || task->unit[0])
                return;
        task_timer_off(task);
        task->n_tries = 0;
        task_enter(task);
}

void task_login_refused(Task *task)
{
        /* The unit had another one. */
        if (task->has_newer_login || !task->password)
                return;
        secret_free(task->refused);
        task->refused = TAKE(task->password);
        keep_nothing(task->job);
}

bool task_login_was_refused(const Task *task, const Secret *password)
{
        return task->refused && secret_equal(task->refused, password);
}

static bool is_of(const Task *task, const char *host, const char *user)
{
        return task_owes(task) && strcmp(task_request(task, "vcenter_host"), host) == 0 &&
               strcmp(task_request(task, "vcenter_user"), user) == 0;
}

static void give(Task *task, const Secret *password)
{
        Secret *copy;

        if (secret_new(secret_data(password), secret_size(password), &copy) >= 0)
                task_login(task, copy);
}

void task_login_proven(Task *task)
{
        const Node *node = task->node;

        if (task->is_proven || task->has_newer_login || !task->password)
                return;
        task->is_proven = true;
        for (size_t i = 0; i < node->n_tasks; i++) {
                Task *other = node->tasks[i];

                if (other != task && (!other->password || other->n_tries > 0) &&
                    is_of(other, task_request(task, "vcenter_host"),
                          task_request(task, "vcenter_user")))
                        give(other, task->password);
        }
}

/* One that has a password which was not refused keeps it: another may be mistyped. */
static bool wants(const Task *task, const Secret *password)
{
        if (task->password)
                return task->n_tries > 0 && secret_equal(task->password, password);
        return !task_login_was_refused(task, password);
}

void logins_offer(Node *node, const char *host, const char *user, const Secret *password)
{
        for (size_t i = 0; i < node->n_tasks; i++)
                if (is_of(node->tasks[i], host, user) && wants(node->tasks[i], password))
                        give(node->tasks[i], password);
}
