/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All backups of one VM as their records tell of them, and the deletions that were begun: what depends on
 * what, by disk. For delete, which changes chains; held alone by it, so that two cannot meet.
 */
#pragma once

#include "failure.h"
#include "repository.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VmRecords {
        const Repository *repository;
        const char *instance_uuid;
        int vm, backups; /* folders */
        json_t *records; /* by backup id, in the order of the ids */
        json_t *deleting; /* the same of records whose deletion has begun */
} VmRecords;

/* Opens the VM's folder for this process alone; nothing is read yet. 1: there is no such folder. VmBusy: another one has
 * it. */
int vm_records_open(VmRecords *records, const Repository *repository, const char *instance_uuid,
                    Failure *failure);

/* Reads all of it, also again. A record that cannot be read fails it, because nobody knows what it builds on. */
int vm_records_read(VmRecords *records, Failure *failure);

/* By the names alone: whether the deletion of any backup has begun; whether a backup has a record. 1, 0 or -errno. */
int vm_records_any_deleting(const VmRecords *records, Failure *failure);
int vm_records_has_deleting(const VmRecords *records, const char *backup_id, Failure *failure);
int vm_records_has(const VmRecords *records, const char *backup_id, Failure *failure);
void vm_records_done(VmRecords *records);

/* For who only reads: the records in a folder whose deletion has begun, by backup id, as far as they can be read. NULL: out of
 * memory. */
json_t *deleting_read(int backups);

/* A disk of a record, or NULL. */
json_t *record_disk(const json_t *record, uint32_t disk_key);

/* What a disk of a record builds on, or NULL. */
const char *record_parent(const json_t *record, uint32_t disk_key);

/* Whether any disk of a record builds on the backup. */
bool record_builds_on(const json_t *record, const char *backup_id);

/* The next backup after `after` (NULL: the first) whose disk builds on the one given, or NULL. */
const char *vm_records_child(const VmRecords *records, const char *backup_id, uint32_t disk_key,
                             const char *after);
