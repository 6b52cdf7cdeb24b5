/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The copy client's reader of Content-Range: what servers send, and everything that is not quite that.
 */
#include "unit.h"

#include "cleanup.h"
#include "http-range.h"

#include <errno.h>

static void good(void **state)
{
        static const struct {
                const char *text;
                HttpRange range;
        } ranges[] = {
                { "bytes 0-0/1", { 0, 0, 1 } },
                { "bytes 1048576-2097151/109521666048", { 1048576, 2097151, 109521666048 } },
                { "bytes 9223372036854775805-9223372036854775806/9223372036854775807",
                  { INT64_MAX - 2, INT64_MAX - 1, INT64_MAX } },
        };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(ranges); i++) {
                HttpRange range = {};

                assert_int_equal(http_range_parse(ranges[i].text, &range), 0);
                assert_memory_equal(&range, &ranges[i].range, sizeof(range));
        }
}

static void bad(void **state)
{
        static const char *const texts[] = {
                "",
                "bytes",
                "bytes ",
                "bytes 0-0",
                "bytes 0-0/*",
                "bytes */1",
                "bytes 0/1-2",
                "bytes -1/2",
                "bytes 0-/2",
                "bytes 0-1/",
                "bytes 0-1/1",
                "bytes 1-0/2",
                "bytes 0-1/2 ",
                "bytes  0-1/2",
                "bytes 0 -1/2",
                "bytes 00-1/2",
                "bytes +0-1/2",
                "bytes 0-1-1/2",
                "bytes 0-1/2/3",
                "Bytes 0-1/2",
                "octets 0-1/2",
                "bytes 0-18446744073709551615/18446744073709551616",
                "bytes 0-9223372036854775807/9223372036854775808",
                "bytes 0000000000000000000000000000000000000000000000000000000000000000000000-1/2",
        };
        HttpRange range = { 7, 7, 7 };

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_int_equal(http_range_parse(texts[i], &range), -EBADMSG);
        assert_int_equal(range.first, 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(good), cmocka_unit_test(bad) };

        return RUN_TESTS(tests);
}
