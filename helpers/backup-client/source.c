/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of sources (see source.h).
 */
#include "source.h"

#include "source-vsphere.h"
#include "spec.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
        NBD_CONNECTIONS = 2, /* one is busy with what the other brings */
        HTTPS_CONNECTIONS_MAX = 8, /* of a disk */
};

/* The disks that are read at once share what the targets share, too; together they have no more, because a host counts
 * them. The node's budget (busd/node/budget.c) reckons in the same way. */
static unsigned https_connections(const CopySpec *spec)
{
        size_t at_once = spec->n_disks < spec->connections ? spec->n_disks : spec->connections;
        size_t n = spec->connections / at_once;

        return n > HTTPS_CONNECTIONS_MAX ? HTTPS_CONNECTIONS_MAX : (unsigned) n;
}

static int make(const CopySpec *spec, const DiskSpec *disk, Source **ret_source, Failure *failure)
{
        SourceVsphereSpec vsphere = {
                .vcenter = spec->vcenter,
                .vm = spec->vm,
                .vddk = spec->vddk,
                .datastore_path = disk->source.datastore_path,
                .datacenter = disk->source.datacenter,
                .capacity_bytes = disk->capacity_bytes,
                .disk_key = disk->disk_key,
                .n_connections = https_connections(spec),
                .asks_extents = disk->read != READ_ALL,
        };

        switch (disk->source.kind) {
        case SOURCE_FILE:
                return source_file_new(disk->source.path, ret_source);
        case SOURCE_NBD:
                return source_nbd_new(disk->source.uri, NBD_CONNECTIONS, disk->read != READ_ALL, 0,
                                      ret_source);
        case SOURCE_HTTPS:
                return source_https_new(&vsphere, ret_source, failure);
        case SOURCE_VDDK:
                return source_vddk_new(&vsphere, ret_source, failure);
        case SOURCE_KIND_MAX:
        case SOURCE_KIND_INVALID:
        default:
                return -EOPNOTSUPP;
        }
}

int source_make(const CopySpec *spec, const DiskSpec *disk, Source **ret_source, Failure *failure)
{
        int r;

        r = make(spec, disk, ret_source, failure);
        if (r < 0)
                return failure_set(failure, r, FAILURE_SOURCE, disk->disk_key,
                                   "disk %" PRIu32
                                   ": a source of the kind \"%s\" cannot be used: %s",
                                   disk->disk_key, source_kind_to_string(disk->source.kind),
                                   strerror(-r));
        return 0;
}

Source *source_free(Source *source)
{
        if (source) {
                source->ops->close(source);
                source->ops->free(source);
        }
        return NULL;
}

int source_fail_opening(Source *source)
{
        char text[SOURCE_ERROR_SIZE];

        (void) memcpy(text, source->error, sizeof(text));
        return source_fail(source, -ETIMEDOUT, "it cannot be opened within %i s%s%s",
                           SOURCE_OPEN_SEC, *text ? "; " : "", text);
}

int source_fail(Source *source, int error, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(source->error, sizeof(source->error), format, ap);
        va_end(ap);
        utf8_make_line(source->error);
        source->error_name = NULL;
        return error;
}
