/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layers of one disk of a backup as verify looks at them: from the backup's own down to the full one, each with
 * everything that its files alone say against it. Unlike a restore it goes on as far as a link can be followed.
 */
#pragma once

#include "failure.h"
#include "names.h"
#include "repository.h"
#include "scan-layer.h"

#include <jansson.h>
#include <stddef.h>

enum {
        VERIFY_LAYERS_MAX = 4096, /* of a disk */
        VERIFY_WHERE_SIZE = 160,
};

/* The records of a VM, each read once. */
typedef struct VerifyRecords {
        const char *instance_uuid;
        const json_t *rows; /* what the catalog has of layers; NULL: nobody said */
        int vm; /* its folder; -1: it is not there */
        int backups; /* -1: not there */
        json_t *known; /* by backup id: the record, or a text that says why there is none */
        int away; /* negative errno: one could not be read, the repository is not there; else 0 */
        char deleting[BACKUP_ID_SIZE]; /* of a layer whose deletion has begun; empty: none was met */
} VerifyRecords;

typedef struct VerifyLayer {
        char backup_id[BACKUP_ID_SIZE];
        char where[VERIFY_WHERE_SIZE]; /* begins each of its problems */
        LayerLook look;
        json_t *problems; /* texts */
        bool reachable; /* it and all layers below it are sound: qemu can open it */
} VerifyLayer;

typedef struct VerifyChain {
        int folder; /* of the disk; -1: it is not there */
        VerifyLayer *layers; /* the backup's own first */
        size_t n_layers;
} VerifyChain;

int verify_records_open(VerifyRecords *records, const Repository *repository,
                        const char *instance_uuid, Failure *failure);
void verify_records_done(VerifyRecords *records);

/* The record of a backup; NULL, and *ret_why, when there is none to be had. */
const json_t *verify_records_get(VerifyRecords *records, const char *backup_id,
                                 const char **ret_why);

/* Busy: a deletion has begun, and is to be ended first. No memory is a failure too; everything else is held against a layer.
 * There is always one. */
int verify_chain_read(VerifyChain *chain, VerifyRecords *records, const char *backup_id,
                      uint32_t disk_key, Failure *failure);
void verify_chain_done(VerifyChain *chain);
