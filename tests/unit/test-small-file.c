/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/small-file and lib/result-file: limits, leftovers of an earlier crash, the order of the durable
 * steps (the calls are recorded on their way), and results that are none.
 */
#include "unit.h"

#include "cleanup.h"
#include "result-file.h"
#include "small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int from, const char *old, int to, const char *new);
int __wrap_renameat(int from, const char *old, int to, const char *new);

static char steps[64];
static int fail_step; /* the step that fails, from 1; 0 for none */

static int step(const char *name)
{
        int n = 1;

        for (const char *p = steps; *p; p++)
                n += *p == ' ';
        (void) snprintf(steps + strlen(steps), sizeof(steps) - strlen(steps), "%s ", name);
        if (n == fail_step)
                errno = EIO;
        return n == fail_step ? -1 : 0;
}

int __wrap_fsync(int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0 || step(S_ISDIR(st.st_mode) ? "sync-folder" : "sync-file") < 0)
                return -1;
        return __real_fsync(fd);
}

int __wrap_renameat(int from, const char *old, int to, const char *new)
{
        return step("rename") < 0 ? -1 : __real_renameat(from, old, to, new);
}

static void expect_file(const char *path, const char *want)
{
        _cleanup_free_ char *data = NULL;
        size_t size = 0;

        assert_int_equal(small_file_read(path, 1000, &data, &size), 0);
        assert_int_equal(size, strlen(want));
        assert_string_equal(data, want);
}

static void written_in_order(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "f");
        _cleanup_free_ char *partial = unit_path(folder, "f.partial");
        struct stat st;

        (void) state;
        steps[0] = '\0';
        unit_write(partial, "left by a crash", 15, 0444);
        assert_int_equal(small_file_write(path, 0640, "new", 3), 0);
        assert_string_equal(steps, "sync-file rename sync-folder ");
        expect_file(path, "new");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(access(partial, F_OK), -1);
        assert_int_equal(small_file_write(path, 0600, "", 0), 0);
        expect_file(path, "");
}

static void failed_steps(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "f");
        _cleanup_free_ char *partial = unit_path(folder, "f.partial");

        (void) state;
        for (fail_step = 1; fail_step <= 3; fail_step++) {
                unit_write(path, "old", 3, 0644);
                steps[0] = '\0';
                assert_int_equal(small_file_write(path, 0640, "new", 3), -EIO);
                assert_int_equal(access(partial, F_OK), -1);
                expect_file(path, fail_step < 3 ? "old" : "new");
        }
        fail_step = 0;
}

static void wrong_places(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "f");
        _cleanup_free_ char *slash = unit_path(folder, ""), *none = unit_path(folder, "none/f");
        _cleanup_free_ char *below = unit_path(folder, "f/g"), *data = NULL;
        size_t size = 77;

        (void) state;
        unit_write(path, "1234", 4, 0644);
        assert_int_equal(small_file_write(slash, 0600, "x", 1), -EISDIR);
        assert_int_equal(small_file_write("", 0600, "x", 1), -EISDIR);
        assert_int_equal(small_file_write(none, 0600, "x", 1), -ENOENT);
        assert_int_equal(small_file_write(below, 0600, "x", 1), -ENOTDIR);
        assert_int_equal(small_file_read(none, 10, &data, &size), -ENOENT);
        assert_int_equal(small_file_read(folder, 10, &data, &size), -EISDIR);
        assert_int_equal(small_file_read(path, 3, &data, &size), -EFBIG);
        assert_int_equal(small_file_read("/dev/zero", 3, &data, &size), -EFBIG);
        assert_null(data);
        assert_int_equal(size, 77);
        assert_int_equal(small_file_read(path, 4, &data, &size), 0);
        assert_int_equal(size, 4);
        assert_int_equal(data[4], 0);
}

static void in_an_open_folder(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "f");
        _cleanup_free_ char *link = unit_path(folder, "link"), *data = NULL;
        _cleanup_close_ int fd = open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
        size_t size = 77;

        (void) state;
        assert_true(fd >= 0);
        assert_int_equal(small_file_write_at(fd, "f", 0640, "x", 1), 0);
        expect_file(path, "x");
        assert_int_equal(symlink("f", link), 0);
        assert_int_equal(small_file_read_at(fd, "link", 10, &data, &size), -ELOOP);
        assert_int_equal(small_file_read_at(fd, "./f", 10, &data, &size), -EINVAL);
        assert_int_equal(small_file_read_at(fd, "none", 10, &data, &size), -ENOENT);
        assert_int_equal(small_file_write_at(fd, "./f", 0600, "y", 1), -EINVAL);
        assert_int_equal(small_file_write_at(fd, "", 0600, "y", 1), -EISDIR);
        assert_null(data);
        assert_int_equal(size, 77);
        assert_int_equal(small_file_read_at(fd, "f", 10, &data, &size), 0);
        assert_int_equal(size, 1);

        /* The name is written, not what a link in its place leads to. */
        assert_int_equal(small_file_write_at(fd, "link", 0600, "z", 1), 0);
        expect_file(path, "x");
        expect_file(link, "z");
}

