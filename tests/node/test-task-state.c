/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/node/task-state: words both ways, every step of the table, and no other.
 */
#include "unit.h"

#include "task-state.h"

#include <errno.h>

static void words(void **state)
{
        (void) state;
        for (TaskState s = 0; s < TASK_STATE_MAX; s++)
                assert_int_equal(task_state_from_string(task_state_to_string(s)), s);
        assert_int_equal(task_state_from_string("nonsense"), TASK_STATE_INVALID);
        assert_null(task_state_to_string(TASK_STATE_MAX));
        assert_null(task_state_to_string(TASK_STATE_INVALID));
        for (TaskEvent e = 0; e < TASK_EVENT_MAX; e++)
                assert_non_null(task_event_to_string(e));
        assert_null(task_event_to_string(TASK_EVENT_MAX));
}

/* One line a state, one column an event: '.' cannot happen. */
static void table(void **state)
{
        static const char *const want[TASK_STATE_MAX] = {
                [TASK_ACCEPTED] = "sc...r...",  [TASK_SNAPSHOTTING] = "..c..r...",
                [TASK_COPYING] = "...d.r...",   [TASK_COPIED] = "....rr...",
                [TASK_RELEASING] = "......RFC", [TASK_RELEASED] = ".........",
                [TASK_FAILED] = ".........",    [TASK_CANCELLED] = ".........",
        };
        static const char letters[TASK_STATE_MAX] = {
                [TASK_ACCEPTED] = 'a', [TASK_SNAPSHOTTING] = 's', [TASK_COPYING] = 'c',
                [TASK_COPIED] = 'd',   [TASK_RELEASING] = 'r',    [TASK_RELEASED] = 'R',
                [TASK_FAILED] = 'F',   [TASK_CANCELLED] = 'C',
        };

        (void) state;
        for (TaskState s = 0; s < TASK_STATE_MAX; s++)
                for (TaskEvent e = 0; e < TASK_EVENT_MAX; e++) {
                        TaskState after = task_state_after(s, e);

                        if (want[s][e] == '.')
                                assert_int_equal(after, -EPROTO);
                        else
                                assert_int_equal(letters[after], want[s][e]);
                }
}

/* Whatever happens on the way, nothing ends but through the state that removes the snapshot. */
static void only_by_releasing(void **state)
{
        (void) state;
        for (TaskState s = 0; s < TASK_STATE_MAX; s++)
                for (TaskEvent e = 0; e < TASK_EVENT_MAX; e++) {
                        TaskState after = task_state_after(s, e);

                        if (after >= 0 && task_state_is_final(after))
                                assert_int_equal(s, TASK_RELEASING);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),
                cmocka_unit_test(table),
                cmocka_unit_test(only_by_releasing),
        };

        return RUN_TESTS(tests);
}
