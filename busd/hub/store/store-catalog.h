/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rebuilding the catalog from what a repository's files say. StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* {RepositoryId, Records: [VM commit record]} -> {Added, Known, Problems: [text]}. Repeatable. A record
 * whose parents are not there is a problem; it must come after them. */
int store_catalog_adopt(MYSQL *database, void *request);
