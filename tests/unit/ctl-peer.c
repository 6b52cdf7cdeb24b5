/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A hub for the tests of sendensectl: it has the Manager interface and answers whatever the test wants
 * to see handled, also what a healthy hub never says. Started by ctl.sh on a bus of its own; what the
 * real hub answers is tested in tests/bus.
 *
 * Usage: ctl-peer NAME=VALUE...; the names are those of the properties. Error=NAME makes every method
 * fail with that error, Silent=yes makes it print "asked" and not answer at all. Answers=FOLDER answers
 * from the JSON in it, see ctl-peer-answers.h, which also says what the lines of standard input do. Prints
 * "ready" and lives until its standard input ends.
 */
#include "bus/bus-dict.h"
#include "cleanup.h"
#include "ctl-peer-answers.h"
#include "names.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

static char **arg_values;
static char log_level[32] = "info";

static const char *value_of(const char *name, const char *fallback)
{
        size_t n = strlen(name);

        for (char **p = arg_values; *p; p++)
                if (strncmp(*p, name, n) == 0 && (*p)[n] == '=')
                        return *p + n + 1;
        return strcmp(name, "LogLevel") == 0 ? log_level : fallback;
}

static uint32_t number_of(const char *name)
{
        return (uint32_t) strtoul(value_of(name, "1"), NULL, 10);
}

static int get_text(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) userdata, (void) error;
        return sd_bus_message_append(reply, "s", value_of(property, ""));
}

static int get_number(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) userdata, (void) error;
        return sd_bus_message_append(reply, "u", number_of(property));
}

static int get_ports(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        (void) bus, (void) path, (void) interface, (void) property, (void) userdata, (void) error;
        return sd_bus_message_append(reply, "(qq)", 10100, 10200);
}

/* 1 when the call was dealt with as the test wants. */
static int misbehave(sd_bus_message *call)
{
        const char *name = value_of("Error", "");

        if (*value_of("Silent", "")) {
                (void) puts("asked");
                (void) fflush(stdout);
                return 1;
        }
        return *name ? sd_bus_reply_method_errorf(call, name, "Because.") : 0;
}

static int get_status(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        (void) userdata;
        r = misbehave(call);
        if (r != 0)
                return r;
        r = bus_options_none(call, error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        if (*value_of("Strange", ""))
                r = sd_bus_message_append(reply, "a{sv}", 1, "Strange", "h", STDIN_FILENO);
        else
                r = sd_bus_message_append(
                                reply, "a{sv}", 11, "State", "s", value_of("State", ""), "Version",
                                "s", value_of("Version", ""), "Commit", "s", value_of("Commit", ""),
                                "BuildId", "s", value_of("BuildId", ""), "DatabaseState", "s",
                                value_of("DatabaseState", ""), "DatabaseError", "s",
                                value_of("DatabaseError", ""), "DatabaseSchema", "u",
                                number_of("DatabaseSchema"), "ProgramSchema", "u",
                                number_of("ProgramSchema"), "ExportPorts", "(qq)", 10100, 10200,
                                "ProcessId", "u", 4711, "LogLevel", "s", log_level);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int probe_database(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        int r;

        (void) userdata;
        r = misbehave(call);
        if (r == 0)
                r = bus_options_none(call, error);
        return r != 0 ? r : sd_bus_reply_method_return(call, "s", value_of("DatabaseState", ""));
}

static int set_log_level(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *level;
        int r;

        (void) userdata;
        r = misbehave(call);
        if (r != 0)
                return r;
        r = sd_bus_message_read(call, "s", &level);
        if (r >= 0)
                r = bus_options_none(call, error);
        if (r < 0)
                return r;
        (void) snprintf(log_level, sizeof(log_level), "%s", level);
        return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("Commit", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("BuildId", "s", get_text, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("DatabaseState", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("DatabaseSchema", "u", get_number, 0, 0),
        SD_BUS_PROPERTY("ProgramSchema", "u", get_number, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ExportPorts", "(qq)", get_ports, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_METHOD("GetStatus", "a{sv}", "a{sv}", get_status, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("ProbeDatabase", "a{sv}", "s", probe_database, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("SetLogLevel", "sa{sv}", "", set_log_level, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        static char buffer[8192];
        static size_t n;
        char *end;
        ssize_t m;
        int r;

        (void) events;
        m = read(fd, buffer + n, sizeof(buffer) - n - 1);
        if (m <= 0)
                return sd_event_exit(sd_event_source_get_event(source), 0);
        n += (size_t) m;
        buffer[n] = '\0';
        while ((end = memchr(buffer, '\n', n))) {
                *end = '\0';
                r = answers_do(userdata, buffer);
                if (r < 0)
                        (void) fprintf(stderr, "ctl-peer: %s: %s\n", buffer, strerror(-r));
                n -= (size_t) (end + 1 - buffer);
                memmove(buffer, end + 1, n);
        }
        return 0;
}

int main(int argc, char *argv[])
{
        CLEANUP(sd_event_unrefp) sd_event *event = NULL;
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        (void) argc;
        arg_values = argv + 1;
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, 1 /* EPOLLIN */, on_input, bus);
        if (r >= 0 && *value_of("Answers", ""))
                r = answers_register(bus, value_of("Answers", ""));
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, HUB_BUS_PATH, HUB_MANAGER_INTERFACE, vtable,
                                             NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, HUB_BUS_NAME, 0);
        if (r >= 0) {
                (void) puts("ready");
                (void) fflush(stdout);
                r = sd_event_loop(event);
        }
        if (r < 0)
                (void) fprintf(stderr, "ctl-peer: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
