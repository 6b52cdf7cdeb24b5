/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads one layer back through a private server and compares every block with its digest, as it is seen at that
 * layer. Below verify, which goes through a chain from its bottom, so that damage is put down to the layer that has it.
 */
#pragma once

#include "failure.h"
#include "verify-chain.h"

#include <stddef.h>
#include <stdint.h>

/* What was found wrong in the layers below, as parts of the disk. */
typedef struct DamagedRange {
        uint64_t offset, end;
} DamagedRange;

typedef struct DamagedRanges {
        DamagedRange *list;
        size_t n, size;
} DamagedRanges;

typedef struct LayerReading {
        const char *path; /* of the disk's folder, for messages */
        int folder;
        VerifyLayer *layer; /* its problems grow */
        DamagedRanges *ranges; /* found below, and what is found here is added */
        void (*hashed)(void *userdata, uint64_t n_bytes);
        void *userdata;
} LayerReading;

/* How much of the disk the digests of a layer cover. */
uint64_t verify_layer_bytes(const VerifyLayer *layer);

/* The layer must be reachable. *ret_through: blocks that differ because a layer below is damaged there. A failure is
 * not of the layer: no memory, no qemu-nbd, somebody has it open. */
int verify_layer_read(const LayerReading *reading, uint64_t *ret_bytes, uint64_t *ret_through,
                      Failure *failure);

void damaged_ranges_done(DamagedRanges *ranges);
