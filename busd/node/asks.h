/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions about a vCenter that belong to no job: each is a unit, sendense-vsphere-<slot>-ask.service, and its caller waits for the
 * answer. Nothing of them is in the ledger: after a restart of the node the caller has an error, and the unit is stopped with
 * whatever else is left over.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct Asks Asks;
typedef struct Node Node;
typedef struct Secret Secret;
typedef struct UnitState UnitState;

enum {
        ASKS_MAX = 60, /* open: at work or waiting for their turn */
        ASKS_RUNNING_MAX = 4, /* at work */
        ASK_ANSWER_MAX = 3 * 1024 * 1024, /* bytes of JSON; the hub reads 4 MiB of HTTP */
};

/* The node is borrowed. */
int asks_new(Node *node, Asks **ret_asks);

/* After the node's units, which answer what is open. NULL in, NULL out. */
Asks *asks_free(Asks *asks);

/* Begins one; call, which says what is asked in its words, is answered later. fd is a sealed memfd and stays the caller's. */
int asks_begin(Asks *asks, sd_bus_message *call, const char *question, int fd,
               const char *principal, sd_bus_error *error);

/* The password that the unit may have (borrowed), or NULL. */
const Secret *asks_password(const Asks *asks, const char *unit);

/* Whether the unit belongs to a question that is at work. */
bool asks_has_unit(const Asks *asks, const char *unit);

/* News of a unit that may be one of them. */
void asks_on_unit(Asks *asks, const char *unit, const UnitState *state);
