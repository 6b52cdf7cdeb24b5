/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the waiting jobs may start. Pure: takes what is open in the order of creation, and the
 * limits. The limit of one job for each VM is the database's (backup_jobs_one_active).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct QueueEntry {
        uint64_t job;
        uint64_t repository;
        uint64_t node; /* 0: none */
        const char *host; /* that runs the VM, and gives its disks to a node; NULL: none, or not known. Borrowed */
        bool is_waiting; /* in the queue, or to look for room again; otherwise it runs */
        bool is_files; /* has an appliance of its own */
        bool is_verify; /* reads whole chains, and can wait */
        bool gets_back; /* somebody waits for it: has places of its own, as many as all others */
} QueueEntry;

typedef struct QueueLimits {
        uint64_t running; /* jobs that run at a time */
        uint64_t running_per_repository;
        uint64_t running_per_node;
        uint64_t running_files;
        uint64_t running_per_host;
        uint64_t running_verify;
} QueueLimits;

/* What an entry waits for. */
typedef enum QueueWait {
        QUEUE_MAY_START,
        QUEUE_FOR_ANY,
        QUEUE_FOR_REPOSITORY,
        QUEUE_FOR_NODE,
        QUEUE_FOR_HOST,
        QUEUE_FOR_FILES,
        QUEUE_FOR_VERIFY,
} QueueWait;

QueueWait queue_wait(const QueueEntry *entries, size_t n_entries, const QueueEntry *next,
                     const QueueLimits *limits);

/* The index of the oldest entry that may start now, or -ENOENT when none may. A job that must wait
 * for its repository, its node or its host does not hold up those behind it. What gets something back waits for no backup;
 * and those that verify come after all others, however long they have waited. */
int queue_next(const QueueEntry *entries, size_t n_entries, const QueueLimits *limits);
