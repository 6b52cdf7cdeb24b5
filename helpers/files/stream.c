/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A buffer in front of a socket (see stream.h).
 */
#include "stream.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
        TAKES_NOTHING_SEC = 600,
};

int stream_open(Stream *stream, int fd, Failure *failure)
{
        socklen_t size = sizeof(int);
        int type = 0;

        *stream = (Stream){ .fd = fd };
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
                return failure_set(failure, BUS_ERROR_INVALID_ARGUMENT,
                                   "standard input is no stream socket, which is where files go");
        stream->buffer = malloc(STREAM_BUFFER_SIZE);
        return stream->buffer ? 0 : failure_set(failure, BUS_ERROR_FAILED, "Out of memory");
}

void stream_done(Stream *stream)
{
        free(stream->buffer);
        *stream = (Stream){ .fd = -1 };
}

static int send_all(Stream *stream, const char *data, size_t size, Failure *failure)
{
        guard_set(TAKES_NOTHING_SEC, BUS_ERROR_CANCELLED,
                  "Who asked for the files has taken nothing for %d s", TAKES_NOTHING_SEC);
        while (size > 0) {
                ssize_t n = send(stream->fd, data, size, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        (void) poll(&(struct pollfd){ .fd = stream->fd, .events = POLLOUT }, 1, -1);
                        continue;
                }
                if (n < 0)
                        break;
                data += n;
                size -= (size_t) n;
                stream->bytes += (uint64_t) n;
                guard_again();
        }
        guard_clear();
        return size > 0 ? failure_set(failure, BUS_ERROR_CANCELLED,
                                      "Who asked for the files reads no more: %s", strerror(errno))
                        : 0;
}

int stream_flush(Stream *stream, Failure *failure)
{
        size_t n = stream->n;

        stream->n = 0;
        return n > 0 ? send_all(stream, stream->buffer, n, failure) : 0;
}

int stream_write(Stream *stream, const void *data, size_t size, Failure *failure)
{
        int r;

        if (size > STREAM_BUFFER_SIZE - stream->n) {
                r = stream_flush(stream, failure);
                if (r < 0)
                        return r;
        }
        if (size > STREAM_BUFFER_SIZE)
                return send_all(stream, data, size, failure);
        memcpy(stream->buffer + stream->n, data, size);
        stream->n += size;
        return 0;
}

int stream_end(Stream *stream, Failure *failure)
{
        int r = stream_flush(stream, failure);

        if (r >= 0 && shutdown(stream->fd, SHUT_WR) < 0)
                return failure_set(failure, BUS_ERROR_CANCELLED,
                                   "Who asked for the files has gone: %s", strerror(errno));
        return r;
}
