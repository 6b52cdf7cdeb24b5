/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * News of units and what is left of them: to which task they belong, and the end of those that belong to none any more.
 */
#pragma once

typedef struct Node Node;
typedef struct UnitState UnitState;

/* For units_new(); userdata is the node. */
void node_units_on_unit(const char *unit, const UnitState *state, void *userdata);

/* Stops units, slices and files of steps that are over: the daemon died before it could. */
void node_units_tidy(Node *node);
