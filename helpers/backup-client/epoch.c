/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The books of an epoch (see epoch.h).
 */
#include "epoch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void epoch_init(Epoch *epoch, BlockDigest *digest, uint64_t now_usec)
{
        *epoch = (Epoch){
                .barrier = UINT64_MAX,
                .begun_usec = now_usec,
                .interval_usec = EPOCH_INTERVAL_USEC,
                .digest = digest,
        };
}

void epoch_done(Epoch *epoch)
{
        free(epoch->sums);
        epoch->sums = NULL;
}

int epoch_add_sum(Epoch *epoch, const Sum *sum)
{
        if (!epoch->digest)
                return 0;
        if (epoch->n_sums == epoch->n_allocated) {
                size_t n = epoch->n_allocated > 0 ? epoch->n_allocated * 2 : 256;
                Sum *more = reallocarray(epoch->sums, n, sizeof(*more));

                if (!more)
                        return -ENOMEM;
                epoch->sums = more;
                epoch->n_allocated = n;
        }
        epoch->sums[epoch->n_sums++] = *sum;
        return 0;
}

bool epoch_is_due(const Epoch *epoch, uint64_t now_usec)
{
        return epoch->barrier == UINT64_MAX &&
               (epoch->bytes >= EPOCH_BYTES_MAX || epoch->n_sums >= EPOCH_SUMS_MAX ||
                now_usec >= epoch_due_usec(epoch));
}

uint64_t epoch_due_usec(const Epoch *epoch)
{
        return epoch->bytes == 0 || epoch->barrier != UINT64_MAX
                               ? UINT64_MAX
                               : epoch->begun_usec + epoch->interval_usec;
}

void epoch_close(Epoch *epoch, uint64_t position)
{
        epoch->barrier = position;
        epoch->flushing = false;
        epoch->n_flushes = 0;
}

static int by_offset(const void *a, const void *b)
{
        const Sum *x = a, *y = b;

        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int add_to_digest(BlockDigest *digest, const Sum *sum)
{
        switch (sum->kind) {
        case SUM_LEAF:
                return block_digest_add_leaf(digest, sum->offset, sum->sum);
        case SUM_ZEROES:
                return block_digest_add_zeroes(digest, sum->offset, sum->length);
        case SUM_PART:
        default:
                return block_digest_add_part(digest, sum->offset, sum->length, sum->sum);
        }
}

int epoch_commit(Epoch *epoch, uint64_t now_usec)
{
        size_t n = 0;
        int r = 0;

        if (epoch->n_sums > 0)
                qsort(epoch->sums, epoch->n_sums, sizeof(*epoch->sums), by_offset);
        while (n < epoch->n_sums && epoch->sums[n].offset < epoch->barrier && r >= 0)
                r = add_to_digest(epoch->digest, epoch->sums + n++);
        if (r < 0)
                return r;
        epoch->n_sums -= n;
        if (epoch->n_sums > 0)
                memmove(epoch->sums, epoch->sums + n, epoch->n_sums * sizeof(*epoch->sums));
        epoch->committed = epoch->barrier;
        epoch->barrier = UINT64_MAX;
        epoch->flushing = false;
        epoch->begun_usec = now_usec;
        epoch->interval_usec *= 2;
        if (epoch->interval_usec > EPOCH_INTERVAL_USEC)
                epoch->interval_usec = EPOCH_INTERVAL_USEC;
        epoch->bytes = 0;
        epoch->n_commits++;
        epoch->at_commit = epoch->at_barrier;
        return 0;
}

void epoch_lose(Epoch *epoch, uint64_t now_usec)
{
        epoch->n_sums = 0;
        epoch->barrier = UINT64_MAX;
        epoch->flushing = false;
        epoch->n_flushes = 0;
        epoch->begun_usec = now_usec;
        epoch->interval_usec = EPOCH_INTERVAL_FIRST;
        epoch->bytes = 0;
        epoch->now = epoch->at_commit;
}
