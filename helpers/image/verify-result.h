/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What verify tells: a verdict for each layer of each disk, and as many words about it as a result file has room for.
 */
#pragma once

#include "verify-chain.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct VerifyLayerResult {
        const VerifyLayer *layer;
        uint64_t bytes; /* of the disk that were compared */
        uint64_t blocks_through; /* that differ because of a layer below */
} VerifyLayerResult;

typedef struct VerifyResult {
        json_t *disks;
        uint64_t n_damaged, bytes_read;
} VerifyResult;

int verify_result_init(VerifyResult *result);
void verify_result_done(VerifyResult *result);

/* The layers of a disk, the topmost first. */
int verify_result_add(VerifyResult *result, uint32_t disk_key, const VerifyLayerResult *layers,
                      size_t n_layers);

/* The members of the result; the caller's reference. If it were too long for its reader, first all problems of a layer
 * but one go, then the layers that are fine, whose disk has "lowest" then, the backup of the last of all its layers; then the problems of
 * the rest. */
int verify_result_make(const VerifyResult *result, json_t **ret_object);
