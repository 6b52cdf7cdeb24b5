/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to the node of this machine, and what to tell people when one fails. The hub's are in hub-client.h, whose
 * connection serves both.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>
#include <systemd/sd-bus.h>

/* A call of NODE_MANAGER_INTERFACE with arguments as for sd_bus_message_append(), and its answer, if it is of that
 * type; ret_answer may be NULL. Has a connection of its own, never starts the node, and complains. */
ExitStatus node_ask(const char *method, const char *signature, json_t **ret_answer,
                    const char *types, ...);

/* All properties of the node's Manager by their names on the bus, or NULL when it does not run or says nothing. */
json_t *node_get_properties(sd_bus *bus);
