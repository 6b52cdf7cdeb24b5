/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PID 1 for tests on a private bus: takes RestartUnit() and ends its job when the test says so. tests/bus/nodes.bash starts it;
 * the real one is in the lab.
 *
 * Standard input: "auto" (each job ends at once, from now on), "hold" (none does), "missing" (there is no such unit), "end
 * RESULT" (all that wait). Standard output: "ready", then "restart UNIT" for each job.
 */
#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER      "org.freedesktop.systemd1.Manager"

typedef enum Mode {
        MODE_AUTO,
        MODE_HOLD,
        MODE_MISSING,
} Mode;

static Mode mode;
static uint32_t n_jobs, n_ended;
static char unit[256];

static void say(const char *line)
{
        (void) printf("%s\n", line);
        (void) fflush(stdout);
}

static int end_jobs(sd_bus *bus, const char *result)
{
        int r = 0;

        while (r >= 0 && n_ended < n_jobs) {
                char path[64];

                n_ended++;
                (void) snprintf(path, sizeof(path), MANAGER_PATH "/job/%" PRIu32, n_ended);
                r = sd_bus_emit_signal(bus, MANAGER_PATH, MANAGER, "JobRemoved", "uoss", n_ended,
                                       path, unit, result);
        }
        return r;
}

static int on_restart(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        const char *name, *how;
        char path[64], line[300];
        int r = sd_bus_message_read(call, "ss", &name, &how);

        (void) userdata;
        if (r < 0)
                return r;
        if (mode == MODE_MISSING)
                return sd_bus_error_setf(error, "org.freedesktop.systemd1.NoSuchUnit",
                                         "Unit %s not found.", name);
        (void) snprintf(unit, sizeof(unit), "%s", name);
        n_jobs++;
        (void) snprintf(path, sizeof(path), MANAGER_PATH "/job/%" PRIu32, n_jobs);
        r = sd_bus_reply_method_return(call, "o", path);
        (void) snprintf(line, sizeof(line), "restart %s", name);
        say(line);
        if (r >= 0 && mode == MODE_AUTO)
                r = end_jobs(sd_bus_message_get_bus(call), "done");
        return r;
}

static int on_subscribe(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        (void) userdata, (void) error;
        return sd_bus_reply_method_return(call, "");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("RestartUnit", "ss", "o", on_restart, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
        SD_BUS_VTABLE_END,
};

static int obey(sd_bus *bus, const char *line)
{
        static const char *const modes[] = { "auto", "hold", "missing" };

        if (strncmp(line, "end ", 4) == 0)
                return end_jobs(bus, line + 4);
        for (size_t i = 0; i < ELEMENTSOF(modes); i++)
                if (strcmp(line, modes[i]) == 0)
                        mode = (Mode) i;
        say(line);
        return 0;
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        char text[256], *rest = text;
        ssize_t n = read(fd, text, sizeof(text) - 1);

        (void) events;
        if (n <= 0)
                return sd_event_exit(sd_event_source_get_event(source), 0);
        text[n] = '\0';
        for (char *line; (line = strsep(&rest, "\n"));)
                if (*line && obey(userdata, line) < 0)
                        return sd_event_exit(sd_event_source_get_event(source), 1);
        return 0;
}

int main(void)
{
        CLEANUP(sd_event_unrefp) sd_event *event = NULL;
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        log_open("systemd-stand-in");
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, 0);
        if (r >= 0)
                r = sd_event_add_io(event, NULL, STDIN_FILENO, 1 /* EPOLLIN */, on_input, bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, MANAGER, vtable, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.freedesktop.systemd1", 0);
        if (r < 0)
                return log_error(r, "Cannot stand in: %m"), EXIT_FAILURE;
        say("ready");
        r = sd_event_loop(event);
        return r < 0 ? EXIT_FAILURE : r;
}
