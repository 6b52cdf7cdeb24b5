/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A request of HTTP as a call of the node on the bus, and its answer as JSON. Holds no logic of its own: one table
 * turns errors of the bus into status codes.
 */
#pragma once

#include "http/http-server.h"
#include "names.h"

#include <jansson.h>
#include <systemd/sd-bus.h>

/* A call of the node's manager to be filled. */
int node_call_new(sd_bus *bus, const char *method, sd_bus_message **ret_call);

/* What becomes of a good answer: JSON for the body (taken), null when what was asked for is not in it, or NULL when there is no memory. */
typedef json_t *(*NodeShape)(sd_bus_message *reply, HttpRequest *request);

/* Sends call (taken), in which r is what filling it came to; answers the request in the end. */
void node_call_send(HttpRequest *request, sd_bus *bus, sd_bus_message *call, int r, unsigned status,
                    NodeShape shape);

/* The same for what the node itself ends in its own time, which may be minutes. */
void node_call_send_slow(HttpRequest *request, sd_bus *bus, sd_bus_message *call, int r,
                         unsigned status, NodeShape shape);

/* The error of a reply, under the name that a client gets; NULL: it has none. */
const sd_bus_error *node_reply_error(sd_bus_message *reply, sd_bus_error *space);

/* Answers with the error. */
void node_call_refuse(HttpRequest *request, const sd_bus_error *error);

/* What is said, with 502, of an answer that no reader here takes. */
extern const sd_bus_error node_answer_unknown;

/* The next value of the reply, with the names of JSON; and as it stands, for a body. */
json_t *node_read(sd_bus_message *reply);
json_t *node_shape_plain(sd_bus_message *reply, HttpRequest *request);
