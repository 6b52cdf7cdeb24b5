/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The histogram of the hub's dispatches: bounds of its buckets, percentiles on both sides of a line.
 */
#include "loop/loop-stats.h"
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
        assert_int_equal(loop_stats_percentile(&stats, 500), 128);
        assert_int_equal(loop_stats_percentile(&stats, 999), 128);
        assert_int_equal(loop_stats_percentile(&stats, 1000), 60000);
        loop_stats_add(&stats, 60000);
        assert_int_equal(loop_stats_percentile(&stats, 999), 60000);
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
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_counted),
                cmocka_unit_test(one_is_its_own_percentile),
                cmocka_unit_test(line_is_between),
                cmocka_unit_test(ends_of_the_scale),
        };

        return RUN_TESTS(tests);
}
