/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/path-text: every byte there and back, what is a harmless line, and what is none.
 */
#include "unit.h"

#include "cleanup.h"
#include "path-text.h"
#include "utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *bytes, const char *text)
{
        _cleanup_free_ char *shown = path_text_from_bytes(bytes), *back = NULL;

        assert_string_equal(shown, text);
        assert_true(utf8_is_line(shown));
        assert_int_equal(path_text_to_bytes(shown, &back), 0);
        assert_string_equal(back, bytes);
}

static void there_and_back(void **state)
{
        (void) state;
        expect("", "");
        expect("/etc/hosts", "/etc/hosts");
        expect("/srv/gr\xc3\xbc\xc3\x9f", "/srv/gr\xc3\xbc\xc3\x9f");
        expect("a\nb\tc\\d", "a\\nb\\tc\\\\d");
        expect("caf\xe9", "caf\\xe9");
        expect("\x1b[31m", "\\x1b[31m");
        expect("\xc3", "\\xc3");
        expect("\xe2\x80\xae"
               "exe",
               "\\xe2\\x80\\xae"
               "exe");
}

static void every_byte(void **state)
{
        char pair[3] = {};

        (void) state;
        for (int i = 1; i < 256; i++) {
                _cleanup_free_ char *text = NULL, *back = NULL;

                pair[0] = (char) i;
                pair[1] = (char) (255 - i ?: 1);
                text = path_text_from_bytes(pair);
                assert_true(utf8_is_line(text));
                assert_int_equal(path_text_to_bytes(text, &back), 0);
                assert_string_equal(back, pair);
        }
}

static void what_is_none(void **state)
{
        static const char *const bad[] = { "\\",   "a\\",   "\\a",   "\\x",
                                           "\\x1", "\\xg0", "\\x0g", "\\x00" };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                char *bytes = NULL;

                assert_int_equal(path_text_to_bytes(bad[i], &bytes), -EINVAL);
                assert_null(bytes);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back),
                cmocka_unit_test(every_byte),
                cmocka_unit_test(what_is_none),
        };

        return RUN_TESTS(tests);
}
