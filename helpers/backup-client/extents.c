/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Extents of a range (see extents.h).
 */
#include "extents.h"

#include <errno.h>
#include <stdlib.h>

void extents_begin(Extents *extents, uint64_t start)
{
        extents->start = extents->end = start;
        extents->n = 0;
}

int extents_add(Extents *extents, uint64_t length, bool zero)
{
        if (length == 0)
                return 1;
        if (extents->n > 0 && extents->list[extents->n - 1].zero == zero) {
                extents->end = extents->list[extents->n - 1].end += length;
                return 1;
        }
        if (extents->n == extents->n_allocated) {
                size_t n = extents->n_allocated > 0 ? extents->n_allocated * 2 : 64;
                Extent *more;

                if (n > EXTENTS_MAX)
                        return 0;
                more = reallocarray(extents->list, n, sizeof(*more));
                if (!more)
                        return -ENOMEM;
                extents->list = more;
                extents->n_allocated = n;
        }
        extents->end += length;
        extents->list[extents->n++] = (Extent){ .end = extents->end, .zero = zero };
        return 1;
}

void extents_done(Extents *extents)
{
        free(extents->list);
        *extents = (Extents){};
}
