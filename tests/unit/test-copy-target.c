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
static void open_target(Target *target, const NbdUri *uri, unsigned n_connections)
{
        for (unsigned i = 0; i < PATIENCE_MSEC / 10; i++) {
                target_init(target, uri, SIZE, n_connections);
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
        open_target(&target, &uri, 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        for (unsigned i = 0; i < 3 && r >= 0; i++)
                r = target_write(&target, data, SIZE, 0, on_answer, &n_answers);
        assert_int_equal(r, -ENOTCONN);
        assert_int_equal(target.state, TARGET_LOST);
        assert_int_equal(target.errnum, -ENOTCONN);
        target_close(&target);
}

typedef struct Answers {
        unsigned n, n_good;
} Answers;

static void on_counted(void *userdata, int error)
{
        Answers *answers = userdata;

        answers->n++;
        answers->n_good += error == 0;
}

static void await(Target *target, const Answers *answers, unsigned n)
{
        for (unsigned i = 0; target->state == TARGET_OPEN && answers->n < n; i++) {
                assert_true(i < 1000);
                go_on(target, PATIENCE_MSEC);
        }
}

/* Two connections that have nothing to say, a server that dies and loses what was not flushed, and its successor on the same socket,
 * which others speak to already: a flush is an error. Had one of the two found the successor and flushed there, nobody would know. */
static void flush_at_successor(void **state)
{
        _cleanup_free_ char *folder = unit_folder(), *socket = unit_path(folder, "s"),
                            *data = calloc(1, SIZE);
        NbdUri uri = {};
        Target target, other;
        Answers written = {}, flushed = {};
        unsigned n = 0;
        pid_t pid;
        int r;

        (void) state;
        assert_non_null(data);
        assert_true(strlen(socket) < sizeof(uri.socket));
        (void) snprintf(uri.socket, sizeof(uri.socket), "%s", socket);
        pid = serve(folder, socket);
        if (pid <= 0)
                skip();
        open_target(&target, &uri, 2);
        for (unsigned i = 0; i < 2; i++)
                assert_int_equal(target_write(&target, data, SIZE / 2, i * SIZE / 2, on_counted,
                                              &written),
                                 0);
        await(&target, &written, 2);
        assert_int_equal(written.n_good, 2);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        pid = serve(folder, socket);
        assert_true(pid > 0);
        open_target(&other, &uri, 1);
        r = target_flush(&other, on_counted, &flushed, &n);
        assert_int_equal(r, 0);
        await(&other, &flushed, n);
        assert_int_equal(flushed.n_good, 1); /* the successor is well */
        target_close(&other);

        flushed = (Answers){};
        r = target_flush(&target, on_counted, &flushed, &n);
        if (r >= 0)
                await(&target, &flushed, n);
        assert_int_equal(flushed.n_good, 0);
        await(&target, &(Answers){}, 1); /* no answer comes any more, but the loss */
        assert_int_equal(target.state, TARGET_LOST);
        assert_int_equal(target.errnum, -ENOTCONN);
        target_close(&target);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(dead_connection),
                cmocka_unit_test(flush_at_successor),
        };

        return RUN_TESTS(tests);
}
