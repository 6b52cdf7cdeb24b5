/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub itself: event loop, bus connection, database worker, and the state that follows from
 * them. main.c makes one; the bus objects read it and ask it for acts. Everything runs in the one
 * loop; nothing in here may block or start a process.
 */
#pragma once

#include <stdint.h>

#include "hub-config.h"
#include "hub-state.h"
#include "loop/loop-stats.h"

typedef struct Authority Authority;
typedef struct Jobs Jobs;
typedef struct MountWaits MountWaits;
typedef struct NodeObjects NodeObjects;
typedef struct Nodes Nodes;
typedef struct Policies Policies;
typedef struct Repositories Repositories;
typedef struct Retrier Retrier;
typedef struct Sessions Sessions;
typedef struct Sweeper Sweeper;
typedef struct Units Units;
typedef struct sd_bus sd_bus;
typedef struct sd_event sd_event;

typedef struct Manager {
        sd_event *event;
        sd_bus *bus;
        Authority *authority;
        Sessions *sessions;
        Store *store;
        Units *units;
        Jobs *jobs;
        MountWaits *mount_waits; /* calls that wait for a mount */
        Sweeper *sweeper;
        Retrier *retrier;
        Repositories *repositories;
        Policies *policies;
        Nodes *nodes;
        NodeObjects *node_objects; /* on the bus */
        const HubConfig *config;
        uint64_t started_usec; /* CLOCK_REALTIME */
        LoopStats loop;
        HubState state;
        StoreStatus database; /* as last announced */
        unsigned n_probes; /* of ProbeDatabase, not answered yet */
        bool has_name;
        bool is_stopping;
} Manager;

/* Connects to the bus and starts the database worker. Logs what goes wrong. config is borrowed. */
int manager_new(const HubConfig *config, Manager **ret_manager);

/* Ends the worker, gives the name back, closes the bus. Returns NULL. */
Manager *manager_free(Manager *manager);

/* Runs until SIGTERM, SIGINT or a fault: the exit status of the program. */
int manager_run(Manager *manager);

/* Sets the level of the log, for principal. */
void manager_set_log_level(Manager *manager, int level, const char *principal);
