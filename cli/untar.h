/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of the tar streams that sendense-files sends: ustar with GNU's long names, pax records and files with holes. What it reads was
 * made of a guest's file system, and is trusted in nothing: a number out of bounds or a record that does not fit ends it. It touches no file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        UNTAR_BLOCK = 512,
        UNTAR_EXTRA_MAX = 16 * 1024 * 1024, /* of long names and records before one file */
        UNTAR_RANGES_MAX = 1000001,
};

typedef struct UntarAttribute {
        const char *name;
        const void *value;
        size_t size;
} UntarAttribute;

typedef struct UntarEntry {
        const char *path, *target; /* bytes, as they came; target NULL when there is none */
        char type; /* as in a tar */
        uint32_t mode, major, minor;
        uint64_t uid, gid;
        uint64_t size; /* of the file; with holes more than what comes */
        bool has_holes;
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        const UntarAttribute *attributes;
        size_t n_attributes;
} UntarEntry;

typedef struct Untar Untar;

/* Reads from fd, which stays the caller's. NULL: out of memory. */
Untar *untar_new(int fd);
Untar *untar_free(Untar *untar);

/* The next file, valid until the next call; what is left of the one before is passed over. 1; 0: the end was reached, which is two empty
 * blocks; -EPIPE: the stream is over before that; -EBADMSG: it is no tar; others. */
int untar_next(Untar *untar, UntarEntry *ret_entry);

/* The next part of the file's data, and where in the file it belongs. The number of bytes; 0 at the end; errors as above. */
int untar_read(Untar *untar, void *data, size_t size, uint64_t *ret_offset);
