/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tasks that a node holds: which there are, which make room, how they come back from the ledger, and the secrets that
 * systemd has kept for them. node.h has what the other rooms ask for.
 */
#pragma once

typedef struct Node Node;

/* Takes all that the ledger has; what cannot be read is told. */
int node_tasks_read(Node *node);

/* A secret that systemd has kept under that name; the descriptor is taken. */
void node_tasks_take_kept(Node *node, const char *name, int fd);
