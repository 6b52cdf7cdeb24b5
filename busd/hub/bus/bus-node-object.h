/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The objects /com/sendense/Hub1/node/<id>, interface com.sendense.Hub1.Node: one for each node that was added, enrolled or not. They show
 * what the hub knows without asking anybody: the row, the node's last health, the jobs that it has a part in. As many as there are
 * reverse ports, and one; a change is told once for each look at a node's health, and when a job comes or goes.
 */
#pragma once

typedef struct Manager Manager;
typedef struct NodeObjects NodeObjects;

#define HUB_NODE_INTERFACE "com.sendense.Hub1.Node"

/* Before the nodes and jobs are there. */
int node_objects_new(Manager *manager, NodeObjects **ret_objects);
NodeObjects *node_objects_free(NodeObjects *objects);

/* Something that they show may be different: what is gets announced. */
void node_objects_refresh(Manager *manager);
