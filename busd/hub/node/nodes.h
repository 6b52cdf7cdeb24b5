/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must follow the nodes in the database: the files by which sshd lets them in, and the sessions of those that may no longer.
 * The bus methods call it after each change, the manager when the database has come; what fails is tried again until it is
 * done. It also keeps the master key. One for each hub, in the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct NodeLinks NodeLinks;
typedef struct Nodes Nodes;
typedef struct Secret Secret;
typedef struct Store Store;
typedef struct Units Units;
typedef struct sd_event sd_event;

/* 0, or a negative errno and one line for people: what was not done, and that it is tried again. */
typedef void (*NodesDone)(int error, const char *text, void *userdata);

/* Reads the master key; a hub without one goes on, and logs why. All is borrowed. */
int nodes_new(sd_event *event, Store *store, Units *units, uint64_t health_usec, Nodes **ret_nodes);

/* The hub ends: what fails from now on is neither told nor tried again. NULL is none. */
void nodes_going_down(Nodes *nodes);

/* After the store and the units, which answer what is open. NULL. */
Nodes *nodes_free(Nodes *nodes);

/* NULL when there is none, or a broken one; why is then one line for people. */
const Secret *nodes_key(const Nodes *nodes);
const char *nodes_key_error(const Nodes *nodes);

/* How those that are enrolled are reached. */
NodeLinks *nodes_links(const Nodes *nodes);

/* The database has come (back): whatever happened meanwhile, the files are written and sessions without a key are cut. */
void nodes_database_ready(Nodes *nodes);

/* The files as the database has them, durably; with cut, also no session is left whose key is not in them. Errors as
 * store_call(); then done is not called. */
int nodes_follow(Nodes *nodes, bool cut, NodesDone done, void *userdata);
