/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cli/unpack and cli/untar against helpers/files/tar: what one writes the other brings back; and streams as a hostile guest would have
 * them: names that lead out, links that would be followed, numbers and records that do not fit, every end that is too early.
 */
#include "unit.h"

#include "cleanup.h"
#include "ctl.h"
#include "tar.h"
#include "unpack.h"
#include "untar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static char complaints[4096];
static int stream = -1, folder = -1;
static char *top;

/* Instead of sendensectl's. */
ExitStatus complain(ExitStatus status, const char *format, ...)
{
        size_t n = strlen(complaints);
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(complaints + n, sizeof(complaints) - n, format, ap);
        va_end(ap);
        return status;
}

static int set_up(void **state)
{
        (void) state;
        top = unit_folder();
        folder = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        stream = memfd_create("tar", MFD_CLOEXEC);
        complaints[0] = '\0';
        return folder < 0 || stream < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
        (void) state;
        (void) close(folder);
        (void) close(stream);
        free(top);
        return 0;
}

static void put(const void *data, size_t size)
{
        assert_int_equal(write(stream, data, size), (ssize_t) size);
}

static void put_padded(const char *data)
{
        static const char zeroes[TAR_BLOCK];
        size_t size = strlen(data);

        put(data, size);
        put(zeroes, (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

static void put_header(TarEntry entry)
{
        char *data = NULL;
        size_t size;

        assert_int_equal(tar_header(&entry, &data, &size), 0);
        put(data, size);
        free(data);
}

static void put_file(const char *path, const char *text)
{
        put_header((TarEntry){ .path = path, .type = '0', .mode = 0640, .size = strlen(text) });
        put_padded(text);
}

static void put_end(void)
{
        static const char end[2 * TAR_BLOCK];

        put(end, sizeof(end));
}

static int unpack(Unpack *ret)
{
        *ret = (Unpack){ .folder = folder };
        assert_int_equal(lseek(stream, 0, SEEK_SET), 0);
        return unpack_stream(ret, stream);
}

static void expect_file(const char *path, const char *text)
{
        _cleanup_close_ int fd = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        char data[4096];
        ssize_t n;

        assert_true(fd >= 0);
        n = read(fd, data, sizeof(data) - 1);
        assert_true(n >= 0);
        data[n] = '\0';
        assert_string_equal(data, text);
}

static void expect_nothing(const char *path)
{
        struct stat st;

        assert_int_equal(fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW), -1);
}

static void comes_back(void **state)
{
        _cleanup_free_ char *name = unit_repeat('n', 150);
        _cleanup_free_ char *target = unit_repeat('t', 150);
        char long_path[400], read_target[200] = {};
        struct stat st, other;
        Unpack done;

        (void) state;
        (void) snprintf(long_path, sizeof(long_path), "d/%s/%s", name, name);
        put_header((TarEntry){
                        .path = "d", .type = '5', .mode = 0750, .mtime_sec = 5, .mtime_nsec = 7 });
        put_file("d/a", "hello");
        put_file("d/new\nline\xe9", "odd");
        put_header((TarEntry){ .path = "d/hard", .type = '1', .target = "d/a" });
        put_header((TarEntry){ .path = "d/soft", .type = '2', .target = target });
        put_header((TarEntry){ .path = "d/old",
                               .type = '0',
                               .mode = 0600,
                               .mtime_sec = -2,
                               .mtime_nsec = 750000000 });
        put_file(long_path, "long");
        put_end();
        assert_int_equal(unpack(&done), 0);
        assert_string_equal(complaints, "");
        assert_int_equal(done.files, 7);
        assert_int_equal(done.bytes, 12);
        expect_file("d/a", "hello");
        expect_file("d/new\nline\xe9", "odd");
        expect_file(long_path, "long");
        assert_int_equal(fstatat(folder, "d", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0750);
        assert_int_equal(st.st_mtim.tv_sec, 5);
        assert_int_equal(st.st_mtim.tv_nsec, 7);
        assert_int_equal(fstatat(folder, "d/a", &st, 0), 0);
        assert_int_equal(fstatat(folder, "d/hard", &other, 0), 0);
        assert_int_equal(st.st_ino, other.st_ino);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(fstatat(folder, "d/old", &st, 0), 0);
        assert_int_equal(st.st_mtim.tv_sec, -2);
        assert_int_equal(st.st_mtim.tv_nsec, 750000000);
        assert_int_equal(readlinkat(folder, "d/soft", read_target, sizeof(read_target) - 1), 150);
        assert_string_equal(read_target, target);
}

static void holes(void **state)
{
        static const char map[] = "2\n1048576\n4\n4194304\n0\n";
        struct stat st;
        char data[4];
        Unpack done;

        (void) state;
        put_header((TarEntry){ .path = "sparse\xe9",
                               .type = '0',
                               .mode = 0600,
                               .size = TAR_BLOCK + 4,
                               .real_size = 4194304 });
        put_padded(map);
        put_padded("data");
        put_end();
        assert_int_equal(unpack(&done), 0);
        assert_int_equal(fstatat(folder, "sparse\xe9", &st, 0), 0);
        assert_int_equal(st.st_size, 4194304);
        assert_true(st.st_blocks < 100);
        {
                _cleanup_close_ int fd = openat(folder, "sparse\xe9", O_RDONLY | O_CLOEXEC);

                assert_int_equal(pread(fd, data, 4, 1048576), 4);
                assert_memory_equal(data, "data", 4);
        }
}

static void names_that_lead_out(void **state)
{
        static const char *const bad[] = { "/abs", "../up", "d/../../up", "..", "d/.." };
        Unpack done;

        (void) state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                put_file(bad[i], "x");
        put_header((TarEntry){ .path = "hard", .type = '1', .target = "../../etc/passwd" });
        put_header((TarEntry){ .path = "hard2", .type = '1', .target = "/etc/passwd" });
        put_header((TarEntry){ .path = "hard3", .type = '1' });
        put_file("./good//too", "x");
        put_end();
        assert_int_equal(unpack(&done), 0);
        assert_int_equal(done.refused, ELEMENTSOF(bad) + 3);
        assert_int_equal(done.files, 1);
        expect_file("good/too", "x");
        expect_nothing("hard");
        expect_nothing("../up");
        expect_nothing("d/up");
}

static void links_are_not_followed(void **state)
{
        _cleanup_free_ char *outside = unit_folder(), *path = NULL;
        struct stat st;
        Unpack done;

        (void) state;
        path = unit_path(outside, "in");
        put_header((TarEntry){ .path = "out", .type = '2', .target = outside });
        put_file("out/in", "x");
        put_header((TarEntry){ .path = "out/folder", .type = '5', .mode = 0777 });
        put_header((TarEntry){ .path = "out", .type = '5', .mode = 0777 });
        put_header((TarEntry){ .path = "file", .type = '2', .target = path });
        put_file("file", "x");
        put_header((TarEntry){ .path = "leak", .type = '1', .target = "out/in" });
        put_end();
        unit_write(path, "kept", 4, 0600);
        assert_int_equal(unpack(&done), 0);
        assert_int_equal(done.refused, 5);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_size, 4);
        assert_int_equal(st.st_nlink, 1);
        expect_nothing("leak");
}

static void what_is_there_stays(void **state)
{
        _cleanup_free_ char *path = unit_path(top, "mine");
        struct stat st;
        Unpack done;

        (void) state;
        unit_write(path, "mine", 4, 0600);
        put_file("mine", "theirs");
        put_header((TarEntry){ .path = "suid", .type = '0', .mode = 06755 });
        put_header((TarEntry){ .path = "dev", .type = '4', .mode = 0666, .major = 8 });
        put_file("next", "x");
        put_end();
        assert_int_equal(unpack(&done), 0);
        expect_file("mine", "mine");
        expect_file("next", "x");
        expect_nothing("dev");
        assert_int_equal(done.refused, 1);
        assert_int_equal(done.devices_left_out, 1);
        assert_int_equal(fstatat(folder, "suid", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
}

/* Nor is it linked to, or made to look like the guest's; a folder that only a path has made before is another matter. */
static void what_is_there_is_not_changed(void **state)
{
        _cleanup_free_ char *path = unit_path(top, "mine"), *old = unit_path(top, "old");
        struct stat st;
        Unpack done;

        (void) state;
        unit_write(path, "mine", 4, 0600);
        assert_int_equal(mkdir(old, 0700), 0);
        put_header((TarEntry){ .path = "link", .type = '1', .target = "mine" });
        put_header((TarEntry){ .path = "old", .type = '5', .mode = 0777, .mtime_sec = 5 });
        put_file("old/new", "x");
        put_header((TarEntry){ .path = "old/link", .type = '1', .target = "old/new" });
        put_header((TarEntry){ .path = "old/soft", .type = '2', .target = "x" });
        put_header((TarEntry){ .path = "old/soft2", .type = '1', .target = "old/soft" });
        put_file("d/a", "x");
        put_header((TarEntry){ .path = "d", .type = '5', .mode = 0700, .mtime_sec = 5 });
        put_end();
        assert_int_equal(unpack(&done), 0);
        assert_int_equal(done.refused, 1);
        expect_nothing("link");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_nlink, 1);
        assert_int_equal(stat(old, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_not_equal(st.st_mtim.tv_sec, 5);
        expect_file("old/link", "x");
        assert_int_equal(fstatat(folder, "old/soft2", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_nlink, 2);
        assert_int_equal(fstatat(folder, "d", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        assert_int_equal(st.st_mtim.tv_sec, 5);
}

/* A folder has its own access list at the end, and no file in it one that the guest's has not. */
static void files_inherit_nothing(void **state)
{
        /* rwx for the owner, user 7 and the mask, nothing for the others; little endian. */
        static const char list[] = "\2\0\0\0"
                                   "\1\0\7\0\xff\xff\xff\xff"
                                   "\2\0\7\0\7\0\0\0"
                                   "\4\0\0\0\xff\xff\xff\xff"
                                   "\20\0\7\0\xff\xff\xff\xff"
                                   "\40\0\0\0\xff\xff\xff\xff";
        const TarAttribute attribute = { "system.posix_acl_default", list, sizeof(list) - 1 };
        _cleanup_free_ char *path = unit_path(top, "d"), *file = unit_path(top, "d/in/file");
        char value[256];
        Unpack done;

        (void) state;
        if (setxattr(top, attribute.name, list, sizeof(list) - 1, 0) < 0 ||
            removexattr(top, attribute.name) < 0)
                skip(); /* no access lists here */
        put_header((TarEntry){ .path = "d",
                               .type = '5',
                               .mode = 0750,
                               .attributes = &attribute,
                               .n_attributes = 1 });
        put_header((TarEntry){ .path = "d/in", .type = '5', .mode = 0750 });
        put_file("d/in/file", "x");
        put_end();
        assert_int_equal(unpack(&done), 0);
        assert_int_equal(done.files, 3);
        assert_int_equal(getxattr(path, attribute.name, value, sizeof(value)), sizeof(list) - 1);
        assert_memory_equal(value, list, sizeof(list) - 1);
        assert_int_equal(getxattr(file, "system.posix_acl_access", value, sizeof(value)), -1);
        *strrchr(file, '/') = '\0';
        assert_int_equal(getxattr(file, attribute.name, value, sizeof(value)), -1);
}

/* Wherever the stream is cut it is told, and every whole file of it is there. */
static void cut_anywhere(void **state)
{
        off_t size;
        Unpack done;

        (void) state;
        put_file("a", "hello");
        put_header((TarEntry){ .path = "b", .type = '2', .target = "a" });
        put_end();
        size = lseek(stream, 0, SEEK_END);
        for (off_t at = size - 1; at >= 0; at -= 73) {
                assert_int_equal(ftruncate(stream, at), 0);
                assert_int_equal(unpack(&done), -EPIPE);
                (void) unlinkat(folder, "a", 0);
                (void) unlinkat(folder, "b", 0);
        }
}

/* Each byte of a header is another one: never more than a refusal. */
static void any_byte_changed(void **state)
{
        static const char map[] = "2\n0\n4\n100\n0\n";
        static const char name[] = "user.x";
        const TarAttribute attribute = { name, "value", 5 };
        off_t size;
        Unpack done;

        (void) state;
        put_header((TarEntry){ .path = "a",
                               .type = '0',
                               .size = TAR_BLOCK + 4,
                               .real_size = 100,
                               .attributes = &attribute,
                               .n_attributes = 1 });
        put_padded(map);
        put_padded("data");
        put_end();
        size = lseek(stream, 0, SEEK_END);
        for (off_t at = 0; at < size; at++)
                for (int change = 1; change < 256; change *= 7) {
                        unsigned char old, new;

                        assert_int_equal(pread(stream, &old, 1, at), 1);
                        new = old ^ (unsigned char) change;
                        assert_int_equal(pwrite(stream, &new, 1, at), 1);
                        assert_true(unpack(&done) <= 0);
                        assert_int_equal(pwrite(stream, &old, 1, at), 1);
                        (void) unlinkat(folder, "a", 0);
                        complaints[0] = '\0';
                }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(comes_back),
                TEST(holes),
                TEST(names_that_lead_out),
                TEST(links_are_not_followed),
                TEST(what_is_there_stays),
                TEST(what_is_there_is_not_changed),
                TEST(files_inherit_nothing),
                TEST(cut_anywhere),
                TEST(any_byte_changed),
        };

        return RUN_TESTS(tests);
}
