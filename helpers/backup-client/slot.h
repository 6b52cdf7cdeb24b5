/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One chunk on its way from source to target: read, looked through for zeroes, summed, written; and only when
 * its data were answered are its zeroes written, because qemu 7.2 can lose a write of zeroes that shares a
 * cluster with data in flight (bench/README). The disk decides when; a slot knows no time and no fault but
 * its own.
 */
#pragma once

#include "epoch.h"
#include "hash-workers.h"
#include "plan.h"
#include "source.h"
#include "target.h"

enum {
        SLOT_GRAIN = 32 *
                     1024, /* zeroes are looked for in pieces of it: a subcluster of our images */
};

typedef enum SlotState {
        SLOT_FREE,
        SLOT_PLANNED, /* to be read */
        SLOT_READING,
        SLOT_READ, /* to be written */
        SLOT_WRITING, /* data, and they are being summed */
        SLOT_WRITTEN, /* both is done; zeroes follow */
        SLOT_ZEROING,
        SLOT_DONE,
        SLOT_STATE_MAX,
        SLOT_STATE_INVALID = -22,
} SlotState;

typedef struct Slot {
        SlotState state;
        bool discard; /* what is being read is of no use any more */
        unsigned n_pending; /* answers that are missing */
        unsigned n_faults; /* reads that failed */
        int error; /* of them, or 0 */
        uint8_t *buffer; /* LEAF_BYTES; NULL until it is needed */
        uint64_t sent, zeroed;
        Sum *sums; /* of what was read */
        size_t n_sums, n_sums_allocated;
        int sum_error;
        HashWorkers *workers; /* who have the job; NULL: nobody has */
        HashJob job;
        PlanChunk chunk;
} Slot;

/* Begins the reads of a planned chunk; what could not be begun is an error of the slot. -ENOMEM. */
int slot_read(Slot *slot, Source *source, uint64_t *bytes_read);

/* Finds the zeroes in what was read. */
void slot_find_zeroes(Slot *slot);

/* Lists the sums that what was read, or zeroes, will have. -ENOMEM. */
int slot_list_sums(Slot *slot);

/* Adds them to the epoch. */
int slot_keep_sums(const Slot *slot, Epoch *epoch);

/* Begins to write the data, or the zeroes; nothing to write: the next state at once. The sums that were listed are made
 * meanwhile. Errors are the target's. */
int slot_write(Slot *slot, Target *target, HashWorkers *workers);
int slot_zero(Slot *slot, Target *target);

void slot_free(Slot *slot); /* the buffers stay */
void slot_done(Slot *slot);
