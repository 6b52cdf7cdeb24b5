/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The histogram of loop-stats.h.
 */
#include "loop/loop-stats.h"

void loop_stats_add(LoopStats *stats, uint64_t usec)
{
        unsigned i = usec == 0 ? 0 : 64 - (unsigned) __builtin_clzll(usec);

        stats->buckets[i < LOOP_STATS_BUCKETS ? i : LOOP_STATS_BUCKETS - 1]++;
        stats->n++;
        if (usec > stats->max_usec)
                stats->max_usec = usec;
}

uint64_t loop_stats_percentile(const LoopStats *stats, unsigned permille)
{
        /* Rounded up: of 10 dispatches all must be below the 99.9 % line. */
        uint64_t wanted = (stats->n * permille + 999) / 1000, seen = 0;

        if (stats->n == 0)
                return 0;
        for (unsigned i = 0; i < LOOP_STATS_BUCKETS; i++) {
                seen += stats->buckets[i];
                if (seen >= wanted && i < LOOP_STATS_BUCKETS - 1) {
                        uint64_t end = UINT64_C(1) << i;

                        return end < stats->max_usec ? end : stats->max_usec;
                }
        }
        return stats->max_usec;
}
