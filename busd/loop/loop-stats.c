/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The histogram of loop-stats.h.
 */
#include "loop/loop-stats.h"

/* Values below 2^LOOP_STATS_SHIFT have a bucket each, and every octave above as many. */
static unsigned bucket_of(uint64_t usec)
{
        unsigned octave;

        if (usec < LOOP_STATS_STEPS)
                return (unsigned) usec;
        octave = 63 - (unsigned) __builtin_clzll(usec);
        if (octave >= LOOP_STATS_OCTAVES)
                return LOOP_STATS_BUCKETS - 1;
        return (octave - LOOP_STATS_SHIFT) * LOOP_STATS_STEPS +
               (unsigned) (usec >> (octave - LOOP_STATS_SHIFT));
}

/* The first value that is in none of the buckets up to i; not of the last, which has no end. */
static uint64_t bucket_end(unsigned i)
{
        unsigned octave = i / LOOP_STATS_STEPS;

        if (octave == 0)
                return i + 1;
        return (UINT64_C(1) + LOOP_STATS_STEPS + i % LOOP_STATS_STEPS) << (octave - 1);
}

void loop_stats_add(LoopStats *stats, uint64_t usec)
{
        stats->buckets[bucket_of(usec)]++;
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
        for (unsigned i = 0; i < LOOP_STATS_BUCKETS - 1; i++) {
                seen += stats->buckets[i];
                if (seen >= wanted) {
                        uint64_t end = bucket_end(i);

                        return end < stats->max_usec ? end : stats->max_usec;
                }
        }
        return stats->max_usec;
}
