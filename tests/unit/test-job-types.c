/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/job-types: every word both ways, and the words themselves, because they stand in databases.
 */
#include "unit.h"

#include "job-types.h"

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
        EXPECT_WORDS(JobType, job_type, JOB_TYPE_MAX, "backup restore delete verify mount files");
        EXPECT_WORDS(JobState, job_state, JOB_STATE_MAX,
                     "queued preparing exporting copying finishing releasing completed failed "
                     "cancelled");
        EXPECT_WORDS(DiskState, disk_state, DISK_STATE_MAX,
                     "pending exporting copying copied checked completed excluded failed "
                     "cancelled");
        EXPECT_WORDS(BackupType, backup_type, BACKUP_TYPE_MAX, "full incremental");
        assert_int_equal(job_state_from_string("Queued"), -EINVAL);
        assert_int_equal(job_state_from_string("queued "), -EINVAL);
}

static void final_states(void **state)
{
        (void) state;
        for (int i = 0; i < JOB_STATE_MAX; i++)
                assert_int_equal(job_state_is_final((JobState) i), i >= JOB_COMPLETED);
        assert_false(job_state_is_final(JOB_STATE_INVALID));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words),
                cmocka_unit_test(final_states),
        };

        return RUN_TESTS(tests);
}
