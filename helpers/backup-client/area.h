/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A list of areas of a disk: what has changed, or what is allocated. Grows at its end only. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Area {
        uint64_t offset, length;
} Area;

typedef struct AreaList {
        Area *list; /* in order, apart from each other */
        size_t n, n_allocated;
        uint64_t bytes; /* of all */
} AreaList;

enum {
        AREA_GRAIN = 512, /* offsets and lengths are multiples of it */
};

/* Adds one behind the last; neighbours become one. -EINVAL: empty, not of whole sectors, or not behind the
 * last one; -ERANGE: reaches beyond capacity_bytes; -E2BIG: more than n_max; -ENOMEM. */
int area_list_add(AreaList *areas, Area area, uint64_t capacity_bytes, size_t n_max);

void area_list_done(AreaList *areas);
