/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sizes, times and spans for people, at the ends of each unit.
 */
#include "../../cli/format.h"

#include "cleanup.h"
#include "parse.h"
#include "unit.h"

#include <stdlib.h>
#include <time.h>

static void test_bytes(void **state)
{
        static const struct {
                uint64_t bytes;
                const char *text;
        } table[] = {
                { 0, "0 B" },
                { 1023, "1023 B" },
                { 1024, "1.0 KiB" },
                { (UINT64_C(1) << 20) - 1, "1023.9 KiB" }, /* never more than there is */
                { UINT64_C(1) << 20, "1.0 MiB" },
                { UINT64_C(5) << 30, "5.0 GiB" },
                { UINT64_C(1) << 40, "1.0 TiB" },
                { UINT64_C(1) << 50, "1.0 PiB" },
                { UINT64_C(1) << 60, "1.0 EiB" },
                { UINT64_MAX, "15.9 EiB" },
        };
        char text[FORMAT_SIZE];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_string_equal(format_bytes(table[i].bytes, text), table[i].text);
}

static void test_time(void **state)
{
        char text[FORMAT_SIZE];

        (void) state;
        assert_int_equal(setenv("TZ", "UTC", 1), 0);
        tzset();
        assert_string_equal(format_time(0, text), "-");
        assert_string_equal(format_time(USEC_PER_SEC - 1, text), "1970-01-01 00:00:00");
        assert_string_equal(format_time(UINT64_C(1763702276999999), text), "2025-11-21 05:17:56");
        assert_string_equal(format_time(INT64_MAX, text), "294247-01-10 04:00:54");
        assert_string_equal(format_time(UINT64_MAX, text), "586524-01-19 08:01:49");
}

static void test_span(void **state)
{
        static const struct {
                uint64_t sec;
                const char *text;
        } table[] = {
                { 0, "0 s" },
                { 59, "59 s" },
                { 60, "1 min" },
                { 61, "1 min 1 s" },
                { 3599, "59 min 59 s" },
                { 3600, "1 h" },
                { 3659, "1 h" },
                { 3660, "1 h 1 min" },
                { 86399, "23 h 59 min" },
                { 86400, "1 d" },
                { 90000, "1 d 1 h" },
                { UINT64_MAX / 1000000, "213503982 d 8 h" },
        };
        char text[FORMAT_SIZE];

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_string_equal(format_span(table[i].sec * USEC_PER_SEC, text), table[i].text);
        assert_string_equal(format_span(USEC_PER_SEC - 1, text), "0 s");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_span),
        };

        return RUN_TESTS(tests);
}
