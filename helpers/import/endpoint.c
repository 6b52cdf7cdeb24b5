/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * NBD connections (see endpoint.h), by libnbd's calls that do not wait.
 */
#include "endpoint.h"

#include "clock.h"
#include "parse.h"
#include "spec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static int keep_error(Endpoint *endpoint, int error)
{
        const char *text = nbd_get_error();

        (void) snprintf(endpoint->error, sizeof(endpoint->error), "%s", text ?: "unknown error");
        return error;
}

short endpoint_events(const Endpoint *endpoint)
{
        unsigned direction = nbd_aio_get_direction(endpoint->nbd);

        return (short) ((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                        (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
}

/* One notice at a time: it may change what the connection waits for. An error is delivered as whatever it
 * waits for, because libnbd finds out itself what it is. */
int endpoint_notify(Endpoint *endpoint, short events)
{
        unsigned direction = nbd_aio_get_direction(endpoint->nbd);
        int r = 0;

        if (events == 0)
                return 0;
        if ((direction & LIBNBD_AIO_DIRECTION_READ) && (events & (POLLIN | POLLHUP | POLLERR)))
                r = nbd_aio_notify_read(endpoint->nbd);
        else if (direction & LIBNBD_AIO_DIRECTION_WRITE)
                r = nbd_aio_notify_write(endpoint->nbd);
        if (r < 0)
                return keep_error(endpoint, -ENOTCONN);
        if (nbd_aio_is_dead(endpoint->nbd) || nbd_aio_is_closed(endpoint->nbd)) {
                (void) snprintf(endpoint->error, sizeof(endpoint->error), "connection lost");
                return -ENOTCONN;
        }
        return 0;
}

/* One round until deadline_usec. */
static int wait_step(Endpoint *endpoint, int signal_fd, uint64_t deadline_usec)
{
        uint64_t now = clock_now_usec();
        struct pollfd fds[] = {
                { .fd = nbd_aio_get_fd(endpoint->nbd), .events = endpoint_events(endpoint) },
                { .fd = signal_fd, .events = POLLIN },
        };
        int n;

        if (now >= deadline_usec) {
                (void) snprintf(endpoint->error, sizeof(endpoint->error), "no answer within %i s",
                                ENDPOINT_TIMEOUT_SEC);
                return -ETIMEDOUT;
        }
        n = poll(fds, ELEMENTSOF(fds), (int) ((deadline_usec - now) / USEC_PER_MSEC) + 1);
        if (n < 0 && errno != EINTR) {
                (void) snprintf(endpoint->error, sizeof(endpoint->error), "poll: %m");
                return -errno;
        }
        if (n <= 0)
                return 0;
        if (fds[1].revents)
                return -ECANCELED;
        return endpoint_notify(endpoint, fds[0].revents);
}

int endpoint_open(Endpoint *endpoint, const char *uri, int signal_fd)
{
        uint64_t deadline = clock_now_usec() + ENDPOINT_TIMEOUT_SEC * USEC_PER_SEC;
        int r = 0;

        endpoint->nbd = nbd_create();
        if (!endpoint->nbd)
                return keep_error(endpoint, -ENOMEM);
        /* The description of an export comes only when asked for. */
        if (nbd_set_full_info(endpoint->nbd, true) < 0 ||
            nbd_add_meta_context(endpoint->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0 ||
            nbd_set_uri_allow_transports(endpoint->nbd,
                                         LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) <
                            0 ||
            nbd_set_uri_allow_local_file(endpoint->nbd,
                                         strncmp(uri, SPEC_TLS_SCHEME, strlen(SPEC_TLS_SCHEME)) ==
                                                         0) < 0 ||
            nbd_aio_connect_uri(endpoint->nbd, uri) < 0)
                return keep_error(endpoint, -ENOTCONN);
        while (r >= 0 && !nbd_aio_is_ready(endpoint->nbd))
                r = wait_step(endpoint, signal_fd, deadline);
        return r;
}

void endpoint_close(Endpoint *endpoint)
{
        if (endpoint->nbd)
                nbd_close(endpoint->nbd);
        endpoint->nbd = NULL;
}

int endpoint_size(Endpoint *endpoint, uint64_t *ret_size)
{
        int64_t size = nbd_get_size(endpoint->nbd);

        if (size < 0)
                return keep_error(endpoint, -EIO);
        *ret_size = (uint64_t) size;
        return 0;
}

int endpoint_check_instance(Endpoint *endpoint, const char *invocation_id)
{
        _cleanup_free_ char *description = nbd_get_export_description(endpoint->nbd);

        if (description && strcmp(description, invocation_id) == 0)
                return 0;
        if (description)
                (void) snprintf(endpoint->error, sizeof(endpoint->error), "calls itself \"%.40s\"",
                                description);
        else
                (void) snprintf(endpoint->error, sizeof(endpoint->error),
                                "does not say which instance it is");
        return -ESTALE;
}
