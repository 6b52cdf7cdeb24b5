/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Threads that sum what the loop has read, while the loop sends it: SHA-256 takes as long as everything else the loop
 * does with a leaf. They see a buffer and a list of sums to fill, and no slot; the loop alone hands out work and takes it
 * back, so nothing else in the engine knows of threads.
 */
#pragma once

#include "epoch.h"

#include "cleanup.h"

typedef struct HashWorkers HashWorkers;
typedef struct HashJob HashJob;

/* As a source's answer; error is that of the library. Called by hash_workers_dispatch() alone. */
typedef void (*HashAnswer)(void *userdata, int error);

struct HashJob {
        const uint8_t *leaf; /* its memory, which stays as it is until the answer */
        Sum *sums; /* leaves and parts of it; sum is filled in */
        size_t n_sums;
        HashAnswer answer;
        void *userdata;
        /* the workers' */
        enum {
                HASH_IDLE,
                HASH_QUEUED,
                HASH_RUNNING,
                HASH_DONE,
        } state;
        int error;
        HashJob *next;
};

/* One thread for two processors, four at most. Signals are blocked in them. */
int hash_workers_new(HashWorkers **ret_workers);

/* Without jobs: each was answered or taken back. NULL in, NULL out. */
HashWorkers *hash_workers_free(HashWorkers *workers);
DEFINE_CLEANUP(HashWorkers *, hash_workers_free)

/* Hands a job out, which is borrowed until its answer. */
void hash_workers_add(HashWorkers *workers, HashJob *job);

/* Sums a job here and now, without an answer: for a few bytes, which take less than handing them over. */
int hash_workers_sum(HashWorkers *workers, const HashJob *job);

/* Takes it back, answered or not; one that is being summed is waited for, which is a leaf's time. */
void hash_workers_take_back(HashWorkers *workers, HashJob *job);

/* What to poll for POLLIN, and the answers when it is readable. */
int hash_workers_fd(const HashWorkers *workers);
void hash_workers_dispatch(HashWorkers *workers);
