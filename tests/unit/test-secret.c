/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib/secret: the three ways in with everything that must be refused, and that it is gone afterwards.
 */
#include "unit.h"

#include "cleanup.h"
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void kept_and_compared(void **state)
{
        CLEANUP(secret_free_p) Secret *a = NULL, *b = NULL, *c = NULL, *d = NULL;

        (void) state;
        assert_int_equal(secret_new("geheim\n", 7, &a), 0);
        assert_int_equal(secret_new("geheim\n", 7, &b), 0);
        assert_int_equal(secret_new("geheiM\n", 7, &c), 0);
        assert_int_equal(secret_new("geheim", 6, &d), 0);
        assert_int_equal(secret_size(a), 7);
        assert_string_equal(secret_data(a), "geheim\n");
        assert_true(secret_equal(a, b));
        assert_false(secret_equal(a, c));
        assert_false(secret_equal(a, d));
        assert_null(secret_free(NULL));
}

static void sizes(void **state)
{
        _cleanup_free_ char *text = unit_repeat('s', SECRET_SIZE_MAX + 1);
        CLEANUP(secret_free_p) Secret *secret = NULL;

        (void) state;
        assert_int_equal(secret_new("", 0, &secret), -ENODATA);
        assert_int_equal(secret_new(text, SECRET_SIZE_MAX + 1, &secret), -EFBIG);
        assert_null(secret);
        assert_int_equal(secret_new(text, SECRET_SIZE_MAX, &secret), 0);
        assert_int_equal(secret_size(secret), SECRET_SIZE_MAX);
}

/* Reading freed memory must be fatal: the page is unmapped, not merely reused. */
static void gone_when_freed(void **state)
{
        int status;
        pid_t pid;

        (void) state;
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                Secret *secret;
                const struct sigaction by_default = { .sa_handler = SIG_DFL };
                const volatile char *data;

                (void) sigaction(SIGSEGV, &by_default, NULL); /* sanitizers have their own */
                if (secret_new("geheim", 6, &secret) < 0)
                        _exit(2);
                data = secret_data(secret);
                secret_free(secret);
                _exit(data[0] == 'g' ? 1 : 0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static int make_memfd(const char *text, int seals)
{
        int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
        return fd;
}

static void from_memfd(void **state)
{
        const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        static const int seals[] = { F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL };
        CLEANUP(secret_free_p) Secret *secret = NULL;
        _cleanup_close_ int fd = make_memfd("geheim", all);

        (void) state;
        /* The offset stands at the end, where an honest sender left it. */
        assert_int_equal(secret_read_memfd(fd, 6, &secret), 0);
        assert_string_equal(secret_data(secret), "geheim");
        secret = secret_free(secret);
        assert_int_equal(secret_read_memfd(fd, 5, &secret), -EFBIG);
        assert_null(secret);

        for (size_t i = 0; i < ELEMENTSOF(seals); i++) {
                _cleanup_close_ int open_fd = make_memfd("geheim", all & ~seals[i]);

                assert_int_equal(secret_read_memfd(open_fd, 100, &secret), -EPERM);
        }
}

static void to_memfd(void **state)
{
        CLEANUP(secret_free_p) Secret *secret = NULL;
        _cleanup_close_ int fd = -1;

        (void) state;
        assert_int_equal(secret_make_memfd("geheim\0x", 8, &fd), 0);
        assert_int_equal(secret_read_memfd(fd, 8, &secret), 0);
        assert_memory_equal(secret_data(secret), "geheim\0x", 8);
        assert_int_equal(write(fd, "x", 1), -1);
        assert_int_equal(errno, EPERM);
}

static void from_other_descriptors(void **state)
{
        const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
        _cleanup_close_ int empty = make_memfd("", all),
                            file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        CLEANUP(secret_free_p) Secret *secret = NULL;
        int pair[2];

        (void) state;
        assert_int_equal(secret_read_memfd(empty, 100, &secret), -ENODATA);
        assert_int_equal(secret_read_memfd(file, 100, &secret), -EINVAL);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        assert_int_equal(secret_read_memfd(pair[0], 100, &secret), -EINVAL);
        (void) close(pair[0]);
        (void) close(pair[1]);
        assert_int_equal(secret_read_memfd(-1, 100, &secret), -EBADF);
}

static void from_credential(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "key");
        _cleanup_free_ char *empty = unit_path(folder, "empty"), *sub = unit_path(folder, "folder");
        _cleanup_free_ char *name255 = unit_repeat('n', 255), *name256 = unit_repeat('n', 256);
        CLEANUP(secret_free_p) Secret *secret = NULL;

        (void) state;
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
        assert_int_equal(secret_read_credential("key", 100, &secret), -ENXIO);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
        assert_int_equal(secret_read_credential("key", 100, &secret), -ENXIO);
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);

        unit_write(path, "k\0y\n", 4, 0400);
        unit_write(empty, "", 0, 0400);
        assert_int_equal(mkdir(sub, 0700), 0);
        assert_int_equal(secret_read_credential("key", 4, &secret), 0);
        assert_int_equal(secret_size(secret), 4);
        assert_memory_equal(secret_data(secret), "k\0y\n", 5);
        secret = secret_free(secret);

        assert_int_equal(secret_read_credential("key", 3, &secret), -EFBIG);
        assert_int_equal(secret_read_credential("empty", 100, &secret), -ENODATA);
        assert_int_equal(secret_read_credential("folder", 100, &secret), -EISDIR);
        assert_int_equal(secret_read_credential("none", 100, &secret), -ENOENT);
        assert_int_equal(secret_read_credential(name255, 100, &secret), -ENOENT);
        assert_int_equal(secret_read_credential(name256, 100, &secret), -EINVAL);
        assert_int_equal(secret_read_credential("", 100, &secret), -EINVAL);
        assert_int_equal(secret_read_credential(".", 100, &secret), -EINVAL);
        assert_int_equal(secret_read_credential("..", 100, &secret), -EINVAL);
        assert_int_equal(secret_read_credential("folder/../key", 100, &secret), -EINVAL);
        assert_null(secret);
}

