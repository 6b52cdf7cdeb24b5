/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The thread that owns the connection to MariaDB: connects, runs what comes in order, probes while
 * idle, and connects again. The only place of the hub that waits for a server. Started by store.c.
 */
#pragma once

#include "store-queue.h"

typedef struct Worker {
        StoreQueue *queue;
        const HubConfig *config;
} Worker;

/* The thread's function; argument is a Worker that outlives it. Ends when the queue says so. */
void *worker_main(void *argument);
