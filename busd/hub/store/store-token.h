/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tokens of the hub's HTTP API, of which the database has digests alone. All store_… are StoreWork; request is a StoreRequest. A
 * token that was revoked keeps its name, because the history says it.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* {Name, Sha256 (64 hex digits), Roles ("inspect,backup"), ExpiresUSec?, Principal, NowUSec} -> {Id}. Exists. */
int store_token_create(MYSQL *database, void *request);

/* {NowUSec} -> {Tokens: [{Id, Name, Roles, State (valid, expired, revoked), CreatedBy, CreatedUSec, ExpiresUSec?, RevokedUSec?}]}, by
 * name. */
int store_token_list(MYSQL *database, void *request);

/* {Token: name or id, NowUSec} -> {Id, Name}: also one that is revoked already. */
int store_token_revoke(MYSQL *database, void *request);

/* {Sha256, NowUSec} -> {Id, Name, Roles, ExpiresUSec?} of one that is valid. Unauthorized. */
int store_token_find(MYSQL *database, void *request);
