/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl log-level and database probe: small acts of the hub.
 */
#include "cleanup.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "output.h"

#include <string.h>

/* One "key: value" as JSON or plain. */
static ExitStatus print_pair(const char *key, const char *value)
{
        CLEANUP(json_decref_p) json_t *pair = NULL;

        if (!arg_json) {
                output_line("%s", value);
                return CTL_OK;
        }
        pair = json_pack("{s:s}", key, value);
        if (!pair || output_json(pair) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return CTL_OK;
}

ExitStatus verb_log_level(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        ExitStatus s;

        (void) argc;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "SetLogLevel", true, &message);
        if (s != CTL_OK)
                return s;
        if (sd_bus_message_append(message, "sa{sv}", argv[0], 0) < 0)
                return complain(CTL_USAGE, "'%s' cannot be sent: it is not UTF-8 text", argv[0]);
        s = hub_call(bus, message, &reply);
        return s == CTL_OK ? print_pair("LogLevel", argv[0]) : s;
}

ExitStatus verb_database_probe(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        const char *state;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "ProbeDatabase", true, &message);
        if (s != CTL_OK)
                return s;
        if (sd_bus_message_append(message, "a{sv}", 0) < 0)
                return complain(CTL_FAILED, "Out of memory");
        s = hub_call(bus, message, &reply);
        if (s != CTL_OK)
                return s;
        if (sd_bus_message_read(reply, "s", &state) <= 0)
                return complain(CTL_FAILED,
                                "the hub's answer cannot be read. Compare: sendensectl version");

        s = print_pair("DatabaseState", state);
        if (s != CTL_OK)
                return s;
        return strcmp(state, "ready") == 0 ? CTL_OK : CTL_NOT_WELL;
}
