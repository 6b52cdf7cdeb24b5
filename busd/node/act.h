/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What callers may ask of the node, once they are allowed to: validated, done, refused with a reason. Called by the
 * bus objects. Descriptors are sealed memfds and stay the caller's.
 */
#pragma once

#include "node.h"

/* Idempotent: the same request again gives the same task. */
int act_start(Node *node, int fd, bool is_restore, const char *principal, const Task **ret_task,
              sd_bus_error *error);

int act_cancel(Task *task, const char *principal, sd_bus_error *error);

/* fd may be -1: no login is offered. */
int act_release(Task *task, const char *outcome, int fd, const char *principal,
                sd_bus_error *error);

/* Appends a(ts): each job that owes a snapshot at this vCenter, and what becomes of it now. */
int act_clean_up(Node *node, int fd, const char *principal, sd_bus_message *reply,
                 sd_bus_error *error);
