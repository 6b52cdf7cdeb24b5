/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The node as sendensectl sees it (see node-client.h).
 */
#include "node-client.h"

#include "bus/bus-error.h"
#include "bus/bus-value.h"
#include "cleanup.h"
#include "hub-client.h"
#include "names.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define NODE_UNIT "sendense-node.service"

enum {
        PROPERTIES_TIMEOUT_USEC = 5 * 1000 * 1000, /* status is about the hub, too */
};

static bool is_away(const sd_bus_error *error)
{
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

static ExitStatus node_explain(const sd_bus_error *error)
{
        const char *name = error->name ?: "?";
        const char *message = error->message ?: bus_error_sentence(name) ?: name;

        if (is_away(error))
                return complain(CTL_UNAVAILABLE,
                                "the node does not run here. Start it: systemctl start " NODE_UNIT
                                " (%s)",
                                message);
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                return complain(CTL_UNAVAILABLE,
                                "the node did not answer: %s. Its journal says why: journalctl "
                                "-xeu " NODE_UNIT,
                                message);
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED))
                return complain(CTL_DENIED,
                                "%s. Be root, or get the right from polkit: see SECURITY in "
                                "sendensectl(1)",
                                message);
        return complain(CTL_FAILED, "the node refuses: %s%s", message,
                        strcmp(name, BUS_ERROR_NOT_FOUND) == 0
                                        ? " List its tasks: sendensectl task list"
                                        : "");
}

static int new_call(sd_bus *bus, const char *interface, const char *method,
                    sd_bus_message **ret_message)
{
        int r;

        r = sd_bus_message_new_method_call(bus, ret_message, NODE_BUS_NAME, NODE_BUS_PATH,
                                           interface, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(*ret_message, false);
        return r;
}

static ExitStatus call(sd_bus *bus, sd_bus_message *message, sd_bus_message **ret_reply)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        (void) sd_bus_message_set_allow_interactive_authorization(message, isatty(STDIN_FILENO));
        r = sd_bus_call(bus, message, hub_call_timeout_usec(message), &error, ret_reply);
        if (r >= 0)
                return CTL_OK;
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_set_errno(&error, r);
        return node_explain(&error);
}

ExitStatus node_ask(const char *method, const char *signature, json_t **ret_answer,
                    const char *types, ...)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;
        va_list ap;
        int r;

        s = hub_connect(&bus);
        if (s != CTL_OK)
                return s;
        r = new_call(bus, NODE_MANAGER_INTERFACE, method, &message);
        if (r >= 0) {
                va_start(ap, types);
                r = sd_bus_message_appendv(message, types, ap);
                va_end(ap);
        }
        if (r < 0)
                return hub_complain_arguments(r);
        s = call(bus, message, &reply);
        if (s != CTL_OK || !ret_answer)
                return s;
        if (!sd_bus_message_has_signature(reply, signature) ||
            bus_value_read(reply, ret_answer) < 0)
                return complain(CTL_FAILED, "the node's answer cannot be read. Compare: "
                                            "sendensectl version");
        return CTL_OK;
}

json_t *node_get_properties(sd_bus *bus)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        json_t *properties = NULL;
        int r;

        r = new_call(bus, "org.freedesktop.DBus.Properties", "GetAll", &message);
        if (r >= 0)
                r = sd_bus_message_append(message, "s", NODE_MANAGER_INTERFACE);
        if (r >= 0)
                r = sd_bus_call(bus, message, PROPERTIES_TIMEOUT_USEC, NULL, &reply);
        if (r >= 0 && sd_bus_message_has_signature(reply, "a{sv}"))
                (void) bus_value_read(reply, &properties);
        return properties;
}
