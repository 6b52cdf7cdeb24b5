/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The choice of the next job (see queue.h).
 */
#include "job/queue.h"

#include <errno.h>

typedef struct Running {
        unsigned all, repository, node, files; /* of the entry that would be the next */
} Running;

static Running count_running(const QueueEntry *entries, size_t n_entries, const QueueEntry *next)
{
        Running n = {};

        for (size_t i = 0; i < n_entries; i++) {
                if (entries[i].is_waiting)
                        continue;
                n.all++;
                n.repository += entries[i].repository == next->repository;
                n.files += entries[i].is_files;
                n.node += next->node > 0 && entries[i].node == next->node;
        }
        return n;
}

int queue_next(const QueueEntry *entries, size_t n_entries, const QueueLimits *limits)
{
        for (size_t i = 0; i < n_entries; i++) {
                Running n = count_running(entries, n_entries, entries + i);

                if (n.all >= limits->running)
                        return -ENOENT;
                if (entries[i].is_waiting && n.repository < limits->running_per_repository &&
                    n.node < limits->running_per_node &&
                    (!entries[i].is_files || n.files < limits->running_files))
                        return (int) i;
        }
        return -ENOENT;
}
