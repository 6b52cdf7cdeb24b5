/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a chain (see restore-source.h).
 */
#include "restore-source.h"

#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <libnbd.h>
#include <string.h>

#define WINDOW_BYTES (UINT64_C(256) * 1024 * 1024) /* of one question about zeroes */

static int connect_one(RestoreSource *source, bool asks, struct nbd_handle **ret_handle,
                       Failure *failure)
{
        struct nbd_handle *nbd = nbd_create();
        int64_t size;

        *ret_handle = nbd;
        if (!nbd || nbd_set_pread_initialize(nbd, false) < 0 ||
            (asks && (nbd_add_meta_context(nbd, EXTENTS_CONTEXT_DATA) < 0 ||
                      nbd_add_meta_context(nbd, EXTENTS_CONTEXT_DEPTH) < 0)))
                return failure_set(failure, BUS_ERROR_FAILED, "libnbd: %s", nbd_get_error());
        if (nbd_connect_unix(nbd, source->server.socket) < 0)
                return server_failure(&source->server, nbd_get_error(), failure);
        size = nbd_get_size(nbd);
        if (size < 0 || (uint64_t) size != source->capacity_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s is served with %" PRId64 " bytes, must be %" PRIu64
                                   "; restore another backup",
                                   source->image.path, size, source->capacity_bytes);
        if (asks && (nbd_can_meta_context(nbd, EXTENTS_CONTEXT_DATA) != 1 ||
                     nbd_can_meta_context(nbd, EXTENTS_CONTEXT_DEPTH) != 1))
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "qemu-nbd does not tell what an image holds; install a newer "
                                   "qemu-utils");
        return 0;
}

static int open_served(RestoreSource *source, Failure *failure)
{
        const ServerUse use = { .format = "qcow2", .n_clients = source->n_readers + 1 };
        int r;

        r = server_start(&source->server, &source->image, &use, failure);
        if (r >= 0)
                r = connect_one(source, true, &source->asker, failure);
        for (unsigned i = 0; r >= 0 && i < source->n_readers; i++)
                r = connect_one(source, false, source->readers + i, failure);
        return r;
}

int restore_source_open(RestoreSource *source, const Image *image, uint64_t capacity_bytes,
                        unsigned n_readers, Failure *failure)
{
        int r;

        *source = (RestoreSource){
                .image = { .path = image->path,
                           .name = image->name,
                           .folder = image->folder,
                           .fd = -1 },
                .server.child = { .out = -1, .err = -1 },
                .n_readers = n_readers,
                .capacity_bytes = capacity_bytes,
        };
        r = chain_map_open(&source->map, image->folder, image->name, capacity_bytes);
        if (r == -EOPNOTSUPP)
                r = open_served(source, failure);
        else if (r < 0)
                (void) failure_errno(failure, r, "Cannot look into %s", image->path);
        if (r < 0)
                restore_source_done(source);
        return r;
}

void restore_source_done(RestoreSource *source)
{
        for (unsigned i = 0; i < source->n_readers; i++)
                nbd_close(source->readers[i]);
        nbd_close(source->asker);
        chain_map_done(&source->map);
        extents_done(&source->extents);
        server_done(&source->server);
        *source = (RestoreSource){ .server.child = { .out = -1, .err = -1 } };
}

static int ask(RestoreSource *source, uint64_t offset, Failure *failure)
{
        uint64_t left = source->capacity_bytes - offset;
        int r;

        if (left > WINDOW_BYTES)
                left = WINDOW_BYTES;
        r = extents_read(&source->extents, source->asker, offset, left);
        source->is_unknown = r == -EIO && nbd_aio_is_ready(source->asker) > 0;
        if (r == -EIO && !source->is_unknown)
                return server_failure(&source->server, nbd_get_error() ?: "it cannot be read",
                                      failure);
        if (r < 0 && !source->is_unknown)
                return failure_errno(failure, r, "Cannot look into %s", source->image.path);
        source->start = offset;
        source->end = offset + left;
        source->next = 0;
        return 0;
}

static uint64_t count_mapped(const RestoreSource *source)
{
        uint64_t bytes = 0;

        for (uint64_t offset = 0, end; offset < source->capacity_bytes; offset = end) {
                bool zero;

                end = chain_map_find_end(&source->map, offset, source->capacity_bytes, &zero);
                if (!zero)
                        bytes += end - offset;
        }
        return bytes;
}

int restore_source_count(RestoreSource *source, uint64_t *ret_bytes, Failure *failure)
{
        uint64_t bytes = 0;
        int r;

        if (source->map.n_layers > 0) {
                *ret_bytes = count_mapped(source);
                return 0;
        }
        for (uint64_t offset = 0; offset < source->capacity_bytes; offset = source->end) {
                r = ask(source, offset, failure);
                if (r < 0)
                        return r;
                if (source->is_unknown)
                        bytes += source->end - source->start;
                for (size_t i = 0; !source->is_unknown && i < source->extents.n; i++)
                        if (!source->extents.list[i].zero)
                                bytes += source->extents.list[i].length;
        }
        *ret_bytes = bytes;
        return 0;
}

/* The end of the zeroes at offset, of whole leaves. */
static uint64_t round_end(const RestoreSource *source, uint64_t offset, uint64_t end,
                          uint64_t limit)
{
        if (end >= limit)
                end = limit;
        else if (end < source->capacity_bytes)
                end -= end % LEAF_BYTES;
        return end > offset ? end : offset;
}

int restore_source_zero_end(RestoreSource *source, uint64_t offset, uint64_t limit,
                            uint64_t *ret_end, Failure *failure)
{
        const Extent *extent;
        uint64_t end;
        bool zero;
        int r;

        if (source->map.n_layers > 0) {
                end = chain_map_find_end(&source->map, offset, limit, &zero);
                *ret_end = round_end(source, offset, zero ? end : offset, limit);
                return 0;
        }
        /* A window begins and ends between leaves, or at the end of the disk. */
        if (offset < source->start || offset >= source->end) {
                r = ask(source, offset - offset % LEAF_BYTES, failure);
                if (r < 0)
                        return r;
        }
        if (source->is_unknown) {
                *ret_end = offset;
                return 0;
        }
        for (;; source->next++) {
                extent = source->extents.list + source->next;
                if (extent->offset + extent->length > offset)
                        break;
        }
        end = extent->zero ? extent->offset + extent->length : offset;
        *ret_end = round_end(source, offset, end, limit);
        return 0;
}

static int read_mapped(const RestoreSource *source, void *data, size_t length, uint64_t offset,
                       Failure *failure)
{
        int r = chain_map_read(&source->map, data, length, offset);

        if (r >= 0)
                return 0;
        if (failure_is_away(r))
                return failure_errno(failure, r, "Cannot read %s at offset %" PRIu64,
                                     source->image.path, offset);
        (void) failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                           "%s cannot be read at offset %" PRIu64 ": %s", source->image.path,
                           offset, strerror(-r));
        return 1;
}

int restore_source_read(RestoreSource *source, unsigned reader, void *data, size_t length,
                        uint64_t offset, Failure *failure)
{
        struct nbd_handle *nbd = source->readers[reader];

        if (source->map.n_layers > 0)
                return read_mapped(source, data, length, offset, failure);
        if (nbd_pread(nbd, data, length, offset, 0) >= 0)
                return 0;
        (void) failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                           "%s cannot be read at offset %" PRIu64 ": %s", source->image.path,
                           offset, nbd_get_error());
        return nbd_aio_is_ready(nbd) > 0 ? 1 : -EUCLEAN;
}
