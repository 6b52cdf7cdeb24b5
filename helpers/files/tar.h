/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands before a file in a tar stream: ustar, with GNU's long names, which may be any bytes, and pax records for what has no
 * place there (attributes, fractions of seconds, holes). Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        TAR_BLOCK = 512,
};

typedef struct TarAttribute {
        const char *name;
        const void *value;
        size_t size;
} TarAttribute;

typedef struct TarEntry {
        const char *path; /* bytes, without a leading '/' */
        char type; /* '0' file, '1' hard link, '2' symbolic link, '3' character, '4' block, '5' folder, '6' fifo */
        uint32_t mode, major, minor;
        uint64_t uid, gid;
        uint64_t size; /* of what follows */
        int64_t mtime_sec;
        uint32_t mtime_nsec;
        const char *target; /* of links; NULL: none */
        uint64_t real_size; /* of a file with holes, whose map comes first in what follows; 0: it has none */
        const TarAttribute *attributes;
        size_t n_attributes;
} TarEntry;

/* *ret_data, for free(), is a multiple of TAR_BLOCK. -EINVAL for a path that is empty; -ENOMEM. */
int tar_header(const TarEntry *entry, char **ret_data, size_t *ret_size);
