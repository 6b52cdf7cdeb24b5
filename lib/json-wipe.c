/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jansson's memory, wiped (see json-wipe.h).
 */
#include "json-wipe.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void wipe_and_free(void *memory)
{
        if (memory)
                explicit_bzero(memory, malloc_usable_size(memory));
        free(memory);
}

void json_wipe_freed(void)
{
        json_set_alloc_funcs(malloc, wipe_and_free);
}
