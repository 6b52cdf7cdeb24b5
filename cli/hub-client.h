/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to the hub, and what to tell people when one fails. Used by all verbs that talk to the hub.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>
#include <systemd/sd-bus.h>

/* Connects to the system bus; complains when there is none. */
ExitStatus hub_connect(sd_bus **ret_bus);

/* A call of HUB_MANAGER_INTERFACE to be filled, *ret_message; complains when out of memory. Unless
 * may_start, the hub is not started for it. */
ExitStatus hub_new_call(sd_bus *bus, const char *method, bool may_start,
                        sd_bus_message **ret_message);

/* Sends it and waits. Complains, naming cause and remedy, when there is no good answer. */
ExitStatus hub_call(sd_bus *bus, sd_bus_message *message, sd_bus_message **ret_reply);

/* All properties of the Manager object as a JSON object, by their names on the bus. Needs no right and
 * never starts the hub. CTL_UNAVAILABLE without a complaint, but with *ret_reason (static), when the
 * hub does not run. */
ExitStatus hub_get_properties(sd_bus *bus, json_t **ret_properties, const char **ret_reason);

/* The dictionary a{sv} that comes next, as a JSON object: strings, numbers, booleans, and structures
 * and arrays of them. Complains about anything else. */
ExitStatus hub_read_dictionary(sd_bus_message *message, json_t **ret_object);
