/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where an export says that it reads as zeroes, asked for as the reader of it goes on. A server that
 * does not say, or says nonsense, has no zeroes: then everything is read.
 */
#pragma once

#include <libnbd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ZeroRange {
        uint64_t start;
        uint64_t end;
} ZeroRange;

typedef struct ZeroMap {
        struct nbd_handle *nbd;
        uint64_t size; /* of the export */
        bool is_known; /* false: the server does not say, or does not any more */
        uint64_t start, end; /* what the ranges are about */
        ZeroRange *ranges; /* in order, apart from each other */
        size_t n_ranges, n_allocated;
        size_t next; /* the first range that does not end before the last question */
} ZeroMap;

/* nbd is borrowed and ready; size is the export's. */
void zero_map_init(ZeroMap *map, struct nbd_handle *nbd, uint64_t size);
void zero_map_done(ZeroMap *map);

/* The end of the zeroes that begin at offset or before it; offset itself when there are none. It may be
 * too small, never too large, of what the server says. Offsets only go forward, and are multiples of
 * ZERO_MAP_GRAIN. Waits for the server. */
uint64_t zero_map_end(ZeroMap *map, uint64_t offset);

enum {
        ZERO_MAP_GRAIN = 64 * 1024, /* more than any server's smallest block */
};
