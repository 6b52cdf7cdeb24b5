/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * jansson's memory, wiped (see json-wipe.h).
 */
#include "json-wipe.h"

#include "wipe.h"

#include <jansson.h>
#include <stdlib.h>

void json_wipe_freed(void)
{
        json_set_alloc_funcs(malloc, wipe_free);
}
