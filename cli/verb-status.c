/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendensectl status: what the hub says of itself, for people or as the JSON of what it answered.
 */
#include "cleanup.h"
#include "ctl.h"
#include "hub-client.h"
#include "json-cleanup.h"
#include "output.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *status, const char *name)
{
        return json_string_value(json_object_get(status, name)) ?: "unknown";
}

static json_int_t number_of(const json_t *status, const char *name)
{
        return json_integer_value(json_object_get(status, name));
}

static void print_since(json_int_t started_usec)
{
        time_t at = (time_t) (started_usec / (json_int_t) USEC_PER_SEC);
        char text[64];
        struct tm tm;

        if (started_usec > 0 && localtime_r(&at, &tm) &&
            strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %Z", &tm) > 0)
                (void) printf(", since %s", text);
}

static void print_status(const json_t *status)
{
        const json_t *ports = json_object_get(status, "ExportPorts");
        const char *error = text_of(status, "DatabaseError");
        json_int_t schema = number_of(status, "DatabaseSchema");

        (void) printf("      Hub: %s", text_of(status, "State"));
        if (number_of(status, "ProcessId") > 0)
                (void) printf(", process %" JSON_INTEGER_FORMAT, number_of(status, "ProcessId"));
        print_since(number_of(status, "StartedUSec"));
        (void) printf("\n  Version: %s (commit %s, build-id %s)\n", text_of(status, "Version"),
                      text_of(status, "Commit"), text_of(status, "BuildId"));
        (void) printf(" Database: %s", text_of(status, "DatabaseState"));
        if (schema > 0)
                (void) printf(", schema %" JSON_INTEGER_FORMAT, schema);
        (void) printf(schema != number_of(status, "ProgramSchema")
                                      ? ", the hub needs schema %" JSON_INTEGER_FORMAT "\n"
                                      : "\n",
                      number_of(status, "ProgramSchema"));
        if (*error)
                (void) printf("           %s\n", error);
        (void) printf("  Exports: ports %" JSON_INTEGER_FORMAT "-%" JSON_INTEGER_FORMAT "\n",
                      json_integer_value(json_array_get(ports, 0)),
                      json_integer_value(json_array_get(ports, 1)));
        (void) printf("Log level: %s\n", text_of(status, "LogLevel"));
}

ExitStatus verb_status(int argc, char *argv[])
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL, *reply = NULL;
        CLEANUP(json_decref_p) json_t *status = NULL;
        ExitStatus s;

        (void) argc, (void) argv;
        s = hub_connect(&bus);
        if (s == CTL_OK)
                s = hub_new_call(bus, "GetStatus", false, &message);
        if (s != CTL_OK)
                return s;
        if (sd_bus_message_append(message, "a{sv}", 0) < 0)
                return complain(CTL_FAILED, "Out of memory");
        s = hub_call(bus, message, &reply);
        if (s == CTL_OK)
                s = hub_read_dictionary(reply, &status);
        if (s != CTL_OK)
                return s;

        if (!arg_json)
                print_status(status);
        else if (output_json(status) < 0)
                return complain(CTL_FAILED, "Out of memory");
        return strcmp(text_of(status, "State"), "running") == 0 ? CTL_OK : CTL_NOT_WELL;
}
