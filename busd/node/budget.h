/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many tasks may lean on one ESXi host and on one datastore at a time. A host has memory for a few dozen connections
 * that read disks, of all who read from it together, and fails some of them when that is used up; a datastore with many
 * open snapshots becomes slow for every VM on it. So a task that was looked at waits for its turn before it takes its snapshot.
 *
 * Turns are fair: whoever came first reserves what it waits for, so a large task is not overtaken for ever by
 * small ones; but it holds up nobody who wants other hosts and other datastores. Reads tasks and settings, changes
 * nothing.
 */
#pragma once

#include "node.h"

/* Whether the task, which was looked at, may take its snapshot. If not, ret_reason says what it waits for. */
bool budget_admits(const Node *node, const Task *task, char ret_reason[static TASK_WAITING_SIZE]);

/* How many connections a job may have: no setting gives it more than a host has. */
uint64_t budget_job_connections(const NodeConfig *config);

/* How many connections to its host the task's copy makes at most. */
uint64_t budget_connections(const Task *task);
