/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * helpers/tunnel/read-ahead: what is asked for in pieces leaves the kernel at once and comes in order, poll() knows of it, and nothing
 * else notices. And libssh calls it.
 */
#include "unit.h"

#include "read-ahead.h"

#include <dlfcn.h>
#include <errno.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        SENT = 10000,
        ASKED = 4096,
};

/* As a library finds them; the calls of this file might be made inline. */
static ssize_t (*find_recv(void))(int, void *, size_t, int)
{
        return (ssize_t(*)(int, void *, size_t, int)) dlsym(RTLD_DEFAULT, "recv");
}

static int (*find_poll(void))(struct pollfd *, nfds_t, int)
{
        return (int (*)(struct pollfd *, nfds_t, int)) dlsym(RTLD_DEFAULT, "poll");
}

static void make_pair(int ret_fds[static 2])
{
        assert_int_equal(
                        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds),
                        0);
}

/* Its buffer is large; several of them in one function would be too much for the stack. */
static __attribute__((noinline)) void send_bytes(int fd, size_t size)
{
        char data[SENT];

        for (size_t i = 0; i < size; i++)
                data[i] = (char) (i % 251);
        assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

static int in_kernel(int fd)
{
        int n;

        assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
        return n;
}

static short poll_one(int fd, short events)
{
        struct pollfd p = { .fd = fd, .events = events };
        int n = find_poll()(&p, 1, 0);

        assert_int_equal(n, p.revents != 0);
        return p.revents;
}

/* size bytes from the at-th that was sent. */
static void comes(int fd, size_t at, size_t size)
{
        unsigned char data[ASKED];

        assert_int_equal(find_recv()(fd, data, sizeof(data), 0), size);
        for (size_t i = 0; i < size; i++)
                assert_int_equal(data[i], (at + i) % 251);
}

static void nothing_comes(int fd)
{
        char data[ASKED];

        assert_int_equal(poll_one(fd, POLLIN), 0);
        assert_int_equal(find_recv()(fd, data, sizeof(data), 0), -1);
        assert_int_equal(errno, EAGAIN);
}

static void test_pieces(void **state)
{
        int fds[2];
        char data[ASKED];

        (void) state;
        make_pair(fds);
        read_ahead_begin(fds[0]);
        nothing_comes(fds[0]);
        send_bytes(fds[1], SENT);
        comes(fds[0], 0, ASKED);
        assert_int_equal(in_kernel(fds[0]), 0);
        assert_int_equal(poll_one(fds[0], POLLIN), POLLIN);
        comes(fds[0], ASKED, ASKED);
        comes(fds[0], (size_t) 2 * ASKED, SENT - 2 * ASKED);
        nothing_comes(fds[0]);
        assert_int_equal(poll_one(fds[0], POLLIN | POLLOUT), POLLOUT);
        /* The end comes after the rest. */
        send_bytes(fds[1], ASKED + 1);
        comes(fds[0], 0, ASKED);
        (void) close(fds[1]);
        comes(fds[0], ASKED, 1);
        assert_int_equal(find_recv()(fds[0], data, sizeof(data), 0), 0);
        read_ahead_end();
        (void) close(fds[0]);
}

static void test_others(void **state)
{
        int fds[2], others[2];
        struct pollfd p[3];
        char data[ASKED];

        (void) state;
        make_pair(fds);
        make_pair(others);
        read_ahead_begin(fds[0]);
        send_bytes(others[1], SENT);
        comes(others[0], 0, ASKED);
        assert_int_equal(in_kernel(others[0]), SENT - ASKED);
        send_bytes(fds[1], SENT);
        assert_int_equal(find_recv()(fds[0], data, sizeof(data), MSG_PEEK), ASKED);
        assert_int_equal(in_kernel(fds[0]), SENT);
        comes(fds[0], 0, ASKED);
        /* One has bytes here, one in the kernel, one none; and nobody waits for ever. */
        p[0] = (struct pollfd){ .fd = fds[1], .events = POLLIN };
        p[1] = (struct pollfd){ .fd = fds[0], .events = POLLIN | POLLOUT };
        p[2] = (struct pollfd){ .fd = others[0], .events = POLLIN };
        assert_int_equal(find_poll()(p, 3, -1), 2);
        assert_int_equal(p[0].revents, 0);
        assert_int_equal(p[1].revents, POLLIN | POLLOUT);
        assert_int_equal(p[2].revents, POLLIN);
        p[1].events = POLLOUT;
        assert_int_equal(find_poll()(p, 2, -1), 1);
        assert_int_equal(p[1].revents, POLLOUT);
        read_ahead_end();
        nothing_comes(fds[0]);
        for (size_t i = 0; i < 2; i++) {
                (void) close(fds[i]);
                (void) close(others[i]);
        }
}

/* Whoever asks, there is nothing, neither here nor in the kernel; but the end of it all is told, and what can be written. */
static void test_hold(void **state)
{
        int fds[2], others[2];
        struct pollfd p[2];
        char data[ASKED];

        (void) state;
        make_pair(fds);
        make_pair(others);
        read_ahead_begin(fds[0]);
        send_bytes(fds[1], SENT);
        comes(fds[0], 0, ASKED);
        send_bytes(fds[1], 1);
        read_ahead_hold(true);
        nothing_comes(fds[0]);
        assert_int_equal(in_kernel(fds[0]), 1);
        assert_int_equal(poll_one(fds[0], POLLIN | POLLOUT), POLLOUT);
        send_bytes(others[1], 1);
        p[0] = (struct pollfd){ .fd = fds[0], .events = POLLIN };
        p[1] = (struct pollfd){ .fd = others[0], .events = POLLIN };
        assert_int_equal(find_poll()(p, 2, -1), 1);
        assert_int_equal(p[0].revents, 0);
        assert_int_equal(p[0].events, POLLIN);
        comes(others[0], 0, 1);
        (void) close(fds[1]);
        assert_int_equal(poll_one(fds[0], POLLIN), POLLHUP);
        read_ahead_hold(false);
        comes(fds[0], ASKED, ASKED);
        comes(fds[0], (size_t) 2 * ASKED, SENT - 2 * ASKED);
        comes(fds[0], 0, 1);
        assert_int_equal(find_recv()(fds[0], data, sizeof(data), 0), 0);
        read_ahead_end();
        (void) close(fds[0]);
        for (size_t i = 0; i < 2; i++)
                (void) close(others[i]);
}

/* The one that comes after it is not held for that. */
static void test_hold_ends(void **state)
{
        int fds[2];

        (void) state;
        make_pair(fds);
        read_ahead_begin(fds[0] + 1);
        read_ahead_hold(true);
        read_ahead_begin(fds[0]);
        send_bytes(fds[1], SENT);
        comes(fds[0], 0, ASKED);
        read_ahead_end();
        for (size_t i = 0; i < 2; i++)
                (void) close(fds[i]);
}

/* The banner of a server and much behind it: what libssh does with that is its own matter, but its first read takes it all. */
static void test_libssh(void **state)
{
        ssh_session session = ssh_new();
        bool no = false;
        int fds[2];

        (void) state;
        assert_non_null(session);
        make_pair(fds);
        read_ahead_begin(fds[0]);
        assert_int_equal(send(fds[1], "SSH-2.0-OpenSSH_9.2\r\n", 21, MSG_NOSIGNAL), 21);
        send_bytes(fds[1], SENT);
        assert_int_equal(ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no), 0);
        assert_int_equal(ssh_options_set(session, SSH_OPTIONS_HOST, "hub"), 0);
        assert_int_equal(ssh_options_set(session, SSH_OPTIONS_FD, &fds[0]), 0);
        ssh_set_blocking(session, 0);
        for (unsigned i = 0; i < 10 && in_kernel(fds[0]) == SENT + 21; i++)
                (void) ssh_connect(session);
        assert_int_equal(in_kernel(fds[0]), 0);
        ssh_free(session);
        read_ahead_end();
        (void) close(fds[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pieces), cmocka_unit_test(test_others),
                cmocka_unit_test(test_hold),   cmocka_unit_test(test_hold_ends),
                cmocka_unit_test(test_libssh),
        };

        return RUN_TESTS(tests);
}
