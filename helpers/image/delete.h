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

typedef struct Deletion {
        Repository repository;
        VmRecords vm;
        const char *instance_uuid, *backup_id;
        const json_t *record; /* of what is being deleted; borrowed from vm */
        bool force;
        Announcer announcer;
        Announced announced;
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

/* Bytes on the disk of the layers that it concerns. */
uint64_t deletion_bytes(const Deletion *deletion);

/* The backups that build on what it built on, as their records are now: what a catalog must follow. An array. */
json_t *deletion_children(const Deletion *deletion);
