/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nodes in the database: how they come and go. All store_… are StoreWork; request is a StoreRequest. A node that was
 * removed is none to any of them.
 */
#pragma once

#include <stdint.h>

typedef struct StoreRequest StoreRequest;
typedef struct st_mysql MYSQL;

/* {Name, Local, TokenKey, ExpiresUSec, ReversePort?, FirstPort, LastPort, NowUSec} -> {Id}; a local one has no token.
 * Exists: the name, the port or the key is taken; PortsExhausted. */
int store_node_add(MYSQL *database, void *request);

/* {Node: name or id, TokenKey, ExpiresUSec} -> {Id, Name}: another token; its key stays good. */
int store_node_rotate(MYSQL *database, void *request);

/* {Node, Force, NowUSec} -> {Id, Name}. Busy while jobs are at work there or something is owed there, unless Force. The row stays,
 * without its keys and its secret. */
int store_node_remove(MYSQL *database, void *request);

/* {} -> {Nodes: [row...]}, by name. A row: {Id, Name, IsLocal, ReversePort, PublicKey?, TokenExpiresUSec?, CreatedUSec,
 * EnrolledUSec?}; the token's end only while it is open. */
int store_node_list(MYSQL *database, void *request);

/* {} -> {Nodes: [{Id, Name, IsLocal, ReversePort, TokenSealed?}]}: how they are reached; one that is not enrolled has no token. */
int store_node_links(MYSQL *database, void *request);

/* {Node} -> row */
int store_node_get(MYSQL *database, void *request);

/* {TokenKey, PublicKey, TokenSealed, NowUSec}, or {Node, TokenSealed, NowUSec} for a local one -> {Id, Name, ReversePort, IsAgain,
 * HadKey, TokenSealed}. IsAgain: nothing was changed, TokenSealed is the one from before. TokenInvalid. */
int store_node_enrol(MYSQL *database, void *request);

/* A key is of one node, and of one use: who may forward must never enrol by the same key, nor the other way round. Refuses one
 * that is known, but for the own key of the node may_have_id. For the other rooms of the store. */
int node_refuse_known_key(MYSQL *database, StoreRequest *request, const char *key,
                          uint64_t may_have_id);
