/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree of digests (see block-digest.h). Only the block that is being filled is in memory: its leaves come in
 * order, so their sums go straight into the block's.
 */
#include "block-digest.h"

#include "cleanup.h"
#include "manifest.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <openssl/evp.h>

/* Sums of pieces, added as numbers of 256 bits, most significant byte first, and where each is. */
typedef struct Parts {
        uint64_t count;
        uint8_t sum[LEAF_SUM_BYTES];
        char *pieces;
        size_t length, size; /* of that text, and of its memory */
        bool untold; /* there are too many of them to be told */
} Parts;

enum {
        PIECE_TEXT_SIZE = 40, /* " start+length" */
};

struct LeafHasher {
        EVP_MD *sha256;
        EVP_MD_CTX *context;
};

struct BlockDigest {
        uint64_t capacity_bytes, block_bytes;
        LeafHasher *hasher;
        json_t *blocks, *parts;
        size_t pieces_left; /* how much may still be told of pieces */
        uint64_t end; /* of what was added last */

        /* The block that is being filled. */
        EVP_MD_CTX *block_hash;
        uint64_t block; /* UINT64_MAX: none yet */
        uint64_t known_end; /* up to where all its leaves are known */
        Parts block_parts;

        uint8_t zero_leaf[LEAF_SUM_BYTES], zero_last[LEAF_SUM_BYTES];
        char zero_block[LEAF_HEX_SIZE]; /* of a whole block of zeroes; empty: not known yet */
};

static int fail_crypto(int done)
{
        return done ? 0 : -ENOTRECOVERABLE;
}

uint64_t block_digest_leaf_length(const BlockDigest *digest, uint64_t offset)
{
        uint64_t left = digest->capacity_bytes - offset;

        return left < LEAF_BYTES ? left : LEAF_BYTES;
}

static uint64_t block_end(const BlockDigest *digest, uint64_t block)
{
        uint64_t start = block * digest->block_bytes;

        return digest->capacity_bytes - start < digest->block_bytes ? digest->capacity_bytes
                                                                    : start + digest->block_bytes;
}

LeafHasher *leaf_hasher_free(LeafHasher *hasher)
{
        if (!hasher)
                return NULL;
        EVP_MD_CTX_free(hasher->context);
        EVP_MD_free(hasher->sha256);
        free(hasher);
        return NULL;
}

int leaf_hasher_new(LeafHasher **ret_hasher)
{
        LeafHasher *hasher = malloc(sizeof(*hasher));

        if (!hasher)
                return -ENOMEM;
        *hasher = (LeafHasher){
                .sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL),
                .context = EVP_MD_CTX_new(),
        };
        if (!hasher->sha256 || !hasher->context) {
                (void) leaf_hasher_free(hasher);
                return -ENOTRECOVERABLE;
        }
        *ret_hasher = hasher;
        return 0;
}

int leaf_hasher_sum_leaf(LeafHasher *hasher, const void *data, size_t length,
                         uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        return fail_crypto(EVP_DigestInit_ex2(hasher->context, hasher->sha256, NULL) &&
                           EVP_DigestUpdate(hasher->context, data, length) &&
                           EVP_DigestFinal_ex(hasher->context, ret_sum, NULL));
}

/* What stands for length bytes at offset: themselves, or the sum of a whole leaf. */
static int hash_piece(LeafHasher *hasher, uint64_t offset, uint64_t length, const void *data,
                      size_t size, uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        const uint64_t head[] = { htole64(offset), htole64(length) };

        return fail_crypto(EVP_DigestInit_ex2(hasher->context, hasher->sha256, NULL) &&
                           EVP_DigestUpdate(hasher->context, head, sizeof(head)) &&
                           EVP_DigestUpdate(hasher->context, data, size) &&
                           EVP_DigestFinal_ex(hasher->context, ret_sum, NULL));
}

static bool is_zero(const uint8_t *data, size_t length)
{
        return length > 0 && data[0] == 0 && memcmp(data, data + 1, length - 1) == 0;
}

int leaf_hasher_sum_part(LeafHasher *hasher, uint64_t offset, const void *data, size_t length,
                         uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        return hash_piece(hasher, offset, length, data, is_zero(data, length) ? 0 : length,
                          ret_sum);
}

int leaf_hasher_sum_leaf_part(LeafHasher *hasher, uint64_t offset, uint64_t length,
                              const uint8_t leaf[static LEAF_SUM_BYTES],
                              uint8_t ret_sum[static LEAF_SUM_BYTES])
{
        return hash_piece(hasher, offset, length, leaf, LEAF_SUM_BYTES, ret_sum);
}

static int hash_zero_leaves(BlockDigest *digest)
{
        _cleanup_free_ void *zeroes = calloc(1, LEAF_BYTES);
        int r;

        if (!zeroes)
                return -ENOMEM;
        r = leaf_hasher_sum_leaf(digest->hasher, zeroes, LEAF_BYTES, digest->zero_leaf);
        return r < 0 ? r
                     : leaf_hasher_sum_leaf(digest->hasher, zeroes,
                                            digest->capacity_bytes % LEAF_BYTES, digest->zero_last);
}

