/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node itself: event loop, bus, ledger, tasks. main.c makes one; the bus objects read it and ask it for acts.
 * Everything runs in the one loop; nothing in here may start a process, and only the ledger waits for a disk.
 */
#pragma once

#include "node-config.h"
#include "task.h"

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

typedef struct Asks Asks;
typedef struct Authority Authority;
typedef struct Credentials Credentials;
typedef struct Inhibitor Inhibitor;
typedef struct Ledger Ledger;
typedef struct ProgressSocket ProgressSocket;
typedef struct Units Units;

enum {
        NODE_TASKS_MAX = 1000,
        NODE_PROTOCOL = 1, /* of what hub and node say to each other */
};

struct Node {
        const NodeConfig *config;
        sd_event *event;
        sd_bus *bus;
        Authority *authority;
        Units *units;
        Ledger *ledger;
        Credentials *credentials;
        ProgressSocket *progress;
        Inhibitor *inhibitor;
        Asks *asks;
        Task *tasks[NODE_TASKS_MAX];
        size_t n_tasks;
        char installation[17]; /* of snapshot names: which node took them */
        char boot_id[33];
        uint64_t started_usec; /* CLOCK_REALTIME */
        bool has_name, is_stopping;
};

int node_new(const NodeConfig *config, Node **ret_node);
Node *node_free(Node *node);

/* Runs until SIGTERM, SIGINT or a fault: the exit status of the program. */
int node_run(Node *node);

Task *node_find(const Node *node, uint64_t job);

/* The open task that a backup of a VM, or a restore into it, would meet; NULL when there is none. */
Task *node_find_vm(const Node *node, const char *instance_uuid, bool is_restore);

/* Takes the task. -ENOBUFS: too many. */
int node_add(Node *node, Task *task);

/* Forgets it, in the ledger too, and frees it. */
void node_drop(Node *node, Task *task);

/* How many snapshots are owed. */
unsigned node_n_owed(const Node *node);
