/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and hashing (see digest-worker.h). Pieces of blocks are asked for some ahead, so that the server reads
 * while this process hashes; they are hashed in order.
 */
#include "digest-worker.h"

#include "manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum {
        BUFFER_ALIGNMENT = 4096, /* for reads past the kernel's cache */
        PIECE_BYTES = 256 *
                      1024, /* larger ones fall out of the processor's cache before they are hashed */
};

static int on_answer(void *userdata, int *error)
{
        Piece *piece = userdata;

        piece->error = *error;
        piece->answered = true;
        return 1; /* libnbd forgets the request */
}

static void keep_error(DigestWorker *worker)
{
        (void) snprintf(worker->error, sizeof(worker->error), "%s",
                        nbd_get_error() ?: "it cannot be read");
}

/* Its pieces that are under way are passed over. */
static int leave_block(DigestWorker *worker, uint64_t block, const char *why)
{
        worker->bad_block = block;
        return worker->heap->unreadable(worker->heap->userdata, block, why) ? 0 : -ECANCELED;
}

static int connect_status(DigestWorker *worker)
{
        nbd_close(worker->status);
        worker->status = nbd_create();
        if (worker->status && nbd_add_meta_context(worker->status, EXTENTS_CONTEXT_DATA) >= 0 &&
            nbd_add_meta_context(worker->status, EXTENTS_CONTEXT_DEPTH) >= 0 &&
            nbd_connect_unix(worker->status, worker->socket) >= 0)
                return 0;
        keep_error(worker);
        return -EIO;
}

/* A server that has said no can be asked again; one that is gone cannot. */
static int judge_status_error(DigestWorker *worker, uint64_t block)
{
        char why[WORKER_ERROR_SIZE];

        (void) snprintf(why, sizeof(why), "%s", strerror(nbd_get_errno() ?: EIO));
        return connect_status(worker) < 0 ? -EIO : leave_block(worker, block, why);
}

static int judge_read_error(DigestWorker *worker, uint64_t block, int error)
{
        if (nbd_aio_is_dead(worker->nbd) == 1 || nbd_aio_is_closed(worker->nbd) == 1) {
                keep_error(worker);
                return -EIO;
        }
        return leave_block(worker, block, strerror(error));
}

static uint64_t block_length(const DigestWorker *worker, uint64_t block)
{
        uint64_t start = block * worker->block_bytes, left = worker->capacity_bytes - start;

        return left < worker->block_bytes ? left : worker->block_bytes;
}

/* Goes to the next block that is to be hashed. 0 after the last one. */
static int next_block(DigestWorker *worker)
{
        const BlockHeap *heap = worker->heap;
        uint64_t block;
        bool wanted;
        int r;

        while (heap->take(heap->userdata, &block, &wanted)) {
                worker->extent = 0;
                worker->done = 0;
                r = extents_read(&worker->extents, worker->status, block * worker->block_bytes,
                                 block_length(worker, block));
                if (r == -EIO) {
                        worker->extents.n = 0;
                        r = judge_status_error(worker, block);
                } else if (r >= 0) {
                        if (worker->extents.held && heap->held(heap->userdata, block))
                                wanted = true;
                        if (wanted)
                                return 1;
                        worker->extents.n = 0;
                }
                if (r < 0)
                        return r;
        }
        return 0;
}

static uint64_t leaf_end(const DigestWorker *worker, uint64_t offset)
{
        uint64_t leaf = offset - offset % LEAF_BYTES;

        return leaf + block_digest_leaf_length(worker->tree, leaf);
}

/* How much of an extent is one piece. */
static uint64_t piece_length(const DigestWorker *worker, const Extent *extent, uint64_t offset)
{
        uint64_t length = extent->offset + extent->length - offset;
        uint64_t to_end = leaf_end(worker, offset) - offset;

        if (extent->zero && offset % LEAF_BYTES == 0 && length >= to_end)
                return offset + length == worker->capacity_bytes ? length
                                                                 : length - length % LEAF_BYTES;
        if (length > to_end)
                length = to_end;
        return extent->zero || length < PIECE_BYTES ? length : PIECE_BYTES;
}

/* Asks for one more piece. 0: there is none. */
static int ask(DigestWorker *worker)
{
        Piece *piece;
        const Extent *extent;
        int r;

        if (worker->extent >= worker->extents.n) {
                r = next_block(worker);
                if (r <= 0)
                        return r;
        }
        piece = worker->pieces + (worker->first + worker->n_pieces) % WORKER_PIECES;
        extent = worker->extents.list + worker->extent;
        *piece = (Piece){ .offset = extent->offset + worker->done,
                          .zero = extent->zero,
                          .answered = extent->zero,
                          .data = piece->data };
        piece->length = piece_length(worker, extent, piece->offset);
        worker->done += piece->length;
        if (worker->done == extent->length) {
                worker->extent++;
                worker->done = 0;
        }
        worker->n_pieces++;
        if (piece->zero)
                return 1;
        if (nbd_aio_pread(worker->nbd, piece->data, (size_t) piece->length, piece->offset,
                          (nbd_completion_callback){ .callback = on_answer, .user_data = piece },
                          0) >= 0)
                return 1;
        keep_error(worker);
        return -EIO;
}