int block_digest_new(uint64_t capacity_bytes, BlockDigest **ret_digest)
{
        BlockDigest *digest = malloc(sizeof(*digest));
        int r = -ENOMEM;

        if (!digest)
                return r;
        *digest = (BlockDigest){
                .capacity_bytes = capacity_bytes,
                .block_bytes = manifest_block_bytes(capacity_bytes),
                .block_hash = EVP_MD_CTX_new(),
                .blocks = json_object(),
                .parts = json_object(),
                .pieces_left = PIECES_TEXT_MAX,
                .block = UINT64_MAX,
        };
        if (digest->block_hash && digest->blocks && digest->parts)
                r = leaf_hasher_new(&digest->hasher);
        if (r >= 0)
                r = hash_zero_leaves(digest);
        if (r < 0) {
                (void) block_digest_free(digest);
                return r;
        }
        *ret_digest = digest;
        return 0;
}

BlockDigest *block_digest_free(BlockDigest *digest)
{
        if (!digest)
                return NULL;
        EVP_MD_CTX_free(digest->block_hash);
        digest->hasher = leaf_hasher_free(digest->hasher);
        json_decref(digest->blocks);
        json_decref(digest->parts);
        free(digest->block_parts.pieces);
        free(digest);
        return NULL;
}

void block_digest_limit_pieces(BlockDigest *digest, size_t max_bytes)
{
        digest->pieces_left = max_bytes;
}

/* For the next block; the memory stays. */
static void parts_clear(Parts *parts)
{
        *parts = (Parts){ .pieces = parts->pieces, .size = parts->size };
}

static int tell_piece(Parts *parts, uint64_t start, uint64_t length)
{
        char text[PIECE_TEXT_SIZE];
        int n = snprintf(text, sizeof(text), "%s%" PRIu64 "+%" PRIu64, parts->length > 0 ? " " : "",
                         start, length);

        if (parts->length + (size_t) n >= parts->size) {
                size_t size = parts->size > 0 ? parts->size * 2 : 1024;
                char *pieces = realloc(parts->pieces, size);

                if (!pieces)
                        return -ENOMEM;
                parts->pieces = pieces;
                parts->size = size;
        }
        memcpy(parts->pieces + parts->length, text, (size_t) n + 1);
        parts->length += (size_t) n;
        return 0;
}

void block_digest_add_up(uint8_t total[static LEAF_SUM_BYTES],
                         const uint8_t sum[static LEAF_SUM_BYTES])
{
        unsigned carry = 0;

        for (size_t i = LEAF_SUM_BYTES; i-- > 0;) {
                carry += (unsigned) total[i] + sum[i];
                total[i] = (uint8_t) carry;
                carry >>= 8;
        }
}

static int parts_add(BlockDigest *digest, uint64_t offset, uint64_t length,
                     const uint8_t sum[static LEAF_SUM_BYTES])
{
        Parts *parts = &digest->block_parts;

        block_digest_add_up(parts->sum, sum);
        parts->count++;
        parts->untold = parts->untold || parts->length + PIECE_TEXT_SIZE > digest->pieces_left;
        return parts->untold ? 0
                             : tell_piece(parts, offset - digest->block * digest->block_bytes,
                                          length);
}

void block_digest_to_hex(const uint8_t sum[static LEAF_SUM_BYTES],
                         char ret_hex[static LEAF_HEX_SIZE])
{
        for (size_t i = 0; i < LEAF_SUM_BYTES; i++)
                (void) snprintf(ret_hex + 2 * i, 3, "%02x", sum[i]);
}

