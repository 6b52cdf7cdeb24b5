/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a backup is expected to take up: as the one before of its kind, a part of the capacity for a first full; and what
 * of that is still to come.
 */
#include "job/space.h"
#include "unit.h"

#define GIB (UINT64_C(1) << 30)

static void as_the_one_before(void **state)
{
        (void) state;
        assert_int_equal(space_of_image(BACKUP_FULL, 7 * GIB, 100 * GIB, 50), 7 * GIB);
        /* Its tables are part of its file, too. */
        assert_int_equal(space_of_image(BACKUP_FULL, 101 * GIB, 100 * GIB, 50), 100 * GIB);
        assert_int_equal(space_of_image(BACKUP_INCREMENTAL, 3 * GIB, 100 * GIB, 50), 3 * GIB);
}

static void the_first(void **state)
{
        (void) state;
        assert_int_equal(space_of_image(BACKUP_FULL, 0, 100 * GIB, 50), 50 * GIB);
        assert_int_equal(space_of_image(BACKUP_FULL, 0, 100 * GIB, 0), 0);
        assert_int_equal(space_of_image(BACKUP_FULL, 0, 100, 100), 100);
        assert_int_equal(space_of_image(BACKUP_INCREMENTAL, 0, 100 * GIB, 50), 0);
        /* The largest there is. */
        assert_true(space_of_image(BACKUP_FULL, 0, INT64_MAX, 100) <= INT64_MAX);
}

static void still_to_come(void **state)
{
        const uint64_t most = INT64_MAX;

        (void) state;
        assert_int_equal(space_to_come(8 * GIB, 0, 64 * GIB), 8 * GIB);
        assert_int_equal(space_to_come(8 * GIB, 16 * GIB, 64 * GIB), 6 * GIB);
        assert_int_equal(space_to_come(8 * GIB, 64 * GIB, 64 * GIB), 0);
        assert_int_equal(space_to_come(8 * GIB, 65 * GIB, 64 * GIB), 0);
        assert_int_equal(space_to_come(0, 0, 64 * GIB), 0);
        /* Too small for parts. */
        assert_int_equal(space_to_come(512, 100, 512), 512);
        assert_int_equal(space_to_come(0, 0, 0), 0);
        assert_true(space_to_come(most, most / 2, most) > most / 2 - most / 512);
        assert_true(space_to_come(most, most / 2, most) < most / 2 + most / 512);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(as_the_one_before),
                cmocka_unit_test(the_first),
                cmocka_unit_test(still_to_come),
        };

        return RUN_TESTS(tests);
}
