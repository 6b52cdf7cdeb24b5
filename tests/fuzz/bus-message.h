/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random bus messages for fuzz-bus.c, to the daemon that bus-target.h describes: valid enough that the bus delivers them, wrong in every other
 * way. All randomness comes from one seed. Every function ends the program when out of memory.
 */
#pragma once

#include <stdint.h>

typedef struct sd_bus sd_bus;
typedef struct sd_bus_message sd_bus_message;

typedef struct BusTarget BusTarget;

/* Whom the messages are for; before any of them. */
void bus_message_target(const BusTarget *target);

void random_seed(uint64_t seed);
unsigned random_below(unsigned limit);

/* A method call, signal or reply that nobody asked for. The caller unrefs. */
sd_bus_message *bus_message_random(sd_bus *bus);

/* A method call that expects a reply. */
sd_bus_message *bus_message_random_call(sd_bus *bus);

/* A call as large as a system bus lets through. */
sd_bus_message *bus_message_at_limit(sd_bus *bus);
