/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a chain is named to qemu-nbd, so that the caches of all its layers together stay below what a unit may have: by itself qemu has one
 * for each layer, of up to 32 MiB, and the chains that are left to it are the large ones.
 */
#pragma once

#include "image.h"

/* The image, in its folder: its plain name where the caches are small anyway. The caller's, for free(). NULL: out of memory. What cannot
 * be made out is left to qemu, which says what is wrong. */
char *server_caches_name(const Image *image);
