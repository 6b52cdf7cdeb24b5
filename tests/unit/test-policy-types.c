/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/policy-types: every word both ways, and the words themselves, because they stand in databases.
 */
#include "unit.h"

#include "policy-types.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* All words of a table in order, checked both ways on the way. */
#define EXPECT_WORDS(type, name, max, want)                                                  \
        do {                                                                                 \
                char _all[256] = "";                                                         \
                size_t _n = 0;                                                               \
                                                                                             \
                for (int _i = 0; _i < (max); _i++) {                                         \
                        const char *_word = name##_to_string((type) _i);                     \
                                                                                             \
                        assert_non_null(_word);                                              \
                        assert_int_equal(name##_from_string(_word), _i);                     \
                        _n += (size_t) snprintf(_all + _n, sizeof(_all) - _n, "%s ", _word); \
                        assert_true(_n < sizeof(_all));                                      \
                }                                                                            \
                assert_string_equal(_all, want " ");                                         \
                assert_null(name##_to_string((type) (max)));                                 \
                assert_null(name##_to_string((type) -EINVAL));                               \
                assert_int_equal(name##_from_string(""), -EINVAL);                           \
                assert_int_equal(name##_from_string("none"), -EINVAL);                       \
        } while (0)

static void words(void **state)
{
        (void) state;
        EXPECT_WORDS(PolicyRunKind, policy_run_kind, POLICY_RUN_KIND_MAX, "backup prune");
        EXPECT_WORDS(PolicyRunCause, policy_run_cause, POLICY_RUN_CAUSE_MAX, "timer missed asked");
        EXPECT_WORDS(PolicyRunState, policy_run_state, POLICY_RUN_STATE_MAX,
                     "running completed failed skipped");
        EXPECT_WORDS(PolicyVmState, policy_vm_state, POLICY_VM_STATE_MAX,
                     "waiting backup prune completed failed skipped");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),
        };

        return RUN_TESTS(tests);
}
