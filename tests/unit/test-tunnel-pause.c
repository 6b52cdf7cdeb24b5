/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/tunnel/pause: pauses grow to their largest and stay there, a session that is cut right after its login does not make them
 * small again, one that stood does; and chance moves each between its half and its whole.
 */
#include "unit.h"

#include "cleanup.h"
#include "parse.h"
#include "pause.h"

#include <limits.h>

static void grows(void **state)
{
        static const unsigned wanted[] = {
                500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000
        };
        unsigned pause = 0;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
                pause = pause_next(pause, 0);
                assert_int_equal(pause, wanted[i]);
        }
}

static void a_session_in_between(void **state)
{
        (void) state;
        assert_int_equal(pause_next(0, PAUSE_FORGOTTEN_SEC * USEC_PER_SEC), 500);
        assert_int_equal(pause_next(4000, 1), 8000);
        assert_int_equal(pause_next(4000, PAUSE_FORGOTTEN_SEC * USEC_PER_SEC - 1), 8000);
        assert_int_equal(pause_next(4000, PAUSE_FORGOTTEN_SEC * USEC_PER_SEC), 500);
        assert_int_equal(pause_next(PAUSE_MAX_MSEC, UINT64_MAX), 500);
}

static void by_chance(void **state)
{
        static const unsigned pauses[] = { PAUSE_MIN_MSEC, 1000, 501, PAUSE_MAX_MSEC };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(pauses); i++) {
                unsigned half = pauses[i] / 2, least = UINT_MAX, most = 0;

                for (unsigned chance = 0; chance <= pauses[i]; chance++) {
                        unsigned msec = pause_with_chance(pauses[i], chance);

                        least = msec < least ? msec : least;
                        most = msec > most ? msec : most;
                }
                assert_int_equal(least, half);
                assert_int_equal(most, pauses[i]);
                assert_in_range(pause_with_chance(pauses[i], UINT_MAX), half, pauses[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(grows),
                cmocka_unit_test(a_session_in_between),
                cmocka_unit_test(by_chance),
        };

        return RUN_TESTS(tests);
}
