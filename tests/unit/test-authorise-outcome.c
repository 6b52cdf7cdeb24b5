/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * busd/hub/bus/polkit-outcome: a silent person and a vanished caller are not a lost polkit, and
 * nothing else hides one.
 */
#include "bus/polkit-outcome.h"
#include "unit.h"

#define SENDER ":1.5"
#define FAILED "org.freedesktop.PolicyKit1.Error.Failed"

#define SEC UINT64_C(1000000)

static PolkitOutcome outcome(const char *name, const char *message, bool interactive,
                             uint64_t waited_usec)
{
        return polkit_outcome(&SD_BUS_ERROR_MAKE_CONST(name, message), SENDER, interactive,
                              waited_usec);
}

static void polkit_has_10_s_and_a_person_120(void **state)
{
        (void) state;
        assert_int_equal(polkit_timeout_usec(false), 10 * SEC);
        assert_int_equal(polkit_timeout_usec(true), 120 * SEC);
}

static void timeout_depends_on_who_is_waited_for(void **state)
{
        const char *names[] = { SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT };

        (void) state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(outcome(names[i], "x", true, 120 * SEC), POLKIT_UNANSWERED);
                assert_int_equal(outcome(names[i], "x", true, 121 * SEC), POLKIT_UNANSWERED);
                assert_int_equal(outcome(names[i], "x", false, 10 * SEC), POLKIT_UNAVAILABLE);
                assert_int_equal(outcome(names[i], "x", false, 120 * SEC), POLKIT_UNAVAILABLE);
                /* Polkit went away while the person typed. */
                assert_int_equal(outcome(names[i], "x", true, 120 * SEC - 1), POLKIT_UNAVAILABLE);
        }
        assert_int_equal(outcome(SD_BUS_ERROR_SERVICE_UNKNOWN, "x", true, 121 * SEC),
                         POLKIT_UNAVAILABLE);
}

static void vanished_caller_is_no_lost_polkit(void **state)
{
        (void) state;
        for (int interactive = 0; interactive < 2; interactive++) {
                assert_int_equal(outcome(SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                                         "Could not get UID of name ':1.5': no such name",
                                         interactive, 0),
                                 POLKIT_CALLER_VANISHED);
                assert_int_equal(outcome(SD_BUS_ERROR_NAME_HAS_NO_OWNER, NULL, interactive, 0),
                                 POLKIT_CALLER_VANISHED);
                assert_int_equal(outcome(FAILED, "No process for ':1.5'", interactive, 0),
                                 POLKIT_CALLER_VANISHED);
                assert_int_equal(outcome(FAILED, "Gone: :1.5", interactive, 0),
                                 POLKIT_CALLER_VANISHED);
                assert_int_equal(outcome(FAILED, "Neither :1.50 nor :1.5", interactive, 0),
                                 POLKIT_CALLER_VANISHED);
        }
}

static void other_errors_are_a_lost_polkit(void **state)
{
        (void) state;
        assert_int_equal(outcome(FAILED, "Action com.x is not registered", false, 0),
                         POLKIT_UNAVAILABLE);
        assert_int_equal(outcome(FAILED, "No process for ':1.50'", false, 0), POLKIT_UNAVAILABLE);
        assert_int_equal(outcome(FAILED, "", false, 0), POLKIT_UNAVAILABLE);
        assert_int_equal(outcome(FAILED, NULL, false, 0), POLKIT_UNAVAILABLE);
        assert_int_equal(outcome(SD_BUS_ERROR_ACCESS_DENIED, "not for :1.5", false, 0),
                         POLKIT_UNAVAILABLE);
        assert_int_equal(outcome(SD_BUS_ERROR_SERVICE_UNKNOWN, "x", false, 0), POLKIT_UNAVAILABLE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(polkit_has_10_s_and_a_person_120),
                cmocka_unit_test(timeout_depends_on_who_is_waited_for),
                cmocka_unit_test(vanished_caller_is_no_lost_polkit),
                cmocka_unit_test(other_errors_are_a_lost_polkit),
        };

        return RUN_TESTS(tests);
}
