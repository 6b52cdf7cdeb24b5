/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a disk or of a layer of it, as a tree: SHA-256 of each leaf of 1 MiB, and for each block the
 * SHA-256 of its leaves' digests. Leaves may so be hashed by whoever has them in memory, in any order, and
 * zeroes are never hashed twice. Used by the copy engine, which hashes what it sends, and by sendense-image,
 * which hashes what it finds. docs/REPOSITORY.md has the definition for everybody else.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCK_DIGEST_ALGORITHM "sha256-tree"

enum {
        LEAF_BYTES = 1024 * 1024, /* MANIFEST_LEAF_BYTES */
        LEAF_SUM_BYTES = 32,
        LEAF_HEX_SIZE = 2 * LEAF_SUM_BYTES + 1,
        PIECES_TEXT_MAX = 2 * 1024 * 1024, /* MANIFEST_PIECES_MAX */
        DIGEST_TEXT_MAX = 256 * 1024, /* as JSON: 2048 blocks, each with sum and count */
};

typedef struct BlockDigest BlockDigest;
typedef struct LeafHasher LeafHasher;

/* What sums are made with; one for each thread. Errors as below. */
int leaf_hasher_new(LeafHasher **ret_hasher);
LeafHasher *leaf_hasher_free(LeafHasher *hasher);

/* The sum of a whole leaf, or of a piece that does not cover its leaf; zeroes of a piece are not hashed. offset is the disk's. */
int leaf_hasher_sum_leaf(LeafHasher *hasher, const void *data, size_t length,
                         uint8_t ret_sum[static LEAF_SUM_BYTES]);
int leaf_hasher_sum_part(LeafHasher *hasher, uint64_t offset, const void *data, size_t length,
                         uint8_t ret_sum[static LEAF_SUM_BYTES]);

/* What stands for a whole leaf among the pieces of a block; and how their sums are added up. */
int leaf_hasher_sum_leaf_part(LeafHasher *hasher, uint64_t offset, uint64_t length,
                              const uint8_t leaf[static LEAF_SUM_BYTES],
                              uint8_t ret_sum[static LEAF_SUM_BYTES]);
void block_digest_add_up(uint8_t total[static LEAF_SUM_BYTES],
                         const uint8_t sum[static LEAF_SUM_BYTES]);
void block_digest_to_hex(const uint8_t sum[static LEAF_SUM_BYTES],
                         char ret_hex[static LEAF_HEX_SIZE]);

/* For a disk of that size. -ENOMEM; -ENOTRECOVERABLE, also of the functions below: the library refuses. */
int block_digest_new(uint64_t capacity_bytes, BlockDigest **ret_digest);
BlockDigest *block_digest_free(BlockDigest *digest);

/* How long what is told of pieces may be in all, where PIECES_TEXT_MAX is too much. At the beginning. */
void block_digest_limit_pieces(BlockDigest *digest, size_t max_bytes);

/* How long the leaf is that begins at offset. */
uint64_t block_digest_leaf_length(const BlockDigest *digest, uint64_t offset);

/* What is known of the disk, from its beginning to its end; what is left out is not known. -EINVAL: it lies
 * before what was added last. A leaf; any number of whole leaves of zeroes; a piece of one. */
int block_digest_add_leaf(BlockDigest *digest, uint64_t offset,
                          const uint8_t sum[static LEAF_SUM_BYTES]);
int block_digest_add_zeroes(BlockDigest *digest, uint64_t offset, uint64_t length);
int block_digest_add_part(BlockDigest *digest, uint64_t offset, uint64_t length,
                          const uint8_t sum[static LEAF_SUM_BYTES]);

/* At the end, once: the object {"algorithm", "leaf_bytes", "block_bytes", "blocks", "parts"?}; the caller's
 * reference. */
int block_digest_finish(BlockDigest *digest, json_t **ret_object);
