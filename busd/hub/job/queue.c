/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The choice of the next job (see queue.h).
 */
#include "job/queue.h"

#include <errno.h>
#include <string.h>

typedef struct Running {
        unsigned all, repository, node, host, files,
                        verify; /* of the entry that would be the next */
} Running;

/* A host is leaned on by what a node copies from it. */
static bool is_of_host(const QueueEntry *entry, const QueueEntry *next)
{
        return next->node > 0 && entry->node > 0 && next->host && entry->host &&
               strcmp(entry->host, next->host) == 0;
}

static Running count_running(const QueueEntry *entries, size_t n_entries, const QueueEntry *next)
{
        Running n = {};

        for (size_t i = 0; i < n_entries; i++) {
                if (entries[i].is_waiting || entries[i].gets_back != next->gets_back)
                        continue;
                n.all++;
                n.repository += entries[i].repository == next->repository;
                n.files += entries[i].is_files;
                n.verify += entries[i].is_verify;
                n.node += next->node > 0 && entries[i].node == next->node;
                n.host += is_of_host(entries + i, next);
        }
        return n;
}

QueueWait queue_wait(const QueueEntry *entries, size_t n_entries, const QueueEntry *next,
                     const QueueLimits *limits)
{
        Running n = count_running(entries, n_entries, next);

        return n.all >= limits->running                                ? QUEUE_FOR_ANY
               : n.repository >= limits->running_per_repository        ? QUEUE_FOR_REPOSITORY
               : n.node >= limits->running_per_node                    ? QUEUE_FOR_NODE
               : n.host >= limits->running_per_host                    ? QUEUE_FOR_HOST
               : next->is_files && n.files >= limits->running_files    ? QUEUE_FOR_FILES
               : next->is_verify && n.verify >= limits->running_verify ? QUEUE_FOR_VERIFY
                                                                       : QUEUE_MAY_START;
}

/* The oldest of those that get something back, of those that verify, or of the others. */
static int next_of(const QueueEntry *entries, size_t n_entries, const QueueLimits *limits,
                   bool gets_back, bool is_verify)
{
        for (size_t i = 0; i < n_entries; i++) {
                QueueWait wait;

                if (!entries[i].is_waiting || entries[i].gets_back != gets_back ||
                    entries[i].is_verify != is_verify)
                        continue;
                wait = queue_wait(entries, n_entries, entries + i, limits);
                if (wait == QUEUE_FOR_ANY)
                        return -ENOENT;
                if (wait == QUEUE_MAY_START)
                        return (int) i;
        }
        return -ENOENT;
}

int queue_next(const QueueEntry *entries, size_t n_entries, const QueueLimits *limits)
{
        int next = next_of(entries, n_entries, limits, true, false);

        if (next < 0)
                next = next_of(entries, n_entries, limits, false, false);
        return next >= 0 ? next : next_of(entries, n_entries, limits, false, true);
}
