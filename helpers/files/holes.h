/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content of one file of the guest, in parts, and where it has holes: no question of libguestfs tells that, so what is zeroes in a file
 * that holds less than its size is taken for one.
 */
#pragma once

#include "guest.h"

#include <stddef.h>
#include <stdint.h>

typedef struct HolesRange {
        uint64_t offset, length;
} HolesRange;

typedef struct Holes {
        HolesRange *ranges; /* that hold something, in their order */
        size_t n;
        uint64_t bytes; /* of them all */
} Holes;

typedef int (*HolesTake)(void *userdata, const void *data, size_t size, Failure *failure);

bool holes_are_likely(const struct guestfs_statns *stat);

/* 1: there are so many that the file is better taken for one without. */
int holes_find(Holes *holes, Guest *guest, const char *path, uint64_t size, Failure *failure);
void holes_done(Holes *holes);

/* What stands before the data of such a file in a tar: the ranges in decimal, padded to a block. For free(). */
int holes_map(const Holes *holes, uint64_t size, char **ret_map, size_t *ret_size);

/* Gives the bytes of a range to take, in order. A file that is shorter than it says fails. */
int holes_read(Guest *guest, const char *path, uint64_t offset, uint64_t length, HolesTake take,
               void *userdata, Failure *failure);
