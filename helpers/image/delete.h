/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of a deletion: what is looked at before, what is told after. delete.c knows the order.
 */
#pragma once

#include "announce.h"
#include "merge.h"
#include "repository.h"
#include "vm-records.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One half of a merge, as it is told. */
typedef struct MergeStep {
        uint32_t disk_key;
        uint64_t first, end, total; /* of the disk's bytes to be told */
        uint64_t expected, moved; /* bytes that the step is about to move, and has */
} MergeStep;

typedef struct Deletion {
        Repository repository;
        VmRecords vm;
        const char *instance_uuid, *backup_id;
        const json_t *record; /* of what is being deleted; borrowed from vm */
        bool force;
        Announcer announcer;
        Announced announced;
        MergeStep step; /* under way */
        uint64_t bytes_needed; /* of free space */
} Deletion;

typedef int (*DeletionAct)(Deletion *deletion, Merge *merge, Failure *failure);

/* Calls act for each disk's layer and each child that builds on it, in the order in which they are merged. */
int deletion_each_merge(Deletion *deletion, DeletionAct act, Failure *failure);

/* Whether it may be begun: nobody uses the images, no other backup is lost with it, the layers are sound, there is
 * room. Nothing is changed. */
int deletion_check(Deletion *deletion, Failure *failure);

/* Writes the records of the backups that built on it anew. */
int deletion_tell_records(Deletion *deletion, Failure *failure);

/* What all layers of the VM take up on the repository's disk, in its blocks and not by the lengths of files. */
int deletion_bytes(const Deletion *deletion, uint64_t *ret_bytes, Failure *failure);

/* The backups that build on what it built on, as their records are now: what a catalog must follow. An array. */
json_t *deletion_children(const Deletion *deletion);
