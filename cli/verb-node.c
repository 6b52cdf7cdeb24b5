/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl node list|show|add|rotate|remove: the nodes of this hub. Bundles are made in node-bundle.c.
 */
#include "cleanup.h"
#include "columns.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "node-bundle.h"
#include "options.h"
#include "output.h"
#include "parse.h"

#include <string.h>

enum {
        EXPIRES_MIN_SEC = 60,
        EXPIRES_MAX_SEC = 30 * 86400,
};

static char *cell_yes(const json_t *object, const char *key)
{
        return strdup(json_is_true(json_object_get(object, key)) ? "yes" : "no");
}

static const Column node_columns[] = {
        { "ID", "Id", cell_number, true },
        { "NAME", "Name", cell_text, false },
        { "STATE", "State", cell_text, false },
        { "ANSWERS", "Reachable", cell_yes, false },
        { "LOCAL", "Local", cell_yes, false },
        { "PORT", "ReversePort", cell_number, true },
        { "TOKEN EXPIRES", "TokenExpiresUSec", cell_time, false },
        { "ENROLLED", "EnrolledUSec", cell_time, false },
        { "KEY", "KeyFingerprint", cell_text, false },
};

static const Column node_fields[] = {
        { "Id", "Id", cell_number, false },
        { "Name", "Name", cell_text, false },
        { "State", "State", cell_text, false },
        { "Answers", "Reachable", cell_yes, false },
        { "Because", "Error", cell_text, false },
        { "Last seen", "LastSeenUSec", cell_time, false },
        { "Version", "Version", cell_text, false },
        { "Tasks", "Tasks", cell_number, false },
        { "Owes to vCenter", "Obligations", cell_number, false },
        { "On this machine", "Local", cell_yes, false },
        { "Reverse port", "ReversePort", cell_number, false },
        { "Key", "KeyFingerprint", cell_text, false },
        { "Token expires", "TokenExpiresUSec", cell_time, false },
        { "Added", "CreatedUSec", cell_time, false },
        { "Enrolled", "EnrolledUSec", cell_time, false },
};

ExitStatus verb_node_list(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *list = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_ask("ListNodes", false, "aa{sv}", &list, "a{sv}", 0);
        return s == CTL_OK ? show_list(list, node_columns, ELEMENTSOF(node_columns),
                                       "There is no node. Add one: sendensectl node add NAME")
                           : s;
}

static ExitStatus get_node(const char *name, json_t **ret_node)
{
        return hub_ask("GetNode", false, "a{sv}", ret_node, "sa{sv}", name, 0);
}

ExitStatus verb_node_show(int argc, char *argv[])
{
        CLEANUP(json_decref_p) json_t *node = NULL;
        ExitStatus s;

        (void) argc;
        s = get_node(argv[0], &node);
        return s == CTL_OK ? show_object(node, node_fields, ELEMENTSOF(node_fields)) : s;
}

/* ── Bundles ── */

typedef struct Wanted {
        uint16_t reverse_port; /* 0: the hub chooses */
        uint64_t expires_sec; /* 0: the hub's default */
} Wanted;

static ExitStatus read_wanted(Wanted *ret_wanted)
{
        const char *port = option_value(OPTION_REVERSE_PORT);
        const char *expires = option_value(OPTION_EXPIRES);
        uint64_t usec = 0;

        if (option_is_given(OPTION_LOCAL) && (option_is_given(OPTION_HUB) || port || expires))
                return complain(CTL_USAGE, "--local takes no --hub=, --reverse-port= or "
                                           "--expires=: such a node needs no tunnel and no token");
        if (port && parse_port(port, &ret_wanted->reverse_port) < 0)
                return complain(CTL_USAGE, "--reverse-port= must be a port from 1 to 65535");
        if (expires && parse_span_usec(expires, EXPIRES_MIN_SEC * USEC_PER_SEC,
                                       EXPIRES_MAX_SEC * USEC_PER_SEC, &usec) < 0)
                return complain(CTL_USAGE, "--expires= must be a time from 1min to 30d");
        ret_wanted->expires_sec = usec / USEC_PER_SEC;
        return CTL_OK;
}

static int append_options(sd_bus_message *message, const Wanted *wanted)
{
        int r;

        r = sd_bus_message_open_container(message, 'a', "{sv}");
        if (r >= 0 && wanted->reverse_port > 0)
                r = sd_bus_message_append(message, "{sv}", "reverse_port", "q",
                                          wanted->reverse_port);
        if (r >= 0 && wanted->expires_sec > 0)
                r = sd_bus_message_append(message, "{sv}", "expires_sec", "t", wanted->expires_sec);
        if (r >= 0 && option_is_given(OPTION_LOCAL))
                r = sd_bus_message_append(message, "{sv}", "local", "b", 1);
        return r < 0 ? r : sd_bus_message_close_container(message);
}

/* AddNode and RotateNode alike. */
static ExitStatus send_token(const char *method, const char *name, const char *token,
                             const Wanted *wanted)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;
        int r;

        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, method, true, &message);
        if (s != CTL_OK)
                return s;
        r = sd_bus_message_append(message, "ss", name, token);
        if (r >= 0)
                r = append_options(message, wanted);
        return r < 0 ? hub_complain_arguments(r) : hub_call(bus, message, &reply);
}

static ExitStatus give_token(const char *method, const char *name, bool local)
{
        CLEANUP(bundle_done) Bundle bundle = {};
        CLEANUP(json_decref_p) json_t *node = NULL;
        char token[PUBLIC_KEY_TEXT_SIZE];
        Wanted wanted = {};
        ExitStatus s;

        s = read_wanted(&wanted);
        if (s == CTL_OK)
                s = node_bundle_prepare(&bundle, name, local, token);
        if (s == CTL_OK)
                s = send_token(method, name, token, &wanted);
        if (s != CTL_OK)
                return s;
        s = get_node(name, &node);
        if (s != CTL_OK)
                return complain(s,
                                "the hub has the node, but nobody has its bundle. Make another "
                                "one: sendensectl node rotate %s",
                                name);
        return node_bundle_give(&bundle, node);
}

ExitStatus verb_node_add(int argc, char *argv[])
{
        (void) argc;
        return give_token("AddNode", argv[0], option_is_given(OPTION_LOCAL));
}

ExitStatus verb_node_rotate(int argc, char *argv[])
{
        (void) argc;
        return give_token("RotateNode", argv[0], false);
}

ExitStatus verb_node_remove(int argc, char *argv[])
{
        ExitStatus s;

        (void) argc;
        if (option_is_given(OPTION_FORCE))
                s = hub_ask("RemoveNode", true, "", NULL, "sa{sv}", argv[0], 1, "force", "b", 1);
        else
                s = hub_ask("RemoveNode", true, "", NULL, "sa{sv}", argv[0], 0);
        return s == CTL_OK ? show_act("Removed", json_string(argv[0]),
                                      "node %s is removed, and its tunnel is cut", argv[0])
                           : s;
}
