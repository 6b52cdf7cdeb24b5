/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What layers hold (see held.h). Block status is asked for part by part, so that a disk of any size needs the same memory.
 */
#include "held.h"

#include "bus/bus-error.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        CONNECTIONS = 2,
};

#define PART_BYTES (UINT64_C(1) << 30)

int held_failure(Held *held, Failure *failure)
{
        int error = nbd_get_errno();
        char why[256];

        (void) snprintf(why, sizeof(why), "%s", nbd_get_error() ?: "it cannot be read");
        return held_failure_errno(held, error, why, failure);
}

/* qemu-nbd says nothing on its stderr when it cannot write. NBD knows neither quotas, which come as ENOSPC, nor EROFS, which comes as
 * EPERM. */
int held_failure_errno(Held *held, int error, const char *why, Failure *failure)
{
        if (held->is_writable && (error == ENOSPC || error == EPERM))
                return failure_errno(failure, error == EPERM ? -EROFS : -error, "Cannot write %s",
                                     held->image->path);
        return server_failure(&held->server, why, failure);
}

static int connect_one(Held *held, bool wants_status, struct nbd_handle **ret_nbd, Failure *failure)
{
        struct nbd_handle *nbd = nbd_create();

        *ret_nbd = nbd;
        if (nbd && wants_status &&
            (nbd_add_meta_context(nbd, EXTENTS_CONTEXT_DATA) < 0 ||
             nbd_add_meta_context(nbd, EXTENTS_CONTEXT_DEPTH) < 0))
                return held_failure(held, failure);
        if (!nbd || nbd_connect_unix(nbd, held->server.socket) < 0)
                return held_failure(held, failure);
        return 0;
}

static int check(const Held *held, Failure *failure)
{
        int64_t size = nbd_get_size(held->nbd);

        if (nbd_can_meta_context(held->status, EXTENTS_CONTEXT_DATA) != 1 ||
            nbd_can_meta_context(held->status, EXTENTS_CONTEXT_DEPTH) != 1)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "qemu-nbd does not tell which layer holds what; install a newer "
                                   "qemu-utils");
        if (size < 0 || (uint64_t) size != held->capacity_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s: %s is served with %" PRId64 " bytes, must be %" PRIu64,
                                   held->image->path, held->image->name, size,
                                   held->capacity_bytes);
        return 0;
}

int held_open(Held *held, const Image *image, uint64_t capacity_bytes, bool is_writable,
              Failure *failure)
{
        int r;

        *held = (Held){ .image = image,
                        .capacity_bytes = capacity_bytes,
                        .is_writable = is_writable,
                        .server = { .child = { .out = -1, .err = -1 } } };
        r = server_start(&held->server, image,
                         &(ServerUse){ .format = "qcow2",
                                       .is_writable = is_writable,
                                       .n_clients = CONNECTIONS },
                         failure);
        if (r >= 0)
                r = connect_one(held, false, &held->nbd, failure);
        if (r >= 0)
                r = connect_one(held, true, &held->status, failure);
        return r < 0 ? r : check(held, failure);
}

/* One that was never opened is left alone. */
void held_done(Held *held)
{
        if (!held->image)
                return;
        nbd_close(held->nbd);
        nbd_close(held->status);
        extents_done(&held->extents);
        server_done(&held->server);
        *held = (Held){};
}

void held_begin(Held *held, ExtentsLayers layers)
{
        held->layers = layers;
        held->extents.n = held->extent = 0;
        held->next = 0;
}

static int read_status(Held *held, uint64_t offset, uint64_t length, const ExtentsLayers *layers,
                       Failure *failure)
{
        int r = extents_read_layers(&held->extents, held->status, offset, length, layers);

        return r == -EIO ? held_failure(held, failure)
               : r < 0   ? failure_errno(failure, r, "Cannot look at %s", held->image->path)
                         : 0;
}

int held_next(Held *held, Extent *ret_run, Failure *failure)
{
        while (held->extent >= held->extents.n) {
                uint64_t left = held->capacity_bytes - held->next;
                int r;

                if (left == 0)
                        return 0;
                if (left > PART_BYTES)
                        left = PART_BYTES;
                r = read_status(held, held->next, left, &held->layers, failure);
                if (r < 0)
                        return r;
                held->next += left;
                held->extent = 0;
        }
        *ret_run = held->extents.list[held->extent++];
        return 1;
}

int held_is_zero(Held *held, uint64_t offset, uint64_t length, bool *ret_is_zero, Failure *failure)
{
        int r = read_status(held, offset, length, NULL, failure);

        if (r < 0)
                return r;
        *ret_is_zero = held->extents.n == 1 && held->extents.list[0].zero;
        return 0;
}

int held_end(Held *held, Failure *failure)
{
        if (nbd_flush(held->nbd, 0) < 0 || nbd_shutdown(held->nbd, 0) < 0 ||
            nbd_shutdown(held->status, 0) < 0)
                return held_failure(held, failure);
        return server_end(&held->server, failure);
}
