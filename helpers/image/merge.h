/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking one layer of one disk out of its chain: what it holds goes into the layer above, whose backup reads as before,
 * before, while and after. Two ways: a copy of the child is made to build on the layer below and takes the
 * child's place; or, above a full layer and for its last child, the child is committed into it and it takes the child's name, which
 * costs what the child holds and not the whole disk. Each step may be killed: made again from what the files say. Used by delete.
 */
#pragma once

#include "repository.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum MergeState {
        MERGE_PENDING, /* the child builds on the doomed layer */
        MERGE_SWAPPED, /* its image does not any more */
        MERGE_TOLD, /* nor does its manifest */
} MergeState;

typedef struct Merge {
        const Repository *repository;
        int folder; /* of the disk */
        uint32_t disk_key;
        char path[700]; /* of the child's image, for messages */
        LayerNames doomed, child, below;
        const char *doomed_id, *parent_id; /* NULL: the doomed layer is a full one */
        bool in_place; /* commit rather than copy */
        MergeState state;
        uint64_t capacity_bytes;
        json_t *child_manifest, *doomed_manifest;
        json_t *blocks; /* the digests of the child and, where it has none, of the doomed layer */
        uint64_t child_bytes, doomed_bytes; /* on the disk, as it was opened */

        /* So many bytes more of what the layers hold were read, written or compared; the caller's, may be NULL. */
        void (*moved)(void *userdata, uint64_t n_bytes);
        void *userdata;
} Merge;

/* Looks where a merge is. Borrows all names. */
int merge_open(Merge *merge, const Repository *repository, int vm, uint32_t disk_key,
               const char *doomed_id, const char *child_id, const char *parent_id, bool in_place,
               Failure *failure);
void merge_done(Merge *merge);

/* What can fail or be refused, before anything is changed: the layers are judged, and
 * a copy is made unless it is done in place. */
int merge_prepare(Merge *merge, Failure *failure);

/* Removes what merge_prepare() made for any disk of a VM, by the names alone. Not when a deletion has passed its point of no
 * return. */
int merge_abandon(const Repository *repository, int vm, Failure *failure);

/* Brings it to its end. The doomed layer's manifest stays, and its image unless it took the child's name. */
int merge_finish(Merge *merge, Failure *failure);
