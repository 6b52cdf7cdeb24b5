/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to who asked: bytes into one socket, with a limit to how long he may take nothing. Closed for writing at the end, so that he
 * sees it however many hold the socket.
 */
#pragma once

#include "failure.h"

#include <stddef.h>
#include <stdint.h>

enum {
        STREAM_BUFFER_SIZE = 256 * 1024,
};

typedef struct Stream {
        int fd; /* borrowed */
        uint64_t bytes; /* that have gone into it */
        char *buffer;
        size_t n;
} Stream;

/* InvalidArgument when fd is no stream socket. */
int stream_open(Stream *stream, int fd, Failure *failure);
void stream_done(Stream *stream);

/* Cancelled when nobody reads any more. */
int stream_write(Stream *stream, const void *data, size_t size, Failure *failure);
int stream_flush(Stream *stream, Failure *failure);

/* Flushes, and lets the reader see the end. */
int stream_end(Stream *stream, Failure *failure);