static void relative_path(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "f");
        _cleanup_free_ char *before = getcwd(NULL, 0);

        (void) state;
        assert_int_equal(chdir(folder), 0);
        assert_int_equal(small_file_write("f", 0600, "x", 1), 0);
        assert_int_equal(chdir(before), 0);
        expect_file(path, "x");
}

static void result_kept(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "r");
        json_t *result = json_pack("{s:s, s:I, s:[s]}", "state", "completed", "bytes",
                                   (json_int_t) INT64_MAX, "disks", "2000");
        json_t *back = NULL;

        (void) state;
        assert_int_equal(result_file_write(path, result), 0);
        assert_int_equal(result_file_read(path, &back), 0);
        assert_true(json_equal(result, back));
        json_decref(result);
        json_decref(back);
}

static void expect_no_result(const char *text, int want)
{
        json_t *result = NULL;
        int r = result_parse(text, strlen(text), &result);

        if (r != want)
                fail_msg("'%.60s': %i instead of %i", text, r, want);
        assert_null(result);
}

static void no_results(void **state)
{
        (void) state;
        expect_no_result("", -EBADMSG);
        expect_no_result("[]", -EBADMSG);
        expect_no_result("1", -EBADMSG);
        expect_no_result("{", -EBADMSG);
        expect_no_result("{}{}", -EBADMSG);
        expect_no_result("{} x", -EBADMSG);
        expect_no_result("{\"a\":1,\"a\":2}", -EBADMSG);
        expect_no_result("{\"a\":9223372036854775808}", -EBADMSG);
        expect_no_result("{\"a\":\"\\u0000\"}", -EBADMSG);
        expect_no_result("{\"a\":\"\xff\"}", -EBADMSG);
        expect_no_result("{\"a\":1,}", -EBADMSG);
        expect_no_result("{a:1}", -EBADMSG);
        expect_no_result("{\"a\":[[[[[[[[]]]]]]]]}", -ELOOP);
        expect_no_result("[[[[[[[[[", -ELOOP);
}

static void result_limits(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "r");
        _cleanup_free_ char *spaces = unit_repeat(' ', RESULT_SIZE_MAX + 1);
        _cleanup_free_ char *large = unit_repeat('x', RESULT_SIZE_MAX);
        json_t *result = NULL, *list;
        static const char brackets[] = "{\"]}[[[[[[[[[[[[\\\"{\":[[[[[[[]]]]]]]}";

        (void) state;
        spaces[0] = '{';
        spaces[RESULT_SIZE_MAX - 1] = '}';
        assert_int_equal(result_parse(spaces, RESULT_SIZE_MAX + 1, &result), -EFBIG);
        assert_int_equal(result_parse(spaces, RESULT_SIZE_MAX, &result), 0);
        json_decref(result);
        assert_int_equal(result_parse(brackets, strlen(brackets), &result), 0);
        json_decref(result);

        result = json_pack("{s:s}", "a", large);
        assert_int_equal(result_file_write(path, result), -EFBIG);
        json_decref(result);
        list = json_array();
        assert_int_equal(result_file_write(path, list), -EINVAL);
        for (int i = 0; i < RESULT_DEPTH_MAX; i++) {
                json_t *outer = json_array();

                assert_int_equal(json_array_append_new(outer, list), 0);
                list = outer;
        }
        result = json_pack("{s:o}", "a", list);
        assert_int_equal(result_file_write(path, result), -ELOOP);
        json_decref(result);
        assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(written_in_order), cmocka_unit_test(failed_steps),
                cmocka_unit_test(wrong_places),     cmocka_unit_test(relative_path),
                cmocka_unit_test(result_kept),      cmocka_unit_test(no_results),
                cmocka_unit_test(result_limits),    cmocka_unit_test(in_an_open_folder),
        };

        return RUN_TESTS(tests);
}
