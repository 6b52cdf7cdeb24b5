/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which job may start: order, the limit of all, the limits of a repository and of a node, and that a job that must wait
 * holds up nobody behind it.
 */
#include "job/queue.h"
#include "unit.h"

#include <errno.h>

static const QueueLimits limits = { .running = 3,
                                    .running_per_repository = 2,
                                    .running_per_node = 2 };

static void nothing_waits(void **state)
{
        const QueueEntry running = { .job = 1, .repository = 1 };

        (void) state;
        assert_int_equal(queue_next(NULL, 0, &limits), -ENOENT);
        assert_int_equal(queue_next(&running, 1, &limits), -ENOENT);
}

static void oldest_goes_first(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 0, false }, { 2, 1, 0, true }, { 3, 1, 0, true } };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &limits), 1);
}

static void full_repository_holds_up_nobody_else(void **state)
{
        const QueueEntry entries[] = {
                { 1, 1, 0, false }, { 2, 1, 0, false }, { 3, 1, 0, true }, { 4, 2, 0, true }
        };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &limits), -ENOENT);
        assert_int_equal(queue_next(entries, 4, &limits), 3);
}

static void limit_of_all(void **state)
{
        const QueueEntry entries[] = {
                { 1, 1, 0, false }, { 2, 1, 0, false }, { 3, 2, 0, false }, { 4, 3, 0, true }
        };
        const QueueLimits one_more = { .running = 4,
                                       .running_per_repository = 2,
                                       .running_per_node = 2 };

        (void) state;
        assert_int_equal(queue_next(entries, 4, &limits), -ENOENT);
        assert_int_equal(queue_next(entries, 4, &one_more), 3);
}

/* A job without a node is held up by none. */
static void full_node_holds_up_nobody_else(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 7, false },
                                       { 2, 2, 7, false },
                                       { 3, 3, 7, true },
                                       { 4, 3, 0, true },
                                       { 5, 4, 8, true } };
        const QueueLimits many = { .running = 9,
                                   .running_per_repository = 9,
                                   .running_per_node = 2 };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &many), -ENOENT);
        assert_int_equal(queue_next(entries, 4, &many), 3);
        assert_int_equal(queue_next(entries + 1, 2, &many), 1);
        assert_int_equal(queue_next(entries + 4, 1, &many), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_waits),
                cmocka_unit_test(oldest_goes_first),
                cmocka_unit_test(full_repository_holds_up_nobody_else),
                cmocka_unit_test(limit_of_all),
                cmocka_unit_test(full_node_holds_up_nobody_else),
        };

        return RUN_TESTS(tests);
}
