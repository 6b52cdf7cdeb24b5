/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One disk of a backup as its record and the manifests of its layers describe it, from the backup's own
 * layer down to the full one. Nothing of an image is read but its header and its length.
 */
#pragma once

#include "failure.h"
#include "names.h"
#include "repository.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum {
        CHAIN_LAYERS_MAX = 4096,
};

typedef struct ChainLayer {
        char backup_id[BACKUP_ID_SIZE];
        uint64_t capacity_bytes;
        json_t *digest; /* of its manifest */
} ChainLayer;

typedef struct Chain {
        int folder; /* of the disk */
        char *path; /* of the topmost image, for messages */
        LayerNames names; /* of the topmost layer */
        uint64_t capacity_bytes;
        ChainLayer *layers; /* the topmost first */
        size_t n_layers;
        json_t *deleting; /* records of the VM whose deletion has begun, by backup id */
} Chain;

/* NotFound: there is no such backup, or it has no such disk. ImageDamaged: a layer is missing, is not the one that its
 * manifest tells of, or a manifest is not the one that was committed. While a deletion is not at its end, a layer that
 * builds on what it takes away may be as before or as after it. */
int chain_open(Chain *chain, const Repository *repository, const char *instance_uuid,
               const char *backup_id, uint32_t disk_key, Failure *failure);
void chain_done(Chain *chain);
