/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The choice of the next job (see queue.h).
 */
#include "job/queue.h"

#include <errno.h>

static unsigned count_running(const QueueEntry *entries, size_t n_entries, uint64_t repository)
{
        unsigned n = 0;

        for (size_t i = 0; i < n_entries; i++)
                if (!entries[i].is_waiting &&
                    (repository == 0 || entries[i].repository == repository))
                        n++;
        return n;
}

int queue_next(const QueueEntry *entries, size_t n_entries, const QueueLimits *limits)
{
        if (count_running(entries, n_entries, 0) >= limits->running)
                return -ENOENT;
        for (size_t i = 0; i < n_entries; i++)
                if (entries[i].is_waiting &&
                    count_running(entries, n_entries, entries[i].repository) <
                                    limits->running_per_repository)
                        return (int) i;
        return -ENOENT;
}
