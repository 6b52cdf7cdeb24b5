/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a layer: of what the guest sees, through the whole chain, of each block in which this layer
 * holds anything, as the tree of lib/block-digest. So they stay true when layers are merged. Blocks are read by
 * several threads, out of the files of the chain or, each with connections of its own, from a private server.
 */
#pragma once

#include "image.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* *ret_digest is the object of lib/manifest; the caller's reference. */
int digest_image(const Image *image, uint64_t capacity_bytes, json_t **ret_digest,
                 Failure *failure);

typedef struct DigestRequest {
        const Image *image;
        uint64_t capacity_bytes;
        const json_t *wanted; /* an object whose keys are the blocks to be read; NULL: none */
        bool held_too; /* and those in which the layer holds anything */
        bool surplus_too; /* or else tell of them */
        bool all_or_none; /* what cannot be read ends it */
        void (*hashed)(void *userdata,
                       uint64_t n_bytes); /* of any thread, one at a time; may be NULL */
        void *userdata;
} DigestRequest;

/* The same for the blocks that are asked for: what a merge must have left as it was. One that cannot be read is a failure. */
int digest_blocks(const DigestRequest *request, json_t **ret_digest, Failure *failure);

/* Objects by block, as in a manifest. */
typedef struct DigestAnswer {
        json_t *blocks; /* the digests of the wanted ones that could be read */
        json_t *unreadable; /* why another could not be */
        json_t *surplus; /* the layer holds something of them, and they were not wanted; true */
} DigestAnswer;

/* Reads an image again. That a block cannot be read, or is not what it should be, is no failure. */
int digest_read(const DigestRequest *request, DigestAnswer *ret_answer, Failure *failure);
void digest_answer_done(DigestAnswer *answer);
