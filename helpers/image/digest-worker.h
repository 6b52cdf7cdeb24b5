/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One reader of an image, out of its files or, with a connection, of one that is served, with buffers and sums of its
 * own: takes blocks from a common heap, reads and hashes them. Several work beside each other, each in a thread (see
 * digest.h).
 */
#pragma once

#include "block-digest.h"
#include "chain-map.h"
#include "extents.h"

#include <stdbool.h>
#include <stdint.h>

#include <libnbd.h>
#include <openssl/types.h>

enum {
        WORKER_PIECES = 16, /* in flight, and being hashed */
        WORKER_ERROR_SIZE = 256,
        WORKER_CONNECTIONS = 2,
};

/* Where blocks come from and what is found goes to. The calls come from any thread. */
typedef struct BlockHeap {
        /* The next block, always upwards. false: there is none. *ret_wanted: to be hashed whatever the layer holds. */
        bool (*take)(void *userdata, uint64_t *ret_block, bool *ret_wanted);
        /* The layer holds something of a block. Whether it is to be hashed if it was not wanted. */
        bool (*held)(void *userdata, uint64_t block);
        /* A block cannot be read; the others go on. Whether to go on. */
        bool (*unreadable)(void *userdata, uint64_t block, const char *why);
        void (*hashed)(void *userdata, uint64_t n_bytes);
        void *userdata;
} BlockHeap;

/* A run of bytes within one leaf, or a run of whole leaves of zeroes. */
typedef struct Piece {
        uint64_t offset, length;
        bool zero;
        bool answered;
        int error;
        uint8_t *data;
} Piece;

typedef struct DigestWorker {
        const BlockHeap *heap;
        const ChainMap *map; /* NULL: the image is served */
        LeafHasher *hasher; /* of what is mapped */
        struct nbd_handle *nbd; /* for data */
        struct nbd_handle *
                        status; /* for extents: qemu 7.2 breaks a connection on which it cannot tell them */
        const char *socket;
        uint64_t capacity_bytes, block_bytes;
        EVP_MD *sha256;
        EVP_MD_CTX *hash; /* of a leaf */
        BlockDigest *tree;

        /* What is asked for next. */
        Extents extents; /* of a block */
        size_t extent;
        uint64_t done; /* of that extent */

        Piece pieces[WORKER_PIECES]; /* a ring */
        size_t first, n_pieces;
        uint64_t bad_block; /* whose pieces are passed over; UINT64_MAX: none */
        uint8_t *data; /* of all pieces */
        uint8_t *zeroes;
        char error[WORKER_ERROR_SIZE]; /* of the connection */
} DigestWorker;

/* Memory and sums. The map is borrowed, and NULL for an image that is served. -ENOMEM, -ENOTRECOVERABLE. */
int digest_worker_init(DigestWorker *worker, const BlockHeap *heap, const ChainMap *map,
                       uint64_t capacity_bytes);
void digest_worker_done(DigestWorker *worker);

/* Connects to a server, twice. The socket's name is borrowed. -EIO: it does not let us in, and error says why; -EOPNOTSUPP: it does not tell which layer holds
 * what; -EMSGSIZE: it serves *ret_size bytes, which is wrong. */
int digest_worker_connect(DigestWorker *worker, const char *socket, int64_t *ret_size);

void digest_worker_disconnect(DigestWorker *worker);

/* Until the heap is empty. -EIO: the server is gone, and error says why; -ECANCELED: it was not to go on. */
int digest_worker_run(DigestWorker *worker);
int digest_worker_run_mapped(DigestWorker *worker);
