/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Repositories in the database. All are StoreWork; request is a StoreRequest.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* {Name, Path, NowUSec} -> {Id}. Exists when name or path is taken. */
int store_repository_add(MYSQL *database, void *request);

/* {Limit?, After?: id} -> {Repositories: [{Id, Name, Path, RepositoryUuid?, CreatedUSec, Backups}]} */
int store_repository_list(MYSQL *database, void *request);

/* {Repository: name or id} -> {Id}. Busy while backups, jobs, policies or their runs refer to it. */
int store_repository_remove(MYSQL *database, void *request);

/* {Id, RepositoryUuid} -> {}. Exists when another repository has this marker. */
int store_repository_set_uuid(MYSQL *database, void *request);
