/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nft rules of a machine, as text: which local users may connect to which ports of loopback. Each role has a table of
 * its own, made and replaced in one transaction, so that no other table is ever touched. Pure.
 */
#pragma once

#include "hub-config.h"
#include "node-config.h"

#include <stdio.h>

#define FIREWALL_TABLE "sendense-" /* and the role */

/* The exports, and the ways back to the nodes. */
void rules_print_hub(FILE *file, const HubConfig *config);

/* The tunnel's ports when there is one, and the node's API. */
void rules_print_node(FILE *file, const NodeConfig *config);

/* The role's table is gone, if it was there. */
void rules_print_none(FILE *file, const char *role);
