/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The histogram of the hub's dispatches: bounds of its buckets, percentiles on both sides of a line.
 */
#include "loop/loop-stats.h"

#include "cleanup.h"
#include "unit.h"

static void nothing_counted(void **state)
{
        const LoopStats stats = {};

        (void) state;
        assert_int_equal(loop_stats_percentile(&stats, 999), 0);
        assert_int_equal(stats.max_usec, 0);
}

static void one_is_its_own_percentile(void **state)
{
        LoopStats stats = {};

        (void) state;
        loop_stats_add(&stats, 700);
        assert_int_equal(loop_stats_percentile(&stats, 1), 700);
        assert_int_equal(loop_stats_percentile(&stats, 1000), 700);
        assert_int_equal(stats.max_usec, 700);
}

static void line_is_between(void **state)
{
        LoopStats stats = {};

        (void) state;
        for (unsigned i = 0; i < 999; i++)
                loop_stats_add(&stats, 100);
        loop_stats_add(&stats, 60000);
        assert_int_equal(loop_stats_percentile(&stats, 500), 104);
        assert_int_equal(loop_stats_percentile(&stats, 999), 104);
        assert_int_equal(loop_stats_percentile(&stats, 1000), 60000);
        loop_stats_add(&stats, 60000);
        assert_int_equal(loop_stats_percentile(&stats, 999), 60000);
}

/* What the hub is held to: a line of 50 ms, and times on both sides of it. */
static void fifty_is_not_forty(void **state)
{
        static const uint64_t times[][2] = { { 38000, 38912 }, { 40000, 40960 }, { 48000, 49152 },
                                             { 50000, 51200 }, { 52000, 53248 }, { 66000, 69632 } };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                LoopStats stats = {};

                for (unsigned n = 0; n < 999; n++)
                        loop_stats_add(&stats, times[i][0]);
                loop_stats_add(&stats, 1000000);
                assert_int_equal(loop_stats_percentile(&stats, 999), times[i][1]);
        }
}

/* Of every time up to the end of the scale: it is below what is told, and by a sixteenth at most. */
static void never_told_shorter(void **state)
{
        (void) state;
        for (uint64_t usec = 1; usec < UINT64_C(1) << LOOP_STATS_OCTAVES; usec += 1 + usec / 1000) {
                LoopStats stats = {};
                uint64_t told;

                loop_stats_add(&stats, usec);
                loop_stats_add(&stats, UINT64_MAX);
                told = loop_stats_percentile(&stats, 500);
                assert_true(told > usec);
                assert_true(told - usec <= 1 + usec / LOOP_STATS_STEPS);
        }
}

/* The first time of each bucket begins it, and the one before belongs to the bucket before. */
static void buckets_meet(void **state)
{
        (void) state;
        for (unsigned octave = LOOP_STATS_SHIFT; octave < LOOP_STATS_OCTAVES; octave++)
                for (uint64_t step = 0; step < LOOP_STATS_STEPS; step++) {
                        uint64_t first = (LOOP_STATS_STEPS + step) << (octave - LOOP_STATS_SHIFT);
                        LoopStats stats = {};

                        loop_stats_add(&stats, first - 1);
                        loop_stats_add(&stats, UINT64_MAX);
                        assert_int_equal(loop_stats_percentile(&stats, 500), first);
                        loop_stats_add(&stats, first);
                        assert_true(loop_stats_percentile(&stats, 600) > first);
                }
}

static void ends_of_the_scale(void **state)
{
        LoopStats stats = {};

        (void) state;
        loop_stats_add(&stats, 0);
        assert_int_equal(stats.buckets[0], 1);
        loop_stats_add(&stats, UINT64_MAX);
        assert_int_equal(stats.buckets[LOOP_STATS_BUCKETS - 1], 1);
        assert_int_equal(loop_stats_percentile(&stats, 1), 1);
        assert_true(loop_stats_percentile(&stats, 1000) == UINT64_MAX);
        loop_stats_add(&stats, (UINT64_C(1) << LOOP_STATS_OCTAVES) - 1);
        assert_int_equal(stats.buckets[LOOP_STATS_BUCKETS - 2], 1);
        loop_stats_add(&stats, UINT64_C(1) << LOOP_STATS_OCTAVES);
        assert_int_equal(stats.buckets[LOOP_STATS_BUCKETS - 1], 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_counted),    cmocka_unit_test(one_is_its_own_percentile),
                cmocka_unit_test(line_is_between),    cmocka_unit_test(fifty_is_not_forty),
                cmocka_unit_test(never_told_shorter), cmocka_unit_test(buckets_meet),
                cmocka_unit_test(ends_of_the_scale),
        };

        return RUN_TESTS(tests);
}
