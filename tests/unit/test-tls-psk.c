/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys shared beforehand: what a name and a key may be, and that no two are the same.
 */
#include "unit.h"

#include "cleanup.h"
#include "tls-psk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void names(void **state)
{
        static const char *const bad[] = { "", "A", "a:b", "a b", "a\n", "#a", "a/b", "ä", "a%41" };
        _cleanup_free_ char *longest = unit_repeat('x', TLS_PSK_NAME_SIZE - 1);
        _cleanup_free_ char *too_long = unit_repeat('x', TLS_PSK_NAME_SIZE);
        char line[TLS_PSK_LINE_SIZE];

        (void) state;
        assert_true(tls_psk_name_is_fine("job7-2000-1-0a1b2c3d"));
        assert_true(tls_psk_name_is_fine(longest));
        assert_false(tls_psk_name_is_fine(too_long));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_false(tls_psk_name_is_fine(bad[i]));
                assert_int_equal(tls_psk_make_line(bad[i], line), -EINVAL);
        }
        assert_int_equal(tls_psk_make_line(longest, line), 0);
        assert_int_equal(strlen(line), TLS_PSK_LINE_SIZE - 1);
        assert_int_equal(line[TLS_PSK_LINE_SIZE - 2], '\n');
}

static void keys(void **state)
{
        char one[TLS_PSK_LINE_SIZE], other[TLS_PSK_LINE_SIZE];

        (void) state;
        assert_int_equal(tls_psk_make_line("a-1", one), 0);
        assert_int_equal(tls_psk_make_line("a-1", other), 0);
        assert_string_not_equal(one, other);
        assert_int_equal(strncmp(one, "a-1:", 4), 0);
        assert_false(tls_psk_key_is_fine(one + 4)); /* with its line feed */
        one[4 + TLS_PSK_KEY_SIZE - 1] = '\0';
        assert_true(tls_psk_key_is_fine(one + 4));
        assert_false(tls_psk_key_is_fine(one + 5));
        assert_false(tls_psk_key_is_fine(""));
        one[4] = 'A';
        assert_false(tls_psk_key_is_fine(one + 4));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(names), cmocka_unit_test(keys) };

        return RUN_TESTS(tests);
}
