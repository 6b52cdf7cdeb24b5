/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One NBD connection, for sources and targets: opened without waiting, driven by a poll loop, given up on
 * when its server says nothing for too long.
 */
#pragma once

#include "nbd-uri.h"

#include <libnbd.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        NBD_HANDSHAKE_SEC = 10, /* of a server that has what it serves */
        NBD_ANSWER_SEC = 120, /* a flush of a slow disk may take long */
        NBD_ERROR_SIZE = 256,
};

typedef struct Nbd {
        struct nbd_handle *handle; /* NULL: closed */
        bool is_ready; /* the handshake is done */
        size_t n_under_way;
        unsigned handshake_sec;
        uint64_t deadline_usec; /* of the handshake, or of the next answer; UINT64_MAX: none */
} Nbd;

/* Begins to connect; the handshake may take so long. A negative errno with a line in error: it cannot. */
int nbd_begin(Nbd *nbd, const NbdUri *uri, bool with_extents, unsigned handshake_sec,
              char error[static NBD_ERROR_SIZE]);

/* Drops the connection with all that is under way; no callback of it comes any more. */
void nbd_drop(Nbd *nbd);

/* To be called around each request: before it is issued, and in its callback or when it was refused. */
void nbd_count(Nbd *nbd);
void nbd_answered(Nbd *nbd);

/* Why libnbd has just refused a request, with a line in error: -ENOTCONN when the connection is gone. */
int nbd_refused(const Nbd *nbd, char error[static NBD_ERROR_SIZE]);

/* What to wait for. */
struct pollfd nbd_poll_fd(const Nbd *nbd);

/* Goes on after poll(2). 1: the handshake has just been done; -ENOTCONN, -ETIMEDOUT with a line in error: the
 * connection is lost, to be dropped. */
int nbd_go_on(Nbd *nbd, short revents, uint64_t now_usec, char error[static NBD_ERROR_SIZE]);
