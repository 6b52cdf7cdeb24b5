/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a copier says it has sent, held against what an image gives back: the sums were made where the disk was read,
 * before the way here, the server and the file had any part in it.
 */
#pragma once

#include "image.h"

#include <jansson.h>
#include <stdint.h>

typedef struct SentDisk {
        const Image *image;
        uint64_t capacity_bytes;
        const json_t *digest; /* of what the image holds, as digest_image() made it */
        const json_t *sent; /* the copier's, with the sums of pieces */
} SentDisk;

typedef struct SentResult {
        uint64_t bytes; /* that are the same */
        uint64_t n_untold; /* blocks of which the copier does not tell the pieces */
} SentResult;

/* CopyFailed: something else arrived, and where. InvalidArgument: these are no sums of this disk. */
int sent_compare(const SentDisk *disk, SentResult *ret_result, Failure *failure);
