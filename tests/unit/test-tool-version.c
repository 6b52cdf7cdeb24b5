/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs say their version is: enough, too old, or no version at all.
 */
#include "tool-version.h"
#include "unit.h"

static void enough(void **state)
{
        (void) state;
        assert_true(tool_version_is_enough("qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7)\n", 7,
                                           2));
        assert_true(tool_version_is_enough("qemu-nbd 7.2.22 (Debian 1:7.2+dfsg-7)\nWritten by", 7,
                                           2));
        assert_true(tool_version_is_enough("qemu-nbd 10.0.2", 7, 2));
        assert_true(tool_version_is_enough("qemu-nbd 7.10", 7, 2));
}

static void too_old_or_strange(void **state)
{
        (void) state;
        assert_false(tool_version_is_enough("qemu-img version 6.2.0 (Debian 1:6.2+dfsg-3)", 7, 2));
        assert_false(tool_version_is_enough("qemu-nbd 7.1.9", 7, 2));
        assert_false(tool_version_is_enough("", 7, 2));
        assert_false(tool_version_is_enough("no number", 7, 2));
        assert_false(tool_version_is_enough("no number\n7.2", 7, 2));
        assert_false(tool_version_is_enough("7", 7, 2));
        assert_false(tool_version_is_enough("7.x", 7, 2));
        assert_false(tool_version_is_enough("99999999999999999999.2", 7, 2));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(enough),
                cmocka_unit_test(too_old_or_strange),
        };

        return RUN_TESTS(tests);
}
