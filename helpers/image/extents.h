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
        Extent *list; /* in order, without gaps, neighbours differ */
        size_t n, size;
        bool held; /* the top layer holds some part of it, even if zeroes */
} Extents;

/* Fills it for a range. -EIO: the server said no, see nbd_get_error(); -ENOMEM. */
int extents_read(Extents *extents, struct nbd_handle *nbd, uint64_t offset, uint64_t length);
void extents_done(Extents *extents);
