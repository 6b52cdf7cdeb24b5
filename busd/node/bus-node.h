/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * com.sendense.Node1 on the bus: the Manager object, and one object for each task.
 */
#pragma once

#include "node.h"

#define NODE_TASK_INTERFACE "com.sendense.Node1.Task"

enum {
        TASK_OBJECT_PATH_SIZE = 64,
};

int bus_node_register(Node *node);
int bus_task_register(Node *node);

/* Announces what has changed. */
void bus_node_changed(Node *node, const char *property);
void bus_task_added(const Task *task);
void bus_task_changed(const Task *task);
void bus_task_moved(Task *task); /* bytes; at most twice a second */
void bus_task_removed(const Task *task); /* it is over; the object stays for a while */
void bus_task_dropped(const Task *task); /* the object goes; called while it is there */
