/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls of the node for requests (see node-call.h).
 */
#include "node-call.h"

#include "bus/bus-error.h"
#include "bus/bus-snake.h"
#include "bus/bus-value.h"
#include "cleanup.h"
#include "http/http-error.h"
#include "json-cleanup.h"

#include <errno.h>
#include <string.h>

enum {
        CALL_TIMEOUT_SEC = 25,
        SLOW_TIMEOUT_SEC = 370, /* above three times the largest AskSec= */
};

typedef struct NodeCall {
        HttpRequest *request;
        unsigned status;
        NodeShape shape;
} NodeCall;

const sd_bus_error node_answer_unknown =
                SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_INCONSISTENT_MESSAGE,
                                        "The node answered what this program does not understand. "
                                        "Compare their versions.");

void node_call_refuse(HttpRequest *request, const sd_bus_error *error)
{
        const char *text = error->message ?: bus_error_sentence(error->name);
        unsigned status = http_error_status(error->name);

        if (strcmp(error->name, SD_BUS_ERROR_SERVICE_UNKNOWN) == 0 ||
            strcmp(error->name, SD_BUS_ERROR_NAME_HAS_NO_OWNER) == 0)
                text = "The node does not run. Start it: systemctl start sendense-node.service";
        http_request_refuse(request, status, error->name, "%s",
                            text ?: "It failed without a reason.");
}

const sd_bus_error *node_reply_error(sd_bus_message *reply, sd_bus_error *space)
{
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        if (!error)
                return NULL;
        *space = *error;
        space->name = http_error_name(sd_bus_message_get_sender(reply), error->name);
        return space;
}

static void refuse_errno(HttpRequest *request, int r)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_set_errno(&error, r);
        node_call_refuse(request, &error);
}

json_t *node_read(sd_bus_message *reply)
{
        CLEANUP(json_decref_p) json_t *value = NULL;

        if (bus_value_read(reply, &value) < 0 || bus_snake_names(value) < 0)
                return NULL;
        return TAKE(value);
}

json_t *node_shape_plain(sd_bus_message *reply, HttpRequest *request)
{
        (void) request;
        return node_read(reply);
}

int node_call_new(sd_bus *bus, const char *method, sd_bus_message **ret_call)
{
        return sd_bus_message_new_method_call(bus, ret_call, NODE_BUS_NAME, NODE_BUS_PATH,
                                              NODE_MANAGER_INTERFACE, method);
}

static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error)
{
        const NodeCall *call = userdata;
        sd_bus_error space;
        const sd_bus_error *error = node_reply_error(reply, &space);
        json_t *body;

        (void) ret_error;
        if (error) {
                node_call_refuse(call->request, error);
                return 0;
        }
        body = call->shape(reply, call->request);
        if (json_is_null(body))
                http_request_refuse(call->request, 404, BUS_ERROR_NOT_FOUND,
                                    "The answer of the node has nothing of that name.");
        else if (body)
                http_request_answer(call->request, call->status, body);
        else
                node_call_refuse(call->request, &node_answer_unknown);
        return 0;
}

static void send_within(unsigned seconds, HttpRequest *request, sd_bus *bus, sd_bus_message *call,
                        int r, unsigned status, NodeShape shape)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *owned = call;
        sd_bus_slot *slot = NULL;
        NodeCall *waiting = NULL;

        if (r >= 0) {
                waiting = malloc(sizeof(*waiting));
                r = waiting ? 0 : -ENOMEM;
        }
        if (r >= 0) {
                *waiting = (NodeCall){ .request = request, .status = status, .shape = shape };
                r = sd_bus_call_async(bus, &slot, owned, on_reply, waiting,
                                      seconds * UINT64_C(1000000));
        }
        if (r < 0) {
                free(waiting);
                refuse_errno(request, r);
                return;
        }
        /* The slot lives as long as the bus waits, and takes what belongs to it along. */
        (void) sd_bus_slot_set_destroy_callback(slot, free);
        (void) sd_bus_slot_set_floating(slot, true);
        sd_bus_slot_unref(slot);
}

void node_call_send(HttpRequest *request, sd_bus *bus, sd_bus_message *call, int r, unsigned status,
                    NodeShape shape)
{
        send_within(CALL_TIMEOUT_SEC, request, bus, call, r, status, shape);
}

void node_call_send_slow(HttpRequest *request, sd_bus *bus, sd_bus_message *call, int r,
                         unsigned status, NodeShape shape)
{
        send_within(SLOW_TIMEOUT_SEC, request, bus, call, r, status, shape);
}