static int hash_zeroes(DigestWorker *worker, uint64_t length)
{
        while (length > 0) {
                size_t n = length < PIECE_BYTES ? (size_t) length : PIECE_BYTES;

                if (!EVP_DigestUpdate(worker->hash, worker->zeroes, n))
                        return -ENOTRECOVERABLE;
                length -= n;
        }
        return 0;
}

/* A leaf begins anew even when the one before it was given up. */
static int hash_within_leaf(DigestWorker *worker, const Piece *piece)
{
        unsigned char sum[EVP_MAX_MD_SIZE];
        uint64_t end = piece->offset + piece->length;
        int r = 0;

        if (piece->offset % LEAF_BYTES == 0 && !EVP_DigestInit_ex2(worker->hash, NULL, NULL))
                return -ENOTRECOVERABLE;
        if (piece->zero)
                r = hash_zeroes(worker, piece->length);
        else if (!EVP_DigestUpdate(worker->hash, piece->data, (size_t) piece->length))
                r = -ENOTRECOVERABLE;
        if (r < 0 || end < leaf_end(worker, piece->offset))
                return r;
        if (!EVP_DigestFinal_ex(worker->hash, sum, NULL))
                return -ENOTRECOVERABLE;
        return block_digest_add_leaf(worker->tree, piece->offset - piece->offset % LEAF_BYTES, sum);
}

/* Waits for the oldest piece and hashes it. */
static int hash_first(DigestWorker *worker)
{
        const Piece *piece = worker->pieces + worker->first;
        uint64_t block = piece->offset / worker->block_bytes;
        int r;

        while (!piece->answered)
                if (nbd_poll(worker->nbd, -1) < 0) {
                        keep_error(worker);
                        return -EIO;
                }
        worker->first = (worker->first + 1) % WORKER_PIECES;
        worker->n_pieces--;
        if (block == worker->bad_block)
                return 0;
        if (piece->error)
                return judge_read_error(worker, block, piece->error);
        if (piece->zero && piece->offset % LEAF_BYTES == 0 &&
            piece->offset + piece->length >= leaf_end(worker, piece->offset))
                r = block_digest_add_zeroes(worker->tree, piece->offset, piece->length);
        else
                r = hash_within_leaf(worker, piece);
        if (r >= 0)
                worker->heap->hashed(worker->heap->userdata, piece->length);
        return r;
}

int digest_worker_run(DigestWorker *worker)
{
        bool more = true;
        int r;

        if (worker->map)
                return digest_worker_run_mapped(worker);
        while (more || worker->n_pieces > 0) {
                while (more && worker->n_pieces < WORKER_PIECES) {
                        r = ask(worker);
                        if (r < 0)
                                return r;
                        more = r > 0;
                }
                if (worker->n_pieces > 0) {
                        r = hash_first(worker);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int digest_worker_init(DigestWorker *worker, const BlockHeap *heap, const ChainMap *map,
                       uint64_t capacity_bytes)
{
        void *data = NULL;
        int r;

        *worker = (DigestWorker){
                .heap = heap,
                .map = map,
                .capacity_bytes = capacity_bytes,
                .block_bytes = manifest_block_bytes(capacity_bytes),
                .zeroes = calloc(1, PIECE_BYTES),
                .sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL),
                .hash = EVP_MD_CTX_new(),
                .bad_block = UINT64_MAX,
        };
        if (posix_memalign(&data, BUFFER_ALIGNMENT, (size_t) WORKER_PIECES * PIECE_BYTES) == 0)
                worker->data = data;
        if (!worker->data || !worker->zeroes || !worker->sha256 || !worker->hash)
                return -ENOMEM;
        r = leaf_hasher_new(&worker->hasher);
        if (r < 0)
                return r;
        for (size_t i = 0; i < WORKER_PIECES; i++)
                worker->pieces[i].data = worker->data + i * PIECE_BYTES;
        if (!EVP_DigestInit_ex2(worker->hash, worker->sha256, NULL))
                return -ENOTRECOVERABLE;
        return block_digest_new(capacity_bytes, &worker->tree);
}

void digest_worker_done(DigestWorker *worker)
{
        /* First, because the answers of what is in flight go to the pieces. */
        digest_worker_disconnect(worker);
        worker->hasher = leaf_hasher_free(worker->hasher);
        EVP_MD_CTX_free(worker->hash);
        EVP_MD_free(worker->sha256);
        extents_done(&worker->extents);
        free(worker->data);
        free(worker->zeroes);
        worker->tree = block_digest_free(worker->tree);
}

void digest_worker_disconnect(DigestWorker *worker)
{
        nbd_close(worker->nbd);
        nbd_close(worker->status);
        worker->nbd = worker->status = NULL;
}

int digest_worker_connect(DigestWorker *worker, const char *socket, int64_t *ret_size)
{
        int64_t size;

        worker->socket = socket;
        worker->nbd = nbd_create();
        if (!worker->nbd || nbd_connect_unix(worker->nbd, socket) < 0) {
                keep_error(worker);
                return -EIO;
        }
        if (connect_status(worker) < 0)
                return -EIO;
        if (nbd_can_meta_context(worker->status, EXTENTS_CONTEXT_DATA) != 1 ||
            nbd_can_meta_context(worker->status, EXTENTS_CONTEXT_DEPTH) != 1)
                return -EOPNOTSUPP;
        size = nbd_get_size(worker->nbd);
        if (size < 0 || (uint64_t) size != worker->capacity_bytes) {
                *ret_size = size;
                return -EMSGSIZE;
        }
        return 0;
}
