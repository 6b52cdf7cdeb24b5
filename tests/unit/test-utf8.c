/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/utf8: the first and the last code of each length, and each way to be wrong.
 */
#include "unit.h"

#include "cleanup.h"
#include "utf8.h"

#include <string.h>

static void text(void **state)
{
        static const char *const good[] = {
                "",
                "a",
                "\x7f",
                "\xc2\x80",
                "\xdf\xbf",
                "\xe0\xa0\x80",
                "\xed\x9f\xbf",
                "\xee\x80\x80",
                "\xef\xbf\xbf",
                "\xf0\x90\x80\x80",
                "\xf4\x8f\xbf\xbf",
                "aüb日c",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_true(utf8_is_valid(good[i]));
}

static void no_text(void **state)
{
        static const char *const bad[] = {
                "\x80",
                "\xbf",
                "\xc0\x80",
                "\xc1\xbf",
                "\xe0\x80\x80",
                "\xe0\x9f\xbf",
                "\xed\xa0\x80",
                "\xed\xbf\xbf",
                "\xf0\x80\x80\x80",
                "\xf0\x8f\xbf\xbf",
                "\xf4\x90\x80\x80",
                "\xf5\x80\x80\x80",
                "\xff",
                "\xc3",
                "\xe2\x82",
                "\xf0\x9f\x98",
                "\xc3(",
                "\xe2(\xa1",
                "\xe2\x82(",
                "a\xfcz",
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(utf8_is_valid(bad[i]));
}

static void made_valid(void **state)
{
        static const struct {
                const char *from, *to;
        } texts[] = {
                { "", "" },
                { "plain", "plain" },
                { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
                { "gr\xfc\xdf", "gr??" },
                { "\xe2\x82\xac \xe2\x82", "\xe2\x82\xac ??" },
                { "\xf0\x9f\x98", "???" },
                { "\xc3(", "?(" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                char text[32];

                (void) snprintf(text, sizeof(text), "%s", texts[i].from);
                utf8_make_valid(text);
                assert_string_equal(text, texts[i].to);
                assert_true(utf8_is_valid(text));
        }
}

static void made_line(void **state)
{
        static const struct {
                const char *from, *to;
        } texts[] = {
                { "", "" },
                { "gr\xc3\xbc\xc3\x9f \xe2\x82\xac", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac" },
                { "a\nb\r\tc\x1f\x7f", "a b  c  " },
                { "\x1b[2J", " [2J" },
                { "\xc2\x80\xc2\x9b\xc2\xa0", "    \xc2\xa0" },
                { "\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf",
                  "\xe2\x80\xa7      \xe2\x80\xaf" },
                { "\xe2\x80\x8d\xe2\x80\x8e", "\xe2\x80\x8d   " },
                { "\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
                  "\xe2\x81\xa5      \xe2\x81\xaa" },
                { "\xe2\x80", "??" },
                { "\xef\xbb\xbfx\xef\xbb\xbe", "   x\xef\xbb\xbe" },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                char text[32];

                (void) snprintf(text, sizeof(text), "%s", texts[i].from);
                assert_true(utf8_is_line(text) == (strcmp(texts[i].from, texts[i].to) == 0));
                utf8_make_line(text);
                assert_string_equal(text, texts[i].to);
                assert_true(utf8_is_line(text));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text),
                cmocka_unit_test(no_text),
                cmocka_unit_test(made_valid),
                cmocka_unit_test(made_line),
        };

        return RUN_TESTS(tests);
}
