/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of those that the hub's sshd lets in (node-keys.h), as the database has them. Written in the worker's thread, where
 * syncing may take its time and nothing can change the rows meanwhile.
 */
#pragma once

typedef struct st_mysql MYSQL;

/* A StoreWork; request is a StoreRequest. {Folder, NowUSec} -> {Nodes, Tokens: how many, NextExpiryUSec: when the first token ends,
 * 0 for none}. Durable when it succeeds. A file that cannot be written is refused as Failed, and keeps its content. */
int store_node_files_write(MYSQL *database, void *request);
