/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and hashing out of the files of a chain, without a server (see digest-worker.h): leaf by leaf, each thread by
 * itself, so that one reads while another hashes.
 */
#include "digest-worker.h"

#include "cleanup.h"
#include "failure.h"

#include <errno.h>
#include <string.h>

/* Zeroes cost nothing when they are whole leaves. *ret_next: behind what was added. *ret_error: why it cannot be read; 0: it can. */
static int add_leaf(DigestWorker *worker, uint64_t leaf, uint64_t end, uint64_t *ret_next,
                    int *ret_error)
{
        size_t length = (size_t) block_digest_leaf_length(worker->tree, leaf);
        uint8_t sum[LEAF_SUM_BYTES];
        bool zero;
        uint64_t same;
        int r;

        *ret_error = 0;
        same = chain_map_find_end(worker->map, leaf, end, &zero);
        if (zero && same < end)
                same -= same % LEAF_BYTES;
        if (zero && same > leaf) {
                *ret_next = same;
                return block_digest_add_zeroes(worker->tree, leaf, same - leaf);
        }
        *ret_next = leaf + length;
        r = chain_map_read(worker->map, worker->data, length, leaf);
        if (r < 0) {
                *ret_error = -r;
                return 0;
        }
        r = leaf_hasher_sum_leaf(worker->hasher, worker->data, length, sum);
        return r < 0 ? r : block_digest_add_leaf(worker->tree, leaf, sum);
}

static int hash_block(DigestWorker *worker, uint64_t block, uint64_t start, uint64_t end)
{
        const BlockHeap *heap = worker->heap;

        while (start < end) {
                uint64_t next;
                int error, r = add_leaf(worker, start, end, &next, &error);

                if (r < 0)
                        return r;
                if (failure_is_away(-error))
                        return -error;
                if (error != 0)
                        return heap->unreadable(heap->userdata, block, strerror(error))
                                               ? 0
                                               : -ECANCELED;
                heap->hashed(heap->userdata, next - start);
                start = next;
        }
        return 0;
}

int digest_worker_run_mapped(DigestWorker *worker)
{
        const BlockHeap *heap = worker->heap;
        uint64_t block;
        bool wanted;
        int r;

        while (heap->take(heap->userdata, &block, &wanted)) {
                uint64_t start = block * worker->block_bytes, end = start + worker->block_bytes;

                if (end > worker->capacity_bytes)
                        end = worker->capacity_bytes;
                if (chain_map_is_held(worker->map, start, end) && heap->held(heap->userdata, block))
                        wanted = true;
                r = wanted ? hash_block(worker, block, start, end) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}
