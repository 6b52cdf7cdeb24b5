/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a layer: SHA-256 of what the guest sees, through the whole chain, of each block in which
 * this layer holds anything. So they stay true when layers are merged.
 */
#pragma once

#include "image.h"

#include <jansson.h>
#include <stdint.h>

/* *ret_digest is {"algorithm", "block_bytes", "blocks"} of lib/manifest; the caller's reference. */
int digest_image(const Image *image, uint64_t capacity_bytes, json_t **ret_digest,
                 Failure *failure);
