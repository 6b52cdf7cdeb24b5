/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The splitter of sendense-migrate: what ends a statement and what does not, and that no text, however
 * it is cut off, leads it beyond its end.
 */
#include "sql-split.h"

#include "cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* All statements joined by '|', or the error with its line. */
static void split(const char *text, char *ret, size_t size)
{
        SqlCursor cursor = { .next = text, .line = 1 };
        SqlStatement statement;
        const char *error = NULL;
        size_t used = 0;
        int r;

        ret[0] = '\0';
        while ((r = sql_split_next(&cursor, &statement, &error)) > 0)
                used += (size_t) snprintf(ret + used, size - used, "%u:%.*s|", statement.line,
                                          (int) statement.length, statement.text);
        if (r < 0) {
                assert_int_equal(r, -EINVAL);
                (void) snprintf(ret + used, size - used, "error at %u: %s", cursor.line, error);
        }
}

static void test_table(void **state)
{
        static const struct {
                const char *text, *want;
        } cases[] = {
                { "", "" },
                { " \n\t\r\n", "" },
                { "-- only a comment", "" },
                { "--", "" },
                { "a;", "1:a|" },
                { "a;b;", "1:a|1:b|" },
                { "a;\n\nb\nc;\n", "1:a|3:b\nc|" },
                { "a ;", "1:a |" },
                { "-- x;\na;", "2:a|" },
                { "# x;\na;", "2:a|" },
                { "/* x;\n; */ a;", "2:a|" },
                { "a /* ; */ b;", "1:a /* ; */ b|" },
                { "a -- ;'\n b;", "1:a -- ;'\n b|" },
                { "a # ;\"\n b;", "1:a # ;\"\n b|" },
                { "1--1;2;", "1:1--1|1:2|" },
                { "a--\n;", "1:a--\n|" },
                { "';';", "1:';'|" },
                { "'it''s; x';b;", "1:'it''s; x'|1:b|" },
                { "'\\';';b;", "1:'\\';'|1:b|" },
                { "\";\\\";\";b;", "1:\";\\\";\"|1:b|" },
                { "`;`;b;", "1:`;`|1:b|" },
                { "`a\\`;b;", "1:`a\\`|1:b|" },
                { "'-- ;';", "1:'-- ;'|" },
                { "'/*';b;", "1:'/*'|1:b|" },
                { "/* ' */a;", "1:a|" },
                { "'\n\n';b;", "1:'\n\n'|3:b|" },
                { "a/b;", "1:a/b|" },
                { "a", "error at 1: the last statement does not end with a semicolon" },
                { "a;\nb\n", "1:a|error at 3: the last statement does not end with a semicolon" },
                { ";", "error at 1: a semicolon without a statement" },
                { "a;;", "1:a|error at 1: a semicolon without a statement" },
                { "'a;", "error at 1: a quote is not closed" },
                { "\n\"a\\\";", "error at 2: a quote is not closed" },
                { "'a\\", "error at 1: a quote is not closed" },
                { "`a;", "error at 1: a quote is not closed" },
                { "/* a;", "error at 1: a comment is not closed" },
                { "/*/;", "error at 1: a comment is not closed" },
                { "/*!50000 a */;", "error at 1: a comment that MariaDB executes is not allowed" },
                { "a /*M! b */;", "error at 1: a comment that MariaDB executes is not allowed" },
        };
        char got[512];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                split(cases[i].text, got, sizeof(got));
                assert_string_equal(got, cases[i].want);
        }
}

/* Every beginning of a text that has all of it, so that no end is read over (under asan). */
static void test_every_prefix(void **state)
{
        static const char text[] = "a 'x\\'' \"y\" `z` /* c */ -- d\n# e\n;b--;/*";
        char got[512];

        (void) state;
        for (size_t n = 0; n < sizeof(text); n++) {
                _cleanup_free_ char *copy = strndup(text, n);

                assert_non_null(copy);
                split(copy, got, sizeof(got));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_every_prefix),
        };

        (void) setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
