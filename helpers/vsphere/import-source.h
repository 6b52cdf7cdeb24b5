/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk that is on its way back to vCenter, read from an NBD export: as the source of a VMDK. Every wait ends when a descriptor becomes
 * readable, or when the server says nothing for too long.
 */
#pragma once

#include "vmdk-stream.h"

#include <stdbool.h>

struct nbd_handle;

enum {
        IMPORT_SOURCE_WHY_SIZE = 256,
        IMPORT_EXTENTS_MAX = 4096,
};

typedef struct ImportExtent {
        uint64_t end;
        bool is_zero;
} ImportExtent;

typedef struct ImportSource {
        struct nbd_handle *nbd;
        int stop_fd;
        bool has_extents;
        uint64_t capacity;
        uint64_t known_start, known_end; /* what the extents tell of */
        ImportExtent *extents;
        size_t n_extents;
        char why[IMPORT_SOURCE_WHY_SIZE]; /* the reason, after a failure */
} ImportSource;

/* -EINVAL: the URI is none; -EMEDIUMTYPE: the export is of another size; -ECANCELED; -ETIMEDOUT, -EIO. To be closed in any case; why is
 * set but for -ECANCELED. */
int import_source_open(ImportSource *source, const char *uri, uint64_t capacity, int stop_fd);
void import_source_close(ImportSource *source);

/* For vmdk_stream_new(); borrows source. */
VmdkSource import_source_as_vmdk(ImportSource *source);
