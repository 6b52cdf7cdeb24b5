/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Waiting for NBD servers (see nbd-limit.h).
 */
#include "nbd-limit.h"

#include "clock.h"

#include <errno.h>
#include <libnbd.h>

int nbd_limit_handshake(struct nbd_handle *nbd, int limit_msec)
{
        uint64_t now = clock_monotonic_usec(), end = UINT64_MAX;
        int r;

        if (limit_msec >= 0)
                end = now + (uint64_t) limit_msec * 1000;
        while (nbd_aio_is_connecting(nbd) > 0) {
                now = clock_monotonic_usec();
                if (now >= end)
                        return -ETIMEDOUT;
                r = nbd_poll(nbd, limit_msec < 0 ? -1 : (int) ((end - now) / 1000) + 1);
                if (r < 0)
                        return -EIO;
        }
        return nbd_aio_is_ready(nbd) > 0 ? 0 : -EIO;
}

int nbd_limit_request(struct nbd_handle *nbd, int64_t cookie, int limit_msec)
{
        int r;

        if (cookie < 0)
                return -EIO;
        while ((r = nbd_aio_command_completed(nbd, (uint64_t) cookie)) == 0) {
                r = nbd_poll(nbd, limit_msec);
                if (r < 0)
                        return -EIO;
                if (r == 0)
                        return -ETIMEDOUT;
        }
        return r < 0 ? -EIO : 0;
}
