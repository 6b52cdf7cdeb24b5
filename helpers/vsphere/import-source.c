/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading an export (see import-source.h), by libnbd's calls that do not wait.
 */
#include "import-source.h"

#include "cleanup.h"
#include "nbd-uri.h"

#include <errno.h>
#include <inttypes.h>
#include <libnbd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
        ANSWER_MSEC = 120 * 1000, /* a server may fetch what it is asked for from afar */
};

#define WINDOW_BYTES (UINT64_C(1024) * 1024 * 1024) /* of one question about zeroes */

static int keep(ImportSource *source, int r, const char *why)
{
        (void) snprintf(source->why, sizeof(source->why), "%s", why ? why : "unknown error");
        return r;
}

/* Waits for the socket, once. */
static int turn(ImportSource *source)
{
        unsigned direction = nbd_aio_get_direction(source->nbd);
        struct pollfd fds[] = {
                { .fd = nbd_aio_get_fd(source->nbd) },
                { .fd = source->stop_fd, .events = POLLIN },
        };
        int r;

        if (direction & LIBNBD_AIO_DIRECTION_READ)
                fds[0].events |= POLLIN;
        if (direction & LIBNBD_AIO_DIRECTION_WRITE)
                fds[0].events |= POLLOUT;
        r = poll(fds, ELEMENTSOF(fds), ANSWER_MSEC);
        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (r == 0)
                return keep(source, -ETIMEDOUT, "the export does not answer");
        if (fds[1].revents)
                return -ECANCELED;
        r = 0;
        if ((direction & LIBNBD_AIO_DIRECTION_READ) &&
            (fds[0].revents & (POLLIN | POLLHUP | POLLERR)))
                r = nbd_aio_notify_read(source->nbd);
        else if ((direction & LIBNBD_AIO_DIRECTION_WRITE) && fds[0].revents)
                r = nbd_aio_notify_write(source->nbd);
        return r < 0 ? keep(source, -EIO, nbd_get_error()) : 0;
}

static int wait_for(ImportSource *source, int64_t cookie)
{
        int r, done;

        if (cookie < 0)
                return keep(source, -EIO, nbd_get_error());
        for (;;) {
                done = nbd_aio_command_completed(source->nbd, (uint64_t) cookie);
                if (done != 0)
                        return done < 0 ? keep(source, -EIO, nbd_get_error()) : 0;
                r = turn(source);
                if (r < 0)
                        return r;
        }
}

static int set_tls(ImportSource *source, const char *name)
{
        char path[TLS_PSK_PATH_SIZE];
        int r = tls_psk_find_credential(name, path);

        if (r < 0) {
                (void) snprintf(source->why, sizeof(source->why),
                                "the key '%.100s' for its TLS is not in the credential "
                                "'" TLS_PSK_FILE "' of this unit (%s)",
                                name, strerror(-r));
                return r;
        }
        if (nbd_set_tls(source->nbd, LIBNBD_TLS_REQUIRE) < 0 ||
            nbd_set_tls_psk_file(source->nbd, path) < 0 ||
            nbd_set_tls_username(source->nbd, name) < 0)
                return keep(source, -EOPNOTSUPP, nbd_get_error());
        return 0;
}

static int connect_to(ImportSource *source, const NbdUri *uri)
{
        int r;

        source->nbd = nbd_create();
        if (!source->nbd || nbd_set_export_name(source->nbd, uri->export_name) < 0 ||
            nbd_set_pread_initialize(source->nbd, false) < 0 ||
            nbd_add_meta_context(source->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) < 0)
                return keep(source, -ENOMEM, nbd_get_error());
        r = *uri->tls_name ? set_tls(source, uri->tls_name) : 0;
        if (r < 0)
                return r;
        r = *uri->socket ? nbd_aio_connect_unix(source->nbd, uri->socket)
                         : nbd_aio_connect_tcp(source->nbd, uri->host, uri->port);
        if (r < 0)
                return keep(source, -EIO, nbd_get_error());
        while (nbd_aio_is_connecting(source->nbd) > 0) {
                r = turn(source);
                if (r < 0)
                        return r;
        }
        return nbd_aio_is_ready(source->nbd) > 0 ? 0
                                                 : keep(source, -EIO, "the export is not served");
}

