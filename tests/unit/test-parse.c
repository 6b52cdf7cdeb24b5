/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/parse: numbers, ports, spans and levels at their bounds, and everything that strtoul() would let
 * through.
 */
#include "unit.h"

#include "parse.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

static void numbers(void **state)
{
        uint64_t value = 7;

        (void) state;
        assert_int_equal(parse_uint64("0", 0, UINT64_MAX, &value), 0);
        assert_int_equal(value, 0);
        assert_int_equal(parse_uint64("18446744073709551615", 0, UINT64_MAX, &value), 0);
        assert_true(value == UINT64_MAX);
        assert_int_equal(parse_uint64("10", 10, 20, &value), 0);
        assert_int_equal(parse_uint64("20", 10, 20, &value), 0);
        assert_int_equal(value, 20);
}

static void numbers_refused(void **state)
{
        static const char *const malformed[] = { "",    " ",   "-1",  "+1",  " 1",      "1 ", "01",
                                                 "00",  "0x1", "1e3", "1.0", "1,0",     "a",  "1a",
                                                 "1\n", "\t1", "--1", "0 0", "\xd9\xa1" };
        uint64_t value = 7;

        (void) state;
        for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
                assert_int_equal(parse_uint64(malformed[i], 0, UINT64_MAX, &value), -EINVAL);
        assert_int_equal(parse_uint64("18446744073709551616", 0, UINT64_MAX, &value), -ERANGE);
        assert_int_equal(parse_uint64("99999999999999999999999", 0, UINT64_MAX, &value), -ERANGE);
        assert_int_equal(parse_uint64("9", 10, 20, &value), -ERANGE);
        assert_int_equal(parse_uint64("21", 10, 20, &value), -ERANGE);
        assert_int_equal(value, 7);
}

static void ports(void **state)
{
        uint16_t port = 7;

        (void) state;
        assert_int_equal(parse_port("0", &port), -ERANGE);
        assert_int_equal(parse_port("65536", &port), -ERANGE);
        assert_int_equal(parse_port("http", &port), -EINVAL);
        assert_int_equal(port, 7);
        assert_int_equal(parse_port("1", &port), 0);
        assert_int_equal(port, 1);
        assert_int_equal(parse_port("65535", &port), 0);
        assert_int_equal(port, 65535);
}

static void booleans(void **state)
{
        bool value = false;

        (void) state;
        assert_int_equal(parse_bool("yes", &value), 0);
        assert_true(value);
        assert_int_equal(parse_bool("no", &value), 0);
        assert_false(value);
        assert_int_equal(parse_bool("Yes", &value), -EINVAL);
        assert_int_equal(parse_bool("1", &value), -EINVAL);
        assert_int_equal(parse_bool("", &value), -EINVAL);
}

static void spans(void **state)
{
        static const struct {
                const char *text;
                uint64_t usec;
        } good[] = {
                { "2", 2000000 },     { "2s", 2000000 },
                { "100ms", 100000 },  { "3min", 180000000 },
                { "1h", 3600000000 }, { "1d", 86400000000 },
                { "0", 0 },           { "213503982d", UINT64_C(18446744044800000000) },
        };
        static const char *const malformed[] = {
                "", "s", "1 s", "-1s", "1m", "1sec", "1.5s", "1s1s"
        };
        uint64_t usec = 7;

        (void) state;
        for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
                assert_int_equal(parse_span_usec(malformed[i], 0, UINT64_MAX, &usec), -EINVAL);
        assert_int_equal(parse_span_usec("213503983d", 0, UINT64_MAX, &usec), -ERANGE);
        assert_int_equal(parse_span_usec("99ms", 100000, 200000, &usec), -ERANGE);
        assert_int_equal(parse_span_usec("201ms", 100000, 200000, &usec), -ERANGE);
        assert_int_equal(usec, 7);

        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                assert_int_equal(parse_span_usec(good[i].text, 0, UINT64_MAX, &usec), 0);
                assert_true(usec == good[i].usec);
        }
        assert_int_equal(parse_span_usec("100ms", 100000, 200000, &usec), 0);
        assert_int_equal(parse_span_usec("200ms", 100000, 200000, &usec), 0);
}

static void levels(void **state)
{
        int level = 77;

        (void) state;
        for (int i = LOG_EMERG; i <= LOG_DEBUG; i++) {
                assert_non_null(log_level_to_string(i));
                assert_int_equal(parse_log_level(log_level_to_string(i), &level), 0);
                assert_int_equal(level, i);
        }
        assert_string_equal(log_level_to_string(LOG_ERR), "err");
        assert_string_equal(log_level_to_string(LOG_WARNING), "warning");
        assert_null(log_level_to_string(-1));
        assert_null(log_level_to_string(LOG_DEBUG + 1));
        assert_int_equal(parse_log_level("error", &level), -EINVAL);
        assert_int_equal(parse_log_level("6", &level), -EINVAL);
        assert_int_equal(parse_log_level("", &level), -EINVAL);
}

static void sizes(void **state)
{
        uint64_t bytes = 7;

        (void) state;
        assert_int_equal(parse_size("0", 0, 10, &bytes), 0);
        assert_int_equal(bytes, 0);
        assert_int_equal(parse_size("1000", 0, UINT64_MAX, &bytes), 0);
        assert_int_equal(bytes, 1000);
        assert_int_equal(parse_size("2K", 0, UINT64_MAX, &bytes), 0);
        assert_int_equal(bytes, 2048);
        assert_int_equal(parse_size("3M", 0, UINT64_MAX, &bytes), 0);
        assert_int_equal(bytes, 3 << 20);
        assert_int_equal(parse_size("1G", UINT64_C(1) << 30, UINT64_C(1) << 30, &bytes), 0);
        assert_int_equal(parse_size("16T", 0, UINT64_MAX, &bytes), 0);
        assert_true(bytes == UINT64_C(16) << 40);
        assert_int_equal(parse_size("16777215T", 0, UINT64_MAX, &bytes), 0);
        assert_int_equal(parse_size("16777216T", 0, UINT64_MAX, &bytes), -ERANGE);
        assert_int_equal(parse_size("11", 0, 10, &bytes), -ERANGE);
        assert_int_equal(parse_size("9", 10, 20, &bytes), -ERANGE);
        assert_int_equal(parse_size("1k", 0, UINT64_MAX, &bytes), -EINVAL);
        assert_int_equal(parse_size("1 M", 0, UINT64_MAX, &bytes), -EINVAL);
        assert_int_equal(parse_size("M", 0, UINT64_MAX, &bytes), -EINVAL);
        assert_int_equal(parse_size("", 0, UINT64_MAX, &bytes), -EINVAL);
        assert_int_equal(parse_size("-1", 0, UINT64_MAX, &bytes), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers), cmocka_unit_test(numbers_refused),
                cmocka_unit_test(ports),   cmocka_unit_test(booleans),
                cmocka_unit_test(spans),   cmocka_unit_test(levels),
                cmocka_unit_test(sizes),
        };

        return RUN_TESTS(tests);
}
