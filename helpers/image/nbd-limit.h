/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Requests to an NBD server that may fall silent: as libnbd's own that wait, but with an end. What counts is how long
 * nothing comes and goes, not how long a request takes.
 */
#pragma once

#include <stdint.h>

struct nbd_handle;

enum {
        NBD_NO_LIMIT = -1,
};

/* The handshake of a handle that nbd_aio_connect_…() was called for. -ETIMEDOUT; -EIO: nbd_get_error() says why, if anything. */
int nbd_limit_handshake(struct nbd_handle *nbd, int limit_msec);

/* The end of a request; a cookie below 0 is one that was not accepted. -ETIMEDOUT: the handle is good for nothing but to be
 * closed, since it still has the request's buffer. -EIO: nbd_get_error() says why. One thread at a time for a handle. */
int nbd_limit_request(struct nbd_handle *nbd, int64_t cookie, int limit_msec);
