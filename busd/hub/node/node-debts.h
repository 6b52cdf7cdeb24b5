/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the nodes owe, for whoever cleans up: each enrolled node is asked, all at once, and told about in lines for people.
 */
#pragma once

#include <jansson.h>

typedef struct NodeLinks NodeLinks;

/* lines is borrowed: one for each snapshot that is owed and each node that cannot be asked. */
typedef void (*NodeDebtsDone)(const json_t *lines, void *userdata);

/* done is called once, later or at once when there is no node. -ENOMEM. The links outlive it. */
int node_debts_ask(NodeLinks *links, NodeDebtsDone done, void *userdata);
