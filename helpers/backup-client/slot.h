/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One chunk on its way from source to target: read, looked through for zeroes, summed, written; and only when
 * its data were answered are its zeroes written, because qemu 7.2 can lose a write of zeroes that shares a
 * cluster with data in flight (bench/README). The disk decides when; a slot knows no time and no fault but
 * its own.
 */
#pragma once

#include "epoch.h"
#include "plan.h"
#include "source.h"
#include "target.h"

enum {
        SLOT_GRAIN = 32 *
                     1024, /* zeroes are looked for in pieces of it: a subcluster of our images */
        SLOT_READ_BYTES = 256 *
                          1024, /* larger pieces fall out of the processor's cache on their way */
};

typedef enum SlotState {
        SLOT_FREE,
        SLOT_PLANNED, /* to be read */
        SLOT_READING,
        SLOT_READ, /* to be written */
        SLOT_WRITING, /* data */
        SLOT_WRITTEN, /* the data are; zeroes follow */
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
        PlanChunk chunk;
} Slot;

/* Begins the reads of a planned chunk; what could not be begun is an error of the slot. -ENOMEM. */
int slot_read(Slot *slot, Source *source, uint64_t *bytes_read);

/* Finds the zeroes in what was read. */
void slot_find_zeroes(Slot *slot);

/* Adds the sums of what was read, or of zeroes, to the epoch. */
int slot_sum(Slot *slot, Epoch *epoch);

/* Begins to write the data, or the zeroes; nothing to write: the next state at once. Errors are the target's. */
int slot_write(Slot *slot, Target *target);
int slot_zero(Slot *slot, Target *target);

void slot_free(Slot *slot); /* the buffer stays */
void slot_done(Slot *slot);
