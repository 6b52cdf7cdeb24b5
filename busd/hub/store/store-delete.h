/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of backups that are deleted, and of the chains that they leave. store_… is StoreWork; request is a StoreRequest.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>

typedef struct StoreRequest StoreRequest;
typedef struct st_mysql MYSQL;

/* What is wrong with a backup whose deletion was given up, or is known from its repository alone: nobody knows what is left of it. */
#define DELETE_BEGUN_TEXT      "its deletion was begun, and "
#define DELETE_FORGIVEN_TEXT   DELETE_BEGUN_TEXT "given up by hand"
#define DELETE_UNFINISHED_TEXT DELETE_BEGUN_TEXT "is not at its end; deleting it again ends it"

/* LastBackup: no other sound backup of its VM would be left. backup is {Id, Vm}. */
int delete_refuse_last(MYSQL *database, StoreRequest *request, const json_t *backup);

/* What follows from the end of a deletion, {Id, NowUSec, WorkResult}: its backup is history, what built on it builds on what
 * that built on, and the next backup of each disk starts from the newest one that is left. May be repeated. */
int delete_rows(MYSQL *database, const json_t *in);

/* The change ids that are shown of the disks of a backup follow from the newest backup that is there. For store-catalog.c, too. */
int disks_set_change_ids(MYSQL *database, uint64_t job_id);

/* {Vm, Limit} -> {Layers: [{Key, BackupId, ParentBackupId?, BackupType, CreatedUSec, CapacityBytes, SizeBytes?, Repository, Job,
 * VerifiedUSec?, DamagedUSec?}]}: by disk and time, the oldest first. -> also {Vm, ContextId, IsWhole}. */
int store_chain_get(MYSQL *database, void *request);
