/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kinds of sources (see source.h).
 */
#include "source.h"

#include "spec.h"
#include "utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
        NBD_CONNECTIONS = 2, /* one is busy with what the other brings */
};

static int make(const DiskSpec *disk, Source **ret_source)
{
        switch (disk->source.kind) {
        case SOURCE_FILE:
                return source_file_new(disk->source.path, ret_source);
        case SOURCE_NBD:
                return source_nbd_new(disk->source.uri, NBD_CONNECTIONS, ret_source);
        case SOURCE_HTTPS:
        case SOURCE_VDDK:
        case SOURCE_KIND_MAX:
        case SOURCE_KIND_INVALID:
        default:
                return -EOPNOTSUPP;
        }
}

int source_make(const CopySpec *spec, const DiskSpec *disk, Source **ret_source, Failure *failure)
{
        int r;

        (void) spec;
        r = make(disk, ret_source);
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

int source_fail(Source *source, int error, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(source->error, sizeof(source->error), format, ap);
        va_end(ap);
        utf8_make_valid(source->error);
        return error;
}
