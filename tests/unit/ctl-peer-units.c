/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A systemd for the test of "sendensectl doctor": has the name and the units that the test wants, and
 * their three states, and whether it is enabled.
 *
 * Usage: ctl-peer-units UNIT=LOAD,ACTIVE,SUB[,FILE]...; prints "ready" and lives until its standard input ends.
 */
#include "cleanup.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define UNIT_PREFIX "/org/freedesktop/systemd1/unit"

static char **arg_units;

/* The n-th word after "UNIT=". */
static int get_state(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        static const char *const properties[] = { "LoadState", "ActiveState", "SubState",
                                                  "UnitFileState" };
        _cleanup_free_ char *unit = NULL, *word = NULL;
        const char *p = NULL;
        int r;

        (void) bus, (void) interface, (void) userdata, (void) error;
        r = sd_bus_path_decode(path, UNIT_PREFIX, &unit);
        if (r <= 0 || !unit)
                return r < 0 ? r : -ENOENT;
        for (char **q = arg_units; *q && !p; q++)
                if (strncmp(*q, unit, strlen(unit)) == 0 && (*q)[strlen(unit)] == '=')
                        p = *q + strlen(unit) + 1;
        if (!p)
                p = "not-found,inactive,dead,";
        for (size_t i = 0; i < ELEMENTSOF(properties) && strcmp(properties[i], property) != 0; i++)
                p += strcspn(p, ",") + (strchr(p, ',') != NULL);
        word = strndup(p, strcspn(p, ","));
        return word ? sd_bus_message_append(reply, "s", word) : -ENOMEM;
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("LoadState", "s", get_state, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("ActiveState", "s", get_state, 0, 0),
        SD_BUS_PROPERTY("SubState", "s", get_state, 0, 0),
        SD_BUS_PROPERTY("UnitFileState", "s", get_state, 0, 0),
        SD_BUS_VTABLE_END,
};

/* Those whose second word is "failed", whatever is asked for. */
static int on_list(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = sd_bus_message_new_method_return(m, &reply);

        (void) userdata, (void) error;
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssssssouso)");
        for (char **q = arg_units; *q && r >= 0; q++) {
                _cleanup_free_ char *unit = strndup(*q, strcspn(*q, "="));

                if (!unit)
                        return -ENOMEM;
                if (strstr(*q, "=loaded,failed,"))
                        r = sd_bus_message_append(reply, "(ssssssouso)", unit, "", "loaded",
                                                  "failed", "failed", "", "/", 0, "", "/");
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("ListUnitsByPatterns", "asas", "a(ssssssouso)", on_list,
                      SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        (void) fd, (void) events, (void) userdata;
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

int main(int argc, char *argv[])
{
        CLEANUP(sd_event_unrefp) sd_event *event = NULL;
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        (void) argc;
        arg_units = argv + 1;
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, 1 /* EPOLLIN */, on_input, NULL);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, UNIT_PREFIX,
                                               "org.freedesktop.systemd1.Unit", vtable, NULL, NULL);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/systemd1",
                                             "org.freedesktop.systemd1.Manager", manager_vtable,
                                             NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
        if (r >= 0) {
                (void) puts("ready");
                (void) fflush(stdout);
                r = sd_event_loop(event);
        }
        if (r < 0)
                (void) fprintf(stderr, "ctl-peer-units: %s\n", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
