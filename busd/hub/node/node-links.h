/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the hub reaches the nodes that are enrolled: the HTTP API of each, through its tunnel or on this machine, with the token
 * that was made for it. Each is asked for its health now and then, so that a node that is away is known before a backup needs
 * it. Nothing here decides anything about jobs.
 */
#pragma once

#include "http/http-client.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

typedef struct NodeLinks NodeLinks;
typedef struct Secret Secret;
typedef struct Store Store;

/* What is asked of one node. */
typedef struct NodeQuestion {
        const char *method, *path; /* "/api/v1/…" */
        const json_t *body; /* NULL: none */
        uint64_t timeout_usec;
        HttpAnswered done; /* as in http-client.h; why names the node and what can be done */
        void *userdata;
} NodeQuestion;

/* Asks for health every health_usec. All is borrowed; key may be NULL, then no node can be asked. */
int node_links_new(sd_event *event, Store *store, const Secret *key, uint64_t health_usec,
                   NodeLinks **ret_links);

/* After the store. What is open is answered with -ECANCELED, and nothing may be asked then. NULL in, NULL out. */
NodeLinks *node_links_free(NodeLinks *links);
DEFINE_CLEANUP(NodeLinks *, node_links_free)

/* answers is told whenever a node answers that did not before. */
typedef void (*NodeAnswers)(uint64_t id, void *userdata);
void node_links_watch_answers(NodeLinks *links, NodeAnswers answers, void *userdata);

/* The nodes of the database, and their tokens, are read anew; each is asked for its health. done (may be NULL) is called once, when they
 * were read or cannot be, perhaps before this returns. */
typedef void (*NodeLinksRead)(void *userdata);
void node_links_reload(NodeLinks *links, NodeLinksRead done, void *userdata);

/* Adds what is known of the link to the dict of the node id: Reachable, LastSeenUSec, Version, NodeState, Tasks, Obligations,
 * Tunnel, Error. */
int node_links_add_live(const NodeLinks *links, uint64_t id, json_t *dict);

/* Whether the node says of itself that it has this feature, as it last told. 0: it does not; -EAGAIN: it has told nothing yet. */
int node_links_knows(const NodeLinks *links, uint64_t id, const char *feature);

/* Called in the loop whenever something that they show may have changed: for each look at a node's health once, and when the nodes were
 * read. At most one can be told. */
typedef void (*NodeLinksChanged)(void *userdata);
void node_links_watch(NodeLinks *links, NodeLinksChanged fn, void *userdata);

/* Id, Name, Local, State, ReversePort, Protocol, Features and what node_links_add_live() adds, of each node that was added, enrolled or
 * not; the caller's. NULL: no memory. */
json_t *node_links_describe(const NodeLinks *links);

/* The ids of those that answered when they were last asked; the caller's. */
json_t *node_links_reachable(const NodeLinks *links);

/* Calls each(id, name) for every node that is enrolled. */
void node_links_each(const NodeLinks *links,
                     void (*each)(uint64_t id, const char *name, void *userdata), void *userdata);

/* Nobody answered, or somebody who cannot at present: the same question later may be answered. */
bool node_answer_is_lost(const HttpAnswer *answer);

/* -ENOENT: no such node, or not enrolled; -EAGAIN: the nodes have not been read yet. -ENOKEY: its token cannot be read. */
int node_links_ask(NodeLinks *links, uint64_t id, const NodeQuestion *question);
