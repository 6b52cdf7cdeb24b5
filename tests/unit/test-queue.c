/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which job may start: order, the limit of all, the limits of a repository and of a node, and that a job that must wait
 * holds up nobody behind it.
 */
#include "job/queue.h"
#include "unit.h"

#include <errno.h>

static const QueueLimits limits = {
        .running = 3, .running_per_repository = 2, .running_per_node = 2, .running_per_host = 9
};

static void nothing_waits(void **state)
{
        const QueueEntry running = { .job = 1, .repository = 1 };

        (void) state;
        assert_int_equal(queue_next(NULL, 0, &limits), -ENOENT);
        assert_int_equal(queue_next(&running, 1, &limits), -ENOENT);
}

static void oldest_goes_first(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 0, NULL, false },
                                       { 2, 1, 0, NULL, true },
                                       { 3, 1, 0, NULL, true } };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &limits), 1);
}

static void full_repository_holds_up_nobody_else(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 0, NULL, false },
                                       { 2, 1, 0, NULL, false },
                                       { 3, 1, 0, NULL, true },
                                       { 4, 2, 0, NULL, true } };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &limits), -ENOENT);
        assert_int_equal(queue_next(entries, 4, &limits), 3);
}

static void limit_of_all(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 0, NULL, false },
                                       { 2, 1, 0, NULL, false },
                                       { 3, 2, 0, NULL, false },
                                       { 4, 3, 0, NULL, true } };
        const QueueLimits one_more = { .running = 4,
                                       .running_per_repository = 2,
                                       .running_per_node = 2,
                                       .running_per_host = 9 };

        (void) state;
        assert_int_equal(queue_next(entries, 4, &limits), -ENOENT);
        assert_int_equal(queue_next(entries, 4, &one_more), 3);
}

/* A job without a node is held up by none. */
static void full_node_holds_up_nobody_else(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 7, NULL, false },
                                       { 2, 2, 7, NULL, false },
                                       { 3, 3, 7, NULL, true },
                                       { 4, 3, 0, NULL, true },
                                       { 5, 4, 8, NULL, true } };
        const QueueLimits many = { .running = 9,
                                   .running_per_repository = 9,
                                   .running_per_node = 2,
                                   .running_per_host = 9 };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &many), -ENOENT);
        assert_int_equal(queue_next(entries, 4, &many), 3);
        assert_int_equal(queue_next(entries + 1, 2, &many), 1);
        assert_int_equal(queue_next(entries + 4, 1, &many), 0);
}

/* Whichever node reads from it; what no node reads leans on no host. */
static void full_host_holds_up_nobody_else(void **state)
{
        const QueueEntry entries[] = {
                { 1, 1, 7, "1:host-9", false }, { 2, 2, 8, "1:host-9", false },
                { 3, 3, 8, "1:host-9", true },  { 4, 3, 8, "2:host-9", true },
                { 5, 4, 8, NULL, true },        { 6, 4, 0, "1:host-9", true },
        };
        const QueueLimits two = { .running = 9,
                                  .running_per_repository = 9,
                                  .running_per_node = 9,
                                  .running_per_host = 2 };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &two), -ENOENT);
        assert_int_equal(queue_wait(entries, 3, entries + 2, &two), QUEUE_FOR_HOST);
        assert_int_equal(queue_next(entries, 4, &two), 3);
        assert_int_equal(queue_wait(entries, 6, entries + 4, &two), QUEUE_MAY_START);
        assert_int_equal(queue_wait(entries, 6, entries + 5, &two), QUEUE_MAY_START);
}

/* Other jobs go on. */
static void looks_into_backups_have_a_limit(void **state)
{
        const QueueEntry entries[] = {
                { .job = 1, .repository = 1, .is_files = true },
                { .job = 2, .repository = 1, .is_files = true, .is_waiting = true },
                { .job = 3, .repository = 1, .is_waiting = true },
        };
        const QueueLimits one = { .running = 9,
                                  .running_per_repository = 9,
                                  .running_per_node = 9,
                                  .running_per_host = 9,
                                  .running_files = 1 };

        (void) state;
        assert_int_equal(queue_wait(entries, 3, entries + 1, &one), QUEUE_FOR_FILES);
        assert_int_equal(queue_next(entries, 3, &one), 2);
}

