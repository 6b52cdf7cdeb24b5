/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One backup by its id. store_… is StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* How large the layer of a row b of backup_disks is, to everybody but its record: what it takes up. */
#define STORED_BYTES "COALESCE(b.stored_bytes, b.size_bytes)"

/* {BackupId} -> as store_job_get() of the job that makes, made or did not make it, with RepositoryPath, Damaged and Problems. NotFound. */
int store_backup_get(MYSQL *database, void *request);
