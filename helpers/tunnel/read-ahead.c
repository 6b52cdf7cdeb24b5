/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading ahead (see read-ahead.h). A symbol of the program comes before those of its libraries. The C library's own calls and those
 * for other sockets do not come here, or go on to recvfrom() and ppoll(), which are the same with more arguments.
 */
#include "read-ahead.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
        /* More falls out of the processor's cache before libssh has it. */
        AHEAD_SIZE = 128 * 1024,
};

typedef struct Ahead {
        int fd;
        bool is_held;
        size_t at, size;
        char data[AHEAD_SIZE];
} Ahead;

static _Thread_local Ahead ahead = { .fd = -1 };

/* With names of their own, because the C library's headers may declare the others as macros or inline functions. */
ssize_t read_ahead_recv(int fd, void *data, size_t size, int flags) __asm__("recv")
                __attribute__((visibility("default")));
int read_ahead_poll(struct pollfd *fds, nfds_t n_fds, int timeout_msec) __asm__("poll")
                __attribute__((visibility("default")));

void read_ahead_begin(int fd)
{
        ahead.fd = fd;
        ahead.is_held = false;
        ahead.at = ahead.size = 0;
}

void read_ahead_end(void)
{
        read_ahead_begin(-1);
}

void read_ahead_hold(bool hold)
{
        ahead.is_held = hold;
}

ssize_t read_ahead_recv(int fd, void *data, size_t size, int flags)
{
        if (fd < 0 || fd != ahead.fd || flags != 0)
                return recvfrom(fd, data, size, flags, NULL, NULL);
        if (ahead.is_held) {
                errno = EAGAIN;
                return -1;
        }
        if (ahead.at == ahead.size) {
                ssize_t n = recvfrom(fd, ahead.data, sizeof(ahead.data), 0, NULL, NULL);

                if (n <= 0)
                        return n;
                ahead.at = 0;
                ahead.size = (size_t) n;
        }
        if (size > ahead.size - ahead.at)
                size = ahead.size - ahead.at;
        memcpy(data, ahead.data + ahead.at, size);
        ahead.at += size;
        return (ssize_t) size;
}

/* It asks for bytes of the socket. */
static bool is_ours(const struct pollfd *fd)
{
        return fd->fd >= 0 && fd->fd == ahead.fd && fd->events & POLLIN;
}

static int wait_for(struct pollfd *fds, nfds_t n_fds, int timeout_msec)
{
        const struct timespec timeout = { .tv_sec = timeout_msec / 1000,
                                          .tv_nsec = timeout_msec % 1000 * 1000000L };

        return ppoll(fds, n_fds, timeout_msec < 0 ? NULL : &timeout, NULL);
}

/* For all but what the socket brings; its end is told. */
static int wait_for_others(struct pollfd *ours, struct pollfd *fds, nfds_t n_fds, int timeout_msec)
{
        int n;

        ours->events &= (short) ~POLLIN;
        n = wait_for(fds, n_fds, timeout_msec);
        ours->events |= POLLIN;
        return n;
}

int read_ahead_poll(struct pollfd *fds, nfds_t n_fds, int timeout_msec)
{
        struct pollfd *there = NULL;
        int n;

        for (nfds_t i = 0; i < n_fds && !there; i++)
                if (is_ours(&fds[i]))
                        there = &fds[i];
        if (there && ahead.is_held)
                return wait_for_others(there, fds, n_fds, timeout_msec);
        /* What was read ahead need not be waited for. */
        if (!there || ahead.at == ahead.size)
                return wait_for(fds, n_fds, timeout_msec);
        /* Whether it could be written to, too, is told when all was read: asking costs as much as it would spare. */
        if (n_fds == 1) {
                there->revents = POLLIN;
                return 1;
        }
        n = wait_for(fds, n_fds, 0);
        if (n < 0)
                return n;
        n += there->revents == 0;
        there->revents |= POLLIN;
        return n;
}