/* However long they have waited, and however many they are. */
static void verifications_come_last(void **state)
{
        const QueueEntry entries[] = {
                { .job = 1, .repository = 1, .is_verify = true, .is_waiting = true },
                { .job = 2, .repository = 1, .is_verify = true, .is_waiting = true },
                { .job = 3, .repository = 1, .is_waiting = true },
                { .job = 4, .repository = 1, .is_verify = true },
        };
        QueueLimits some = { .running = 9,
                             .running_per_repository = 9,
                             .running_per_node = 9,
                             .running_per_host = 9,
                             .running_verify = 1 };

        (void) state;
        assert_int_equal(queue_next(entries, 3, &some), 2);
        assert_int_equal(queue_next(entries, 2, &some), 0);
        assert_int_equal(queue_wait(entries, 4, entries + 1, &some), QUEUE_FOR_VERIFY);
        assert_int_equal(queue_next(entries + 1, 3, &some), 1);
        assert_int_equal(queue_next(entries + 3, 1, &some), -ENOENT);
        some.running_verify = 2;
        assert_int_equal(queue_next(entries, 4, &some), 2);
        assert_int_equal(queue_wait(entries, 4, entries, &some), QUEUE_MAY_START);
        some.running = 1;
        assert_int_equal(queue_next(entries, 4, &some), -ENOENT);
}

/* Backups that run take none of its places, those that wait stand behind it; and it takes none of theirs. */
static void what_gets_back_waits_for_no_backup(void **state)
{
        const QueueEntry entries[] = {
                { .job = 1, .repository = 1 },
                { .job = 2, .repository = 1 },
                { .job = 3, .repository = 2 },
                { .job = 4, .repository = 1, .is_waiting = true },
                { .job = 5, .repository = 1, .is_waiting = true, .gets_back = true },
                { .job = 6, .repository = 1, .gets_back = true },
                { .job = 7, .repository = 2, .is_waiting = true },
        };
        QueueLimits some = limits;

        (void) state;
        assert_int_equal(queue_next(entries, 5, &limits), 4);
        assert_int_equal(queue_next(entries, 6, &limits), 4);
        some.running_per_repository = 1;
        assert_int_equal(queue_wait(entries, 6, entries + 4, &some), QUEUE_FOR_REPOSITORY);
        assert_int_equal(queue_next(entries, 6, &some), -ENOENT);
        some.running = 1;
        assert_int_equal(queue_next(entries + 5, 2, &some), 1);
}

/* The first of them that holds it up. */
static void what_is_waited_for(void **state)
{
        const QueueEntry entries[] = { { 1, 1, 7, "h", false }, { 2, 1, 7, "h", true } };
        QueueLimits some = { 1, 1, 1, 1 };

        (void) state;
        assert_int_equal(queue_wait(entries, 2, entries + 1, &some), QUEUE_FOR_ANY);
        some.running = 2;
        assert_int_equal(queue_wait(entries, 2, entries + 1, &some), QUEUE_FOR_REPOSITORY);
        some.running_per_repository = 2;
        assert_int_equal(queue_wait(entries, 2, entries + 1, &some), QUEUE_FOR_NODE);
        some.running_per_node = 2;
        assert_int_equal(queue_wait(entries, 2, entries + 1, &some), QUEUE_FOR_HOST);
        some.running_per_host = 2;
        assert_int_equal(queue_wait(entries, 2, entries + 1, &some), QUEUE_MAY_START);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_waits),
                cmocka_unit_test(oldest_goes_first),
                cmocka_unit_test(full_repository_holds_up_nobody_else),
                cmocka_unit_test(limit_of_all),
                cmocka_unit_test(full_node_holds_up_nobody_else),
                cmocka_unit_test(full_host_holds_up_nobody_else),
                cmocka_unit_test(looks_into_backups_have_a_limit),
                cmocka_unit_test(verifications_come_last),
                cmocka_unit_test(what_gets_back_waits_for_no_backup),
                cmocka_unit_test(what_is_waited_for),
        };

        return RUN_TESTS(tests);
}
