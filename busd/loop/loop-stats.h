/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How long the event loop is away in its handlers: what a caller waits for at worst before anybody
 * listens to him. Counted around each dispatch, in buckets that double, so that it costs nothing. Pure.
 */
#pragma once

#include <stdint.h>

enum {
        LOOP_STATS_BUCKETS = 32, /* the last from 2^31 us on */
};

typedef struct LoopStats {
        uint64_t n;
        uint64_t max_usec;
        uint64_t buckets[LOOP_STATS_BUCKETS]; /* bucket i: below 2^i us, and not in one before */
} LoopStats;

void loop_stats_add(LoopStats *stats, uint64_t usec);

/* The time that permille of all dispatches stayed below: the upper end of a bucket, and never more than
 * the longest. 0 when nothing was counted. */
uint64_t loop_stats_percentile(const LoopStats *stats, unsigned permille);
