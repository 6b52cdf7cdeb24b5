/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rebuilding the catalog from what a repository's files say. StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* Of a record: true says that its backup is being deleted, past the point of no return. Not a key of records themselves. */
#define CATALOG_IS_DELETING "is_deleting"

/* {RepositoryId, NowUSec, Records: [VM commit record]} -> {Added, Known, Problems: [text]}. Repeatable; the order
 * of the records is free. A problem: a record that does not fit the catalog, or whose parents are neither
 * there nor among the others. The newest record of a VM that the catalog did not know says what disks it
 * has. A backup that is being deleted, and by no job, is there as a damaged one: what builds on it is known then, and deleting it
 * again brings that to its end. */
int store_catalog_adopt(MYSQL *database, void *request);
