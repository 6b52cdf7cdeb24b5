/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/progress: what is made is read back, at both ends of every bound, and what is almost a progress
 * datagram is none.
 */
#include "unit.h"

#include "cleanup.h"
#include "names.h"
#include "progress.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void expect_same(const Progress *progress)
{
        char text[PROGRESS_TEXT_SIZE];
        Progress back = {};

        assert_int_equal(progress_make(progress, text), 0);
        assert_int_equal(progress_parse(text, strlen(text), &back), 0);
        assert_true(back.job == progress->job);
        assert_true(back.disk_key == progress->disk_key);
        assert_true(back.bytes_done == progress->bytes_done);
        assert_true(back.bytes_total == progress->bytes_total);
}

static void there_and_back(void **state)
{
        char text[PROGRESS_TEXT_SIZE];

        (void) state;
        expect_same(&(Progress){ 7, 2000, 12, 109521666048 });
        expect_same(&(Progress){ 1, 1, 0, 0 });
        expect_same(&(Progress){ JOB_NUMBER_MAX, DISK_KEY_MAX, PROGRESS_BYTES_MAX,
                                 PROGRESS_BYTES_MAX });
        assert_int_equal(progress_make(&(Progress){ 7, 2000, 1, 2 }, text), 0);
        assert_string_equal(text,
                            "{\"job\":7,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}");
}

static void not_made(void **state)
{
        static const Progress wrong[] = {
                { 0, 2000, 1, 2 }, { JOB_NUMBER_MAX + 1, 2000, 1, 2 },
                { 7, 0, 1, 2 },    { 7, DISK_KEY_MAX + 1, 1, 2 },
                { 7, 2000, 3, 2 }, { 7, 2000, 1, PROGRESS_BYTES_MAX + 1 },
        };
        char text[PROGRESS_TEXT_SIZE] = "untouched";

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_int_equal(progress_make(&wrong[i], text), -EINVAL);
        assert_string_equal(text, "untouched");
}

static void expect_none(const char *text, size_t size, int want)
{
        Progress progress = { .job = 77 };
        int r = progress_parse(text, size, &progress);

        if (r != want)
                fail_msg("'%.80s': %i instead of %i", text, r, want);
        assert_true(progress.job == 77);
}

static void strangers(void **state)
{
        static const char *const wrong[] = {
                "",
                "{}",
                "[]",
                "7",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":1}",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2,\"x\":1}",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":1,\"bytes_sum\":2}",
                "{\"job\":7,\"job\":7,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":\"7\",\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":7.0,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":0,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":7,\"disk_key\":0,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":7,\"disk_key\":2147483648,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":7,\"disk_key\":-1,\"bytes_done\":1,\"bytes_total\":2}",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":3,\"bytes_total\":2}",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":-1,\"bytes_total\":2}",
                "{\"job\":7,\"disk_key\":1,\"bytes_done\":1,\"bytes_total\":9223372036854775808}",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}{}",
                "{\"job\":7,\"disk_key\":2000,\"bytes_done\":null,\"bytes_total\":2}",
                "\xff\xfe",
        };
        _cleanup_free_ char *deep = unit_repeat('[', PROGRESS_SIZE_MAX);

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                expect_none(wrong[i], strlen(wrong[i]), -EBADMSG);
        expect_none("{}\0", 3, -EBADMSG);
        expect_none(deep, PROGRESS_SIZE_MAX, -EBADMSG);
}

static void sizes(void **state)
{
        static const char text[] =
                        "{\"job\":7,\"disk_key\":2000,\"bytes_done\":1,\"bytes_total\":2}";
        _cleanup_free_ char *padded = unit_repeat(' ', PROGRESS_SIZE_MAX + 1);
        Progress progress;

        (void) state;
        memcpy(padded, text, sizeof(text) - 1);
        assert_int_equal(progress_parse(padded, PROGRESS_SIZE_MAX, &progress), 0);
        assert_true(progress.bytes_total == 2);
        expect_none(padded, PROGRESS_SIZE_MAX + 1, -EMSGSIZE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back),
                cmocka_unit_test(not_made),
                cmocka_unit_test(strangers),
                cmocka_unit_test(sizes),
        };

        return RUN_TESTS(tests);
}
