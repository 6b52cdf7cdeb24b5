/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a layer: of what the guest sees, through the whole chain, of each block in which this layer
 * holds anything, as the tree of lib/block-digest. So they stay true when layers are merged.
 */
#pragma once

#include "image.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* *ret_digest is the object of lib/manifest; the caller's reference. */
int digest_image(const Image *image, uint64_t capacity_bytes, json_t **ret_digest,
                 Failure *failure);

/* The same for the blocks that are members of an object, and, if asked for, for those in which this layer holds
 * anything: what a merge must have left as it was. */
int digest_blocks(const Image *image, uint64_t capacity_bytes, const json_t *blocks, bool held_too,
                  json_t **ret_digest, Failure *failure);
