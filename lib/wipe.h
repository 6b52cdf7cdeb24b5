/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that may have held a secret: wiped before it is given back. For libraries that take an allocator, and for our own.
 */
#pragma once

#include <stddef.h>

/* As free() and realloc(): nothing stays where it was. */
void wipe_free(void *memory);
void *wipe_realloc(void *memory, size_t size);
