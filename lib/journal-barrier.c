/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The barrier (see journal-barrier.h). journald has one thread and takes datagrams in turn, whoever sent them: when it has read one of
 * ours it is through with all that came before. One without a byte means nothing to it.
 */
#include "journal-barrier.h"

#include "cleanup.h"
#include "clock.h"
#include "parse.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static int open_socket(const char *path, int *ret_fd)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;
        int least = 1; /* the kernel makes of it the least there is, which a few datagrams fill */

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        (void) memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) < 0 ||
            connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        *ret_fd = take_fd(&fd);
        return 0;
}

/* Sends until there is no room. ret_queued: bytes of ours, with the kernel's own, that are not read yet. */
static int fill(int fd, int *ret_queued)
{
        while (send(fd, NULL, 0, MSG_NOSIGNAL) >= 0)
                ;
        if (errno != EAGAIN && errno != EINTR)
                return -errno;
        return ioctl(fd, SIOCOUTQ, ret_queued) < 0 ? -errno : 0;
}

int journal_barrier(const char *path, uint64_t timeout_usec)
{
        uint64_t end_usec = clock_monotonic_usec() + timeout_usec;
        _cleanup_close_ int fd = -1;
        int queued = 0, left = 0, r;

        r = open_socket(path, &fd);
        if (r < 0)
                return r;
        for (;;) {
                uint64_t now = clock_monotonic_usec();
                struct pollfd p = { .fd = fd, .events = POLLOUT };

                r = fill(fd, &queued);
                if (r < 0)
                        return r;
                if (now >= end_usec)
                        return -ETIMEDOUT;
                if (poll(&p, 1, (int) ((end_usec - now) / USEC_PER_MSEC + 1)) < 0 && errno != EINTR)
                        return -errno;
                /* It may have become writable because others made room in the queue. */
                if (ioctl(fd, SIOCOUTQ, &left) < 0)
                        return -errno;
                if (left < queued)
                        return 0;
        }
}