int import_source_open(ImportSource *source, const char *text, uint64_t capacity, int stop_fd)
{
        NbdUri uri = {};
        int64_t size;
        int r;

        *source = (ImportSource){ .stop_fd = stop_fd, .capacity = capacity };
        if (nbd_uri_parse_tls(text, &uri) < 0)
                return keep(source, -EINVAL, "its source is no NBD URI");
        source->extents = calloc(IMPORT_EXTENTS_MAX, sizeof(ImportExtent));
        if (!source->extents)
                return keep(source, -ENOMEM, "out of memory");
        r = connect_to(source, &uri);
        if (r < 0)
                return r;
        source->has_extents = nbd_can_meta_context(source->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
        size = nbd_get_size(source->nbd);
        if (size < 0 || (uint64_t) size != capacity) {
                (void) snprintf(source->why, sizeof(source->why),
                                "the export has %" PRId64 " bytes, and the disk %" PRIu64, size,
                                capacity);
                return -EMEDIUMTYPE;
        }
        return 0;
}

void import_source_close(ImportSource *source)
{
        if (source->nbd)
                nbd_close(source->nbd);
        source->nbd = NULL;
        free(source->extents);
        source->extents = NULL;
}

static int on_extents(void *userdata, const char *context, uint64_t offset, uint32_t *entries,
                      size_t n_entries, int *error)
{
        ImportSource *source = userdata;
        uint64_t end = offset;

        (void) error;
        if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
                return 0;
        for (size_t i = 0; i + 1 < n_entries && source->n_extents < IMPORT_EXTENTS_MAX; i += 2) {
                end += entries[i];
                end = end > source->capacity ? source->capacity : end;
                source->extents[source->n_extents++] = (ImportExtent){
                        .end = end, .is_zero = (entries[i + 1] & LIBNBD_STATE_ZERO) != 0
                };
        }
        source->known_end = end;
        return 0;
}

static int ask(ImportSource *source, uint64_t offset)
{
        uint64_t length = source->capacity - offset;
        int r;

        length = length > WINDOW_BYTES ? WINDOW_BYTES : length;
        source->n_extents = 0;
        source->known_start = source->known_end = offset;
        if (!source->has_extents) {
                source->extents[source->n_extents++] = (ImportExtent){ .end = source->capacity };
                source->known_end = source->capacity;
                return 0;
        }
        r = wait_for(source, nbd_aio_block_status(source->nbd, length, offset,
                                                  (nbd_extent_callback){ .callback = on_extents,
                                                                         .user_data = source },
                                                  NBD_NULL_COMPLETION, 0));
        if (r >= 0 && source->known_end == offset)
                r = keep(source, -EIO, "the export says nothing of its zeroes");
        return r;
}

static int find(void *userdata, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end)
{
        ImportSource *source = userdata;
        int r;

        while (offset < source->capacity) {
                if (offset < source->known_start || offset >= source->known_end) {
                        r = ask(source, offset);
                        if (r < 0)
                                return r;
                }
                for (size_t i = 0; i < source->n_extents; i++)
                        if (!source->extents[i].is_zero && source->extents[i].end > offset) {
                                uint64_t start = i > 0 ? source->extents[i - 1].end
                                                       : source->known_start;

                                *ret_start = start > offset ? start : offset;
                                *ret_end = source->extents[i].end;
                                return 0;
                        }
                offset = source->known_end;
        }
        *ret_start = *ret_end = source->capacity;
        return 0;
}

static int read_at(void *userdata, uint64_t offset, void *data, size_t length)
{
        ImportSource *source = userdata;

        return wait_for(source,
                        nbd_aio_pread(source->nbd, data, length, offset, NBD_NULL_COMPLETION, 0));
}

VmdkSource import_source_as_vmdk(ImportSource *source)
{
        return (VmdkSource){ .find = find, .read = read_at, .userdata = source };
}
