/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the blocks of an image from a private qemu-nbd and hashes them (see digest.h). Pieces of a block
 * are asked for some ahead, so that the server reads while this process hashes; they are hashed in order.
 */
#include "digest.h"

#include "block-digest.h"
#include "bus/bus-error.h"
#include "cleanup.h"
#include "extents.h"
#include "manifest.h"
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <libnbd.h>
#include <openssl/evp.h>

enum {
        PIECE_BYTES = 256 *
                      1024, /* larger ones fall out of the processor's cache before they are hashed */
        PIECES = 32, /* in flight, and being hashed */
};

/* A run of bytes within one leaf, or a run of whole leaves of zeroes. */
typedef struct Piece {
        uint64_t offset, length;
        bool zero;
        bool answered;
        int error;
        uint8_t *data;
} Piece;

typedef struct Digest {
        struct nbd_handle *nbd;
        EVP_MD *sha256;
        EVP_MD_CTX *hash; /* of a leaf */
        BlockDigest *tree;
        uint64_t capacity_bytes, block_bytes;
        const json_t *blocks; /* that are wanted; NULL: none but what this layer holds */
        bool held_too;

        /* What is asked for next. */
        uint64_t block;
        Extents extents; /* of that block */
        size_t extent;
        uint64_t done; /* of that extent */

        Piece pieces[PIECES]; /* a ring */
        size_t first, n_pieces;
        uint8_t *data; /* of all of them */
        uint8_t *zeroes;
} Digest;

static uint64_t block_length(const Digest *digest, uint64_t block)
{
        uint64_t start = block * digest->block_bytes, left = digest->capacity_bytes - start;

        return left < digest->block_bytes ? left : digest->block_bytes;
}

static int on_answer(void *userdata, int *error)
{
        Piece *piece = userdata;

        piece->error = *error;
        piece->answered = true;
        return 1; /* libnbd forgets the request */
}

static bool block_is_wanted(const Digest *digest)
{
        char key[24];

        (void) snprintf(key, sizeof(key), "%" PRIu64, digest->block);
        return json_object_get(digest->blocks, key) != NULL;
}

/* Goes to the next block that is asked for. 0 after the last one. */
static int next_block(Digest *digest)
{
        uint64_t n_blocks =
                        (digest->capacity_bytes + digest->block_bytes - 1) / digest->block_bytes;
        int r;

        while (digest->block < n_blocks) {
                bool wanted = block_is_wanted(digest);

                if (!wanted && !digest->held_too) {
                        digest->block++;
                        continue;
                }
                r = extents_read(&digest->extents, digest->nbd, digest->block * digest->block_bytes,
                                 block_length(digest, digest->block));
                if (r < 0)
                        return r;
                digest->extent = 0;
                digest->done = 0;
                if (wanted || digest->extents.held)
                        return 1;
                digest->block++;
        }
        return 0;
}

static uint64_t leaf_end(const Digest *digest, uint64_t offset)
{
        uint64_t leaf = offset - offset % LEAF_BYTES;

        return leaf + block_digest_leaf_length(digest->tree, leaf);
}

/* How much of an extent is one piece. */
static uint64_t piece_length(const Digest *digest, const Extent *extent, uint64_t offset)
{
        uint64_t length = extent->offset + extent->length - offset;
        uint64_t to_end = leaf_end(digest, offset) - offset;

        if (extent->zero && offset % LEAF_BYTES == 0 && length >= to_end)
                return offset + length == digest->capacity_bytes ? length
                                                                 : length - length % LEAF_BYTES;
        if (length > to_end)
                length = to_end;
        return extent->zero || length < PIECE_BYTES ? length : PIECE_BYTES;
}

/* Asks for one more piece. 0: there is none. */
static int ask(Digest *digest)
{
        Piece *piece = digest->pieces + (digest->first + digest->n_pieces) % PIECES;
        const Extent *extent;
        int r;

        if (digest->extent >= digest->extents.n) {
                r = next_block(digest);
                if (r <= 0)
                        return r;
        }
        extent = digest->extents.list + digest->extent;
        *piece = (Piece){ .offset = extent->offset + digest->done,
                          .zero = extent->zero,
                          .answered = extent->zero,
                          .data = piece->data };
        piece->length = piece_length(digest, extent, piece->offset);
        digest->done += piece->length;
        if (digest->done == extent->length) {
                digest->extent++;
                digest->done = 0;
        }
        if (digest->extent == digest->extents.n)
                digest->block++;
        digest->n_pieces++;
        if (piece->zero)
                return 1;
        return nbd_aio_pread(digest->nbd, piece->data, (size_t) piece->length, piece->offset,
                             (nbd_completion_callback){ .callback = on_answer, .user_data = piece },
                             0) < 0
                               ? -EIO
                               : 1;
}

static int hash_zeroes(Digest *digest, uint64_t length)
{
        while (length > 0) {
                size_t n = length < PIECE_BYTES ? (size_t) length : PIECE_BYTES;

                if (!EVP_DigestUpdate(digest->hash, digest->zeroes, n))
                        return -ENOTRECOVERABLE;
                length -= n;
        }
        return 0;
}

static int finish_leaf(Digest *digest, uint64_t offset)
{
        unsigned char sum[EVP_MAX_MD_SIZE];

        if (!EVP_DigestFinal_ex(digest->hash, sum, NULL) ||
            !EVP_DigestInit_ex2(digest->hash, NULL, NULL))
                return -ENOTRECOVERABLE;
        return block_digest_add_leaf(digest->tree, offset - offset % LEAF_BYTES, sum);
}

