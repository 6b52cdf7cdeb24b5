/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a range of an image is made of, by the two answers that qemu-nbd gives to block status: where there
 * are zeroes, and which layer each part comes from.
 */
#pragma once

#include <libnbd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXTENTS_CONTEXT_DATA  LIBNBD_CONTEXT_BASE_ALLOCATION
#define EXTENTS_CONTEXT_DEPTH "qemu:allocation-depth"

typedef struct Extent {
        uint64_t offset, length;
        bool zero;
} Extent;

typedef struct Extents {
        Extent *list; /* in order, neighbours differ; without gaps unless layers are chosen */
        size_t n, size;
        bool held; /* the top layer holds some part of it, even if zeroes */
} Extents;

/* Fills it for a range. -EIO: the server said no, see nbd_get_error(); -ENOMEM. */
int extents_read(Extents *extents, struct nbd_handle *nbd, uint64_t offset, uint64_t length);

/* Layers by their depth: 1 is the uppermost, 0 stands for none. */
typedef struct ExtentsLayers {
        uint32_t first, last;
} ExtentsLayers;

/* The same of what these layers hold, with gaps between. */
int extents_read_layers(Extents *extents, struct nbd_handle *nbd, uint64_t offset, uint64_t length,
                        const ExtentsLayers *layers);
void extents_done(Extents *extents);
