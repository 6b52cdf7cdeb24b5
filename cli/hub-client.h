/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to the hub, and what to tell people when one fails. Used by all verbs that talk to the hub.
 */
#pragma once

#include "ctl.h"

#include <jansson.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* Connects to the system bus; complains when there is none. */
ExitStatus hub_connect(sd_bus **ret_bus);

/* A call of HUB_MANAGER_INTERFACE to be filled, *ret_message; complains when out of memory. Unless
 * may_start, the hub is not started for it. */
ExitStatus hub_new_call(sd_bus *bus, const char *method, bool may_start,
                        sd_bus_message **ret_message);

/* How long a call may take: longer for what is slow, and when somebody types a password. */
uint64_t hub_call_timeout_usec(sd_bus_message *message);

/* Sends it and waits. Complains, naming cause and remedy, when there is no good answer. */
ExitStatus hub_call(sd_bus *bus, sd_bus_message *message, sd_bus_message **ret_reply);

/* The complaint about an error that a call of method was answered with. */
ExitStatus hub_explain(const sd_bus_error *error, const char *method);

/* The answer as JSON, if it is of this type; complains about another. */
ExitStatus hub_read_answer(sd_bus_message *reply, const char *signature, json_t **ret_answer);

/* All of it: a call whose arguments are like those of sd_bus_message_append(), and its answer; ret_answer
 * may be NULL. hub_ask() has a connection of its own for it. */
ExitStatus hub_ask_on(sd_bus *bus, const char *method, bool may_start, const char *signature,
                      json_t **ret_answer, const char *types, ...);
ExitStatus hub_ask(const char *method, bool may_start, const char *signature, json_t **ret_answer,
                   const char *types, ...);

/* After a call was filled: r of sd-bus as a complaint. */
ExitStatus hub_complain_arguments(int r);

/* All properties of the Manager object as a JSON object, by their names on the bus. Needs no right and
 * never starts the hub. CTL_UNAVAILABLE without a complaint, but with *ret_reason (static), when the
 * hub does not run. */
ExitStatus hub_get_properties(sd_bus *bus, json_t **ret_properties, const char **ret_reason);
