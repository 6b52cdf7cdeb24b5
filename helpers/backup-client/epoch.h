/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was written to a target since its last commit, and when the next one is due. A server's "written" is worth
 * nothing until it was flushed by the same instance of it: so at a commit nothing of the epoch is under way,
 * every connection flushes, and all must answer; and a lost connection ends the epoch, of which
 * everything is sent again. The books of that, and the sums of what is sent, which count from the commit on.
 * Pure.
 */
#pragma once

#include "block-digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EPOCH_BYTES_MAX      (UINT64_C(1) << 30)
#define EPOCH_INTERVAL_USEC  (UINT64_C(10) * 1000 * 1000)
#define EPOCH_INTERVAL_FIRST (UINT64_C(250) * 1000) /* after a loss; doubles with each commit */

enum {
        EPOCH_SUMS_MAX = 16 * 1024, /* in one epoch: 1 MiB */
};

typedef enum SumKind {
        SUM_LEAF,
        SUM_ZEROES,
        SUM_PART,
} SumKind;

typedef struct Sum {
        uint64_t offset, length;
        SumKind kind;
        uint8_t sum[LEAF_SUM_BYTES];
} Sum;

typedef struct Counters {
        uint64_t done; /* of the plan's total */
        uint64_t sent, zeroed;
} Counters;

typedef struct Epoch {
        uint64_t committed; /* position of the plan: all before it is durable */
        uint64_t barrier; /* a commit is under way of all before it; UINT64_MAX: none is */
        unsigned n_flushes; /* that must answer yet; 0: not asked for yet */
        bool flushing;
        uint64_t begun_usec, interval_usec;
        uint64_t bytes; /* written since */
        uint64_t n_commits;
        Counters now, at_commit, at_barrier;
        Sum *sums;
        size_t n_sums, n_allocated;
        BlockDigest *digest; /* NULL: no digests; borrowed */
} Epoch;

void epoch_init(Epoch *epoch, BlockDigest *digest, uint64_t now_usec);
void epoch_done(Epoch *epoch);

/* Keeps a sum of what was written, -ENOMEM. */
int epoch_add_sum(Epoch *epoch, const Sum *sum);

/* A commit is wanted now. */
bool epoch_is_due(const Epoch *epoch, uint64_t now_usec);

/* When it is, if nothing more is written. UINT64_MAX: not by time. */
uint64_t epoch_due_usec(const Epoch *epoch);

/* Everything before position shall be committed. */
void epoch_close(Epoch *epoch, uint64_t position);

/* All of it is durable. Sums go to the digest; errors are the digest's. */
int epoch_commit(Epoch *epoch, uint64_t now_usec);

/* The epoch is lost: back to the last commit. */
void epoch_lose(Epoch *epoch, uint64_t now_usec);