/* Waits for the oldest piece and hashes it. */
static int hash_first(Digest *digest)
{
        Piece *piece = digest->pieces + digest->first;
        uint64_t end = piece->offset + piece->length;
        int r;

        while (!piece->answered)
                if (nbd_poll(digest->nbd, -1) < 0)
                        return -EIO;
        if (piece->error)
                return -EIO;
        digest->first = (digest->first + 1) % PIECES;
        digest->n_pieces--;

        if (piece->zero && piece->offset % LEAF_BYTES == 0 &&
            end >= leaf_end(digest, piece->offset))
                return block_digest_add_zeroes(digest->tree, piece->offset, piece->length);
        if (piece->zero)
                r = hash_zeroes(digest, piece->length);
        else
                r = EVP_DigestUpdate(digest->hash, piece->data, (size_t) piece->length)
                                    ? 0
                                    : -ENOTRECOVERABLE;
        return r < 0 || end < leaf_end(digest, piece->offset) ? r
                                                              : finish_leaf(digest, piece->offset);
}

static int hash_all(Digest *digest)
{
        bool more = true;
        int r;

        while (more || digest->n_pieces > 0) {
                while (more && digest->n_pieces < PIECES) {
                        r = ask(digest);
                        if (r < 0)
                                return r;
                        more = r > 0;
                }
                if (digest->n_pieces > 0) {
                        r = hash_first(digest);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int prepare(Digest *digest, uint64_t capacity_bytes)
{
        digest->capacity_bytes = capacity_bytes;
        digest->block_bytes = manifest_block_bytes(capacity_bytes);
        digest->data = malloc((size_t) PIECES * PIECE_BYTES);
        digest->zeroes = calloc(1, PIECE_BYTES);
        digest->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
        digest->hash = EVP_MD_CTX_new();
        if (!digest->data || !digest->zeroes || !digest->sha256 || !digest->hash)
                return -ENOMEM;
        for (size_t i = 0; i < PIECES; i++)
                digest->pieces[i].data = digest->data + i * PIECE_BYTES;
        if (!EVP_DigestInit_ex2(digest->hash, digest->sha256, NULL))
                return -ENOTRECOVERABLE;
        return block_digest_new(capacity_bytes, &digest->tree);
}

static void digest_done(Digest *digest)
{
        /* First, because the answers of what is in flight go to the pieces. */
        nbd_close(digest->nbd);
        EVP_MD_CTX_free(digest->hash);
        EVP_MD_free(digest->sha256);
        extents_done(&digest->extents);
        free(digest->data);
        free(digest->zeroes);
        digest->tree = block_digest_free(digest->tree);
}

static int connect_to(Digest *digest, Server *server, Failure *failure)
{
        int64_t size;

        digest->nbd = nbd_create();
        if (!digest->nbd || nbd_add_meta_context(digest->nbd, EXTENTS_CONTEXT_DATA) < 0 ||
            nbd_add_meta_context(digest->nbd, EXTENTS_CONTEXT_DEPTH) < 0)
                return failure_set(failure, BUS_ERROR_FAILED, "libnbd: %s", nbd_get_error());
        if (nbd_connect_unix(digest->nbd, server->socket) < 0)
                return server_failure(server, nbd_get_error(), failure);
        if (nbd_can_meta_context(digest->nbd, EXTENTS_CONTEXT_DATA) != 1 ||
            nbd_can_meta_context(digest->nbd, EXTENTS_CONTEXT_DEPTH) != 1)
                return failure_set(failure, BUS_ERROR_TOOL_MISSING,
                                   "qemu-nbd does not tell which layer holds what; install a newer "
                                   "qemu-utils");
        size = nbd_get_size(digest->nbd);
        if (size < 0 || (uint64_t) size != digest->capacity_bytes)
                return failure_set(failure, BUS_ERROR_IMAGE_DAMAGED,
                                   "%s is served with %" PRId64 " bytes, must be %" PRIu64
                                   "; start the backup again",
                                   server->image->path, size, digest->capacity_bytes);
        return 0;
}

int digest_image(const Image *image, uint64_t capacity_bytes, json_t **ret_digest, Failure *failure)
{
        return digest_blocks(image, capacity_bytes, NULL, true, ret_digest, failure);
}

int digest_blocks(const Image *image, uint64_t capacity_bytes, const json_t *blocks, bool held_too,
                  json_t **ret_digest, Failure *failure)
{
        CLEANUP(server_done) Server server = { .child = { .out = -1, .err = -1 } };
        CLEANUP(digest_done) Digest digest = { .blocks = blocks, .held_too = held_too };
        int r;

        r = prepare(&digest, capacity_bytes);
        if (r < 0)
                return failure_errno(failure, r, "Cannot prepare the digests of %s", image->path);
        r = server_start(&server, image, failure);
        if (r >= 0)
                r = connect_to(&digest, &server, failure);
        if (r < 0)
                return r;
        r = hash_all(&digest);
        if (r == -EIO && (nbd_aio_is_dead(digest.nbd) == 1 || nbd_aio_is_closed(digest.nbd) == 1))
                server_wait_end(&server);
        if (r == -EIO)
                return server_failure(&server, nbd_get_error() ?: "it cannot be read", failure);
        if (r < 0)
                return failure_errno(failure, r, "Cannot make the digests of %s", image->path);
        (void) nbd_shutdown(digest.nbd, 0);

        r = block_digest_finish(digest.tree, ret_digest);
        return r < 0 ? failure_errno(failure, r, "Cannot keep the digests of %s", image->path) : 0;
}
