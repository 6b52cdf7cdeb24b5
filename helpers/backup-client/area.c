/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Areas of a disk (see area.h).
 */
#include "area.h"

#include <errno.h>
#include <stdlib.h>

static int grow(AreaList *areas, size_t n_max)
{
        size_t n = areas->n_allocated > 0 ? areas->n_allocated * 2 : 64;
        Area *more;

        if (areas->n >= n_max)
                return -E2BIG;
        more = reallocarray(areas->list, n, sizeof(*more));
        if (!more)
                return -ENOMEM;
        areas->list = more;
        areas->n_allocated = n;
        return 0;
}

int area_list_add(AreaList *areas, Area area, uint64_t capacity_bytes, size_t n_max)
{
        Area *last = areas->n > 0 ? areas->list + areas->n - 1 : NULL;
        int r;

        if (area.offset > capacity_bytes || area.length > capacity_bytes - area.offset)
                return -ERANGE;
        if (area.length == 0 || area.offset % AREA_GRAIN != 0 || area.length % AREA_GRAIN != 0 ||
            (last && area.offset < last->offset + last->length))
                return -EINVAL;
        if (last && area.offset == last->offset + last->length)
                last->length += area.length;
        else {
                if (!areas->list || areas->n == areas->n_allocated || areas->n >= n_max) {
                        r = grow(areas, n_max);
                        if (r < 0)
                                return r;
                }
                areas->list[areas->n++] = area;
        }
        areas->bytes += area.length;
        return 0;
}

void area_list_done(AreaList *areas)
{
        free(areas->list);
        *areas = (AreaList){};
}
