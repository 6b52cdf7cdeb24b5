/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the methods that change nodes have in common: bus-node.c is for administrators, bus-enrol.c for the nodes themselves.
 */
#pragma once

#include "bus/bus-call.h"
#include "message-id.h"
#include "node/nodes.h"
#include "store/store-call.h"

#include <stdbool.h>

/* Hands a copy of request to the store; answer has a BusWait as its userdata. */
int bus_node_begin(Manager *manager, sd_bus_message *call, json_t *request, StoreWork work,
                   StoreAnswer answer, sd_bus_error *error);

/* After the commit: nodes_follow(), with wait as the userdata of done. */
void bus_node_follow(BusWait *wait, bool cut, NodesDone done);

/* One line for the journal: "Node NAME WHAT by PRINCIPAL". */
void bus_node_log(const BusWait *wait, MessageId id, const char *node, const char *what);

/* Refuses without a master key, or what is no public key. */
int bus_node_need_key(const Manager *manager, sd_bus_error *error);
int bus_node_read_key(const char *name, const char *text, sd_bus_error *error);
