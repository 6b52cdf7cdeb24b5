/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rebuilding the catalog from what a repository's files say. StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* Of a record: true says that its backup is being deleted, past the point of no return. Not a key of records themselves. */
#define CATALOG_IS_DELETING "is_deleting"

/* Of a record: true says that something is wrong with its backup. Not a key of records themselves. */
#define CATALOG_IS_FLAWED "is_flawed"

/* {RepositoryId, BegunUSec, NowUSec, Records: [VM commit record]} -> {Added, Known, Problems: [text]}. Repeatable; the order
 * of the records is free. A problem: a record that does not fit the catalog, or whose parents are neither
 * there nor among the others. A backup that was deleted before the list of the records was begun, and is there again without a flaw, is
 * added: it counts as one that nobody has verified. The newest record of a VM that the catalog did not know says what disks it
 * has. A backup that is being deleted, and by no job, is there as a damaged one: what builds on it is known then, and deleting it
 * again brings that to its end. */
int store_catalog_adopt(MYSQL *database, void *request);