static int set(json_t *object, uint64_t block, json_t *value)
{
        char key[24];

        (void) snprintf(key, sizeof(key), "%" PRIu64, block);
        return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

/* A block of which not every leaf is known keeps what was added of it as parts. */
static int leave_block(BlockDigest *digest)
{
        const Parts *parts = &digest->block_parts;
        char hex[LEAF_HEX_SIZE];

        if (parts->count == 0)
                return 0;
        block_digest_to_hex(parts->sum, hex);
        if (!parts->untold)
                digest->pieces_left -= parts->length;
        return set(digest->parts, digest->block,
                   json_pack("{s:I, s:s, s:s*}", "count", (json_int_t) parts->count, "sum", hex,
                             "pieces", parts->untold ? NULL : parts->pieces));
}

/* Goes to the block of a piece, and remembers where the piece ends. */
static int enter(BlockDigest *digest, uint64_t offset, uint64_t length)
{
        uint64_t block = offset / digest->block_bytes;
        int r;

        if (offset < digest->end || offset >= digest->capacity_bytes ||
            length > digest->capacity_bytes - offset)
                return -EINVAL;
        digest->end = offset + length;
        if (block == digest->block)
                return 0;
        r = leave_block(digest);
        digest->block = block;
        digest->known_end = block * digest->block_bytes;
        parts_clear(&digest->block_parts);
        return r < 0 ? r
                     : fail_crypto(EVP_DigestInit_ex2(digest->block_hash, digest->hasher->sha256,
                                                      NULL));
}

static int finish_block(BlockDigest *digest)
{
        uint8_t sum[EVP_MAX_MD_SIZE];
        char hex[LEAF_HEX_SIZE];

        if (!EVP_DigestFinal_ex(digest->block_hash, sum, NULL))
                return -ENOTRECOVERABLE;
        block_digest_to_hex(sum, hex);
        parts_clear(&digest->block_parts);
        return set(digest->blocks, digest->block, json_string(hex));
}

/* A whole block of zeroes is hashed once for all of them. */
static int add_zero_block(BlockDigest *digest, uint64_t offset)
{
        uint64_t n = digest->block_bytes / LEAF_BYTES;
        uint8_t sum[EVP_MAX_MD_SIZE];
        int r;

        r = enter(digest, offset, digest->block_bytes);
        if (r < 0)
                return r;
        digest->known_end = digest->end;
        if (!*digest->zero_block) {
                for (uint64_t i = 0; i < n; i++)
                        if (!EVP_DigestUpdate(digest->block_hash, digest->zero_leaf,
                                              LEAF_SUM_BYTES))
                                return -ENOTRECOVERABLE;
                if (!EVP_DigestFinal_ex(digest->block_hash, sum, NULL))
                        return -ENOTRECOVERABLE;
                block_digest_to_hex(sum, digest->zero_block);
        }
        return set(digest->blocks, digest->block, json_string(digest->zero_block));
}

int block_digest_add_leaf(BlockDigest *digest, uint64_t offset,
                          const uint8_t sum[static LEAF_SUM_BYTES])
{
        uint8_t part[LEAF_SUM_BYTES];
        uint64_t length;
        int r;

        if (offset % LEAF_BYTES != 0 || offset >= digest->capacity_bytes)
                return -EINVAL;
        length = block_digest_leaf_length(digest, offset);
        r = enter(digest, offset, length);
        if (r >= 0)
                r = leaf_hasher_sum_leaf_part(digest->hasher, offset, length, sum, part);
        if (r < 0)
                return r;
        r = parts_add(digest, offset, length, part);
        if (r < 0)
                return r;
        if (digest->known_end != offset)
                return 0; /* something before it is missing */
        digest->known_end += length;
        if (!EVP_DigestUpdate(digest->block_hash, sum, LEAF_SUM_BYTES))
                return -ENOTRECOVERABLE;
        return digest->known_end == block_end(digest, digest->block) ? finish_block(digest) : 0;
}

int block_digest_add_zeroes(BlockDigest *digest, uint64_t offset, uint64_t length)
{
        int r = 0;

        if (offset > digest->capacity_bytes || length > digest->capacity_bytes - offset)
                return -EINVAL;
        for (uint64_t end = offset + length; offset < end && r >= 0;) {
                uint64_t leaf = block_digest_leaf_length(digest, offset);

                if (offset % digest->block_bytes == 0 && end - offset >= digest->block_bytes) {
                        r = add_zero_block(digest, offset);
                        offset += digest->block_bytes;
                        continue;
                }
                if (leaf > end - offset)
                        return -EINVAL;
                r = block_digest_add_leaf(digest, offset,
                                          leaf == LEAF_BYTES ? digest->zero_leaf
                                                             : digest->zero_last);
                offset += leaf;
        }
        return r;
}

int block_digest_add_part(BlockDigest *digest, uint64_t offset, uint64_t length,
                          const uint8_t sum[static LEAF_SUM_BYTES])
{
        int r;

        if (length == 0 || length > LEAF_BYTES - offset % LEAF_BYTES)
                return -EINVAL;
        r = enter(digest, offset, length);
        return r < 0 ? r : parts_add(digest, offset, length, sum);
}

int block_digest_finish(BlockDigest *digest, json_t **ret_object)
{
        json_t *object;
        int r;

        r = leave_block(digest);
        if (r < 0)
                return r;
        parts_clear(&digest->block_parts);
        object = json_pack("{s:s, s:i, s:I, s:O}", "algorithm", BLOCK_DIGEST_ALGORITHM,
                           "leaf_bytes", LEAF_BYTES, "block_bytes",
                           (json_int_t) digest->block_bytes, "blocks", digest->blocks);
        if (object && json_object_size(digest->parts) > 0 &&
            json_object_set(object, "parts", digest->parts) < 0) {
                json_decref(object);
                object = NULL;
        }
        if (!object)
                return -ENOMEM;
        *ret_object = object;
        return 0;
}