static void from_file(void **state)
{
        static const mode_t open_modes[] = { 0640, 0604, 0660, 0601, 0610, 0620, 0602 };
        _cleanup_free_ char *folder = unit_folder(), *path = unit_path(folder, "key");
        _cleanup_free_ char *fifo = unit_path(folder, "fifo");
        CLEANUP(secret_free_p) Secret *secret = NULL;

        (void) state;
        unit_write(path, "geheim", 6, 0600);
        assert_int_equal(secret_read_file(path, 100, &secret), 0);
        secret = secret_free(secret);
        for (size_t i = 0; i < ELEMENTSOF(open_modes); i++) {
                assert_int_equal(chmod(path, open_modes[i]), 0);
                assert_int_equal(secret_read_file(path, 100, &secret), -EPERM);
        }
        assert_int_equal(chmod(path, 0400), 0);
        assert_int_equal(secret_read_file(path, 100, &secret), 0);
        secret = secret_free(secret);
        if (geteuid() == 0) {
                assert_int_equal(chown(path, 65534, 65534), 0);
                assert_int_equal(secret_read_file(path, 100, &secret), -EPERM);
        }

        assert_int_equal(mkfifo(fifo, 0600), 0);
        assert_int_equal(secret_read_file(fifo, 100, &secret), -EINVAL);
        assert_int_equal(secret_read_file(folder, 100, &secret), -EISDIR);
        assert_null(secret);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(kept_and_compared), cmocka_unit_test(sizes),
                cmocka_unit_test(gone_when_freed),   cmocka_unit_test(from_memfd),
                cmocka_unit_test(to_memfd),          cmocka_unit_test(from_other_descriptors),
                cmocka_unit_test(from_credential),   cmocka_unit_test(from_file),
        };

        return RUN_TESTS(tests);
}
