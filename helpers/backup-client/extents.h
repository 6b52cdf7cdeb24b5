/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which parts of a range of a disk read as zeroes: an answer of a source, used by the plan. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        EXTENTS_MAX = 128 * 1024, /* of one answer: 2 MiB */
};

typedef struct Extent {
        uint64_t end; /* it begins where the one before it ends */
        bool zero;
} Extent;

typedef struct Extents {
        uint64_t start, end; /* what is known; nothing when they are the same */
        Extent *list; /* in order, neighbours differ */
        size_t n, n_allocated;
} Extents;

/* Forgets all, and begins at start. */
void extents_begin(Extents *extents, uint64_t start);

/* Adds the next length bytes. 1: added; 0: there is no room for more, the answer ends here; -ENOMEM. */
int extents_add(Extents *extents, uint64_t length, bool zero);

void extents_done(Extents *extents);
