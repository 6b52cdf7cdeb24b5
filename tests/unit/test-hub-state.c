/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/hub-state: the words, both ways, and the state for everything the hub can have.
 */
#include "hub-state.h"
#include "unit.h"

static void words_go_both_ways(void **state)
{
        (void) state;
        for (int i = 0; i < HUB_STATE_MAX; i++) {
                const char *word = hub_state_to_string((HubState) i);

                assert_non_null(word);
                assert_int_equal(hub_state_from_string(word), i);
        }
        assert_null(hub_state_to_string(HUB_STATE_MAX));
        assert_null(hub_state_to_string(HUB_STATE_INVALID));
        assert_int_equal(hub_state_from_string("Running"), HUB_STATE_INVALID);
        assert_int_equal(hub_state_from_string(""), HUB_STATE_INVALID);
}

static void state_follows_from_what_there_is(void **state)
{
        (void) state;
        for (int i = 0; i < DATABASE_STATE_MAX; i++) {
                DatabaseState database = (DatabaseState) i;

                /* Going down outweighs all, and nothing runs without the name. */
                assert_int_equal(hub_state_of(true, true, database), HUB_STOPPING);
                assert_int_equal(hub_state_of(false, true, database), HUB_STOPPING);
                assert_int_equal(hub_state_of(false, false, database), HUB_STARTING);
        }
        assert_int_equal(hub_state_of(true, false, DATABASE_CONNECTING), HUB_STARTING);
        assert_int_equal(hub_state_of(true, false, DATABASE_READY), HUB_RUNNING);
        assert_int_equal(hub_state_of(true, false, DATABASE_UNREACHABLE), HUB_DEGRADED);
        assert_int_equal(hub_state_of(true, false, DATABASE_SCHEMA_OLDER), HUB_DEGRADED);
        assert_int_equal(hub_state_of(true, false, DATABASE_SCHEMA_NEWER), HUB_DEGRADED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_go_both_ways),
                cmocka_unit_test(state_follows_from_what_there_is),
        };

        return RUN_TESTS(tests);
}
