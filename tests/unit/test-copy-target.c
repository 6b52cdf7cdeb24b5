/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The target of the copier beside a real qemu-nbd: a server that dies is a loss, whenever that is noticed.
 */
#include "unit.h"

#include "cleanup.h"
#include "target.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

enum {
        SIZE = 1024 * 1024,
        PATIENCE_MSEC = 20000,
};

static void on_answer(void *userdata, int error)
{
        unsigned *n = userdata;

        (void) error;
        (*n)++;
}

static pid_t serve(const char *folder, char *socket)
{
        _cleanup_free_ char *image = unit_path(folder, "image");
        char *words[] = { (char[]){ "qemu-nbd" },
                          (char[]){ "-t" },
                          (char[]){ "-f" },
                          (char[]){ "raw" },
                          (char[]){ "--shared=10" },
                          (char[]){ "-k" },
                          socket,
                          image,
                          NULL };
        pid_t pid;

        unit_write(image, "", 0, 0600);
        assert_int_equal(truncate(image, SIZE), 0);
        if (posix_spawnp(&pid, words[0], NULL, NULL, words, environ) != 0)
                return 0;
        return pid;
}

static void go_on(Target *target, int timeout_msec)
{
        struct pollfd fds[TARGET_CONNECTIONS_MAX];
        uint64_t deadline = UINT64_MAX;
        size_t n = target_poll(target, fds, &deadline);

        assert_true(poll(fds, n, timeout_msec) >= 0);
        target_dispatch(target, fds, n);
}

/* Its socket is there a moment after its start. */
static void open_target(Target *target, const NbdUri *uri)
{
        for (unsigned i = 0; i < PATIENCE_MSEC / 10; i++) {
                target_init(target, uri, SIZE, 1);
                target_open(target);
                while (target->state == TARGET_OPENING)
                        go_on(target, PATIENCE_MSEC);
                if (target->state == TARGET_OPEN)
                        return;
                target_close(target);
                (void) poll(NULL, 0, 10);
        }
        fail_msg("qemu-nbd does not answer: %s", target->error);
}

/* The first request finds out by itself that nobody is there. What libnbd says to the next ones is that they make no sense. */
static void dead_connection(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *socket = unit_path(folder, "s"),
                            *data = calloc(1, SIZE);
        NbdUri uri = {};
        Target target;
        unsigned n_answers = 0;
        int r = 0;
        pid_t pid;

        (void) state;
        assert_non_null(data);
        assert_true(strlen(socket) < sizeof(uri.socket));
        (void) snprintf(uri.socket, sizeof(uri.socket), "%s", socket);
        pid = serve(folder, socket);
        if (pid <= 0)
                skip();
        open_target(&target, &uri);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = target_write(&target, data, SIZE, 0, on_answer, &n_answers);
        assert_int_equal(r, -ENOTCONN);
        assert_int_equal(target.state, TARGET_LOST);
        assert_int_equal(target.errnum, -ENOTCONN);
        target_close(&target);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dead_connection),
        };

        return RUN_TESTS(tests);
}
