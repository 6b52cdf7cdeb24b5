/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The logins of tasks: where one comes from after that of the request is gone, and which are not tried. A bad login for each task that
 * owes something would lock the user out, so a password that vCenter has refused is not tried again for the same task until it was good
 * for another one.
 */
#pragma once

#include "task.h"

/* A login for it came (taken): what waited for one goes on. */
void task_login(Task *task, Secret *password);

/* vCenter has refused its password, which is forgotten. */
void task_login_refused(Task *task);

/* Whether that password is the one that was refused. */
bool task_login_was_refused(const Task *task, const Secret *password);

/* A step of the task went well, so its login is good: for all that wait for one of the same user at the same vCenter, too. */
void task_login_proven(Task *task);

/* Somebody brings a login of which nothing is known: for those that have none. Who has the same tries again at once. */
void logins_offer(Node *node, const char *host, const char *user, const Secret *password);
