/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long the event loop is away in its handlers: what a caller waits for at worst before anybody
 * listens to him. Counted around each dispatch, in a fixed number of buckets, so that it costs nothing:
 * sixteen between a time and its double, so that 50 ms are told from 48. Pure.
 */
#pragma once

#include <stdint.h>

enum {
        LOOP_STATS_SHIFT = 4,
        LOOP_STATS_STEPS = 1 << LOOP_STATS_SHIFT, /* between a time and its double */
        LOOP_STATS_OCTAVES =
                        32, /* the last bucket is from 2^32 us on, which is more than an hour */
        LOOP_STATS_BUCKETS = (LOOP_STATS_OCTAVES - LOOP_STATS_SHIFT + 1) * LOOP_STATS_STEPS + 1,
};

typedef struct LoopStats {
        uint64_t n;
        uint64_t max_usec;
        uint64_t buckets[LOOP_STATS_BUCKETS];
} LoopStats;

void loop_stats_add(LoopStats *stats, uint64_t usec);

/* The time that permille of all dispatches stayed below: the upper end of a bucket, too long by a sixteenth
 * at most, and never more than the longest. 0 when nothing was counted. */
uint64_t loop_stats_percentile(const LoopStats *stats, unsigned permille);
