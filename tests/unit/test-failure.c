/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/backup-client/failure: the first reason counts, and what is added to it is never lost to its length.
 */
#include "unit.h"

#include "failure.h"

#include "utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void first_counts(void **state)
{
        Failure failure = {};

        (void) state;
        assert_int_equal(failure_set(&failure, -EIO, FAILURE_SOURCE, 2000, "one\ntwo"), -EIO);
        assert_int_equal(failure_set(&failure, -ENOMEM, FAILURE_OTHER, 1, "three"), -ENOMEM);
        assert_string_equal(failure.name, FAILURE_SOURCE);
        assert_int_equal(failure.disk_key, 2000);
        assert_string_equal(failure.text, "one two");
}

static void added(void **state)
{
        Failure failure = {};

        (void) state;
        (void) failure_set(&failure, -EIO, FAILURE_SOURCE, 0, "one");
        failure_add(&failure, "; %s", "two\nlines");
        assert_string_equal(failure.text, "one; two lines");
}

/* At every length, so that the cut falls on every byte of a letter. */
static void added_to_long(void **state)
{
        static const char more[] = "; the snapshot \xc3\xbc is left";

        (void) state;
        for (size_t n = FAILURE_TEXT_SIZE - 64; n < FAILURE_TEXT_SIZE; n++) {
                char text[FAILURE_TEXT_SIZE] = "";
                Failure failure = {};
                size_t length;

                for (size_t at = 0; at + 3 <= n; at += 3)
                        (void) snprintf(text + at, sizeof(text) - at, "%s", "\xe2\x82\xac");
                (void) failure_set(&failure, -EIO, FAILURE_SOURCE, 0, "%.*s%s", (int) (n % 3), "ab",
                                   text);
                failure_add(&failure, "%s", more);
                length = strlen(failure.text);
                assert_true(length < FAILURE_TEXT_SIZE);
                assert_true(utf8_is_line(failure.text));
                assert_null(strchr(failure.text, '?'));
                assert_string_equal(failure.text + length - strlen(more), more);
        }
}

static void added_much(void **state)
{
        char more[2 * FAILURE_TEXT_SIZE];
        Failure failure = {};

        (void) state;
        memset(more, 'x', sizeof(more) - 1);
        more[sizeof(more) - 1] = '\0';
        (void) failure_set(&failure, -EIO, FAILURE_SOURCE, 0, "one");
        failure_add(&failure, "%s", more);
        assert_int_equal(strlen(failure.text), strlen("one") + FAILURE_TEXT_SIZE / 2);
        assert_memory_equal(failure.text, "onexx", 5);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(first_counts),
                cmocka_unit_test(added),
                cmocka_unit_test(added_to_long),
                cmocka_unit_test(added_much),
        };

        return RUN_TESTS(tests);
}
