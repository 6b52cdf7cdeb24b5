/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a restored disk must be, by the digests of its chain: for each part of it the digest of the topmost
 * layer that has one, because no layer above holds anything there. Where no layer has one there are zeroes. Pure.
 */
#pragma once

#include "block-digest.h"
#include "chain.h"

#include <stddef.h>
#include <stdint.h>

/* Begins at a border of leaves; its own last leaf may be short. */
typedef struct Expected {
        uint64_t offset, length;
        size_t layer; /* of the chain */
        uint8_t sum[LEAF_SUM_BYTES]; /* of the sums of its leaves */
} Expected;

/* In order and apart from each other. -ENOMEM; -EBADMSG: a digest that no manifest may have. The caller frees it. */
int expected_make(const Chain *chain, Expected **ret_list, size_t *ret_n);
