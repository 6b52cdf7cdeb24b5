/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Wiping (see wipe.h). All that the allocator has given is wiped, not only what was asked for: a library may have used it.
 */
#include "wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void wipe_free(void *memory)
{
        if (memory)
                explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
}

void *wipe_realloc(void *memory, size_t size)
{
        size_t before = memory ? malloc_usable_size(memory) : 0;
        void *moved;

        if (memory && size > 0 && size <= before)
                return memory;
        moved = malloc(size > 0 ? size : 1);
        if (!moved)
                return NULL;
        if (memory)
                memcpy(moved, memory, size < before ? size : before);
        wipe_free(memory);
        return moved;
}
