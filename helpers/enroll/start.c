/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting (see start.h): calls to systemd, one after the other, each job waited for.
 */
#include "start.h"

#include "build-config.h"
#include "bus/systemd-call.h"
#include "cleanup.h"
#include "fault-point.h"
#include "log.h"
#include "parse.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#define TUNNEL SENDENSE_LIBEXEC_DIR "/sendense-tunnel"

enum {
        JOB_SEC = 60,
};

static int unit_do(sd_bus *bus, const char *method, const char *unit)
{
        return systemd_job(bus, method, unit, JOB_SEC * USEC_PER_SEC);
}

static int stop(sd_bus *bus, const char *unit)
{
        int r = unit_do(bus, "StopUnit", unit);

        return r < 0 && r != -ENOENT ? log_error(r, "Cannot stop %s: %m", unit) : 0;
}

static int start(sd_bus *bus, const char *unit)
{
        int r = unit_do(bus, "StartUnit", unit);

        return r < 0 ? log_error(r, "%s does not come up: see journalctl -eu %s", unit, unit) : 0;
}

static int reload(sd_bus *bus)
{
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus, SYSTEMD_MANAGER, "EnableUnitFiles", &error, NULL, "asbb", 2,
                               "sendense-node.service", "sendense-node-api.socket", 0, 1);
        if (r >= 0)
                r = sd_bus_call_method(bus, SYSTEMD_MANAGER, "Reload", &error, NULL, NULL);
        return r < 0 ? log_error(r, "Cannot have systemd read its settings anew: %s",
                                 error.message ?: strerror(-r))
                     : 0;
}

/* Says on stdout, step by step, how far it comes. */
static void show_preflight(void)
{
        static char program[] = TUNNEL, option[] = "--preflight";
        char *argv[] = { program, option, NULL };
        pid_t pid;

        (void) fflush(NULL);
        if (posix_spawn(&pid, TUNNEL, NULL, NULL, argv, environ) == 0)
                (void) waitpid(pid, NULL, 0);
}

static int start_tunnel(sd_bus *bus)
{
        int r;

        r = start(bus, "sendense-tunnel.socket");
        if (r < 0)
                return r;
        r = unit_do(bus, "StartUnit", "sendense-tunnel.service");
        if (r >= 0)
                return 0;
        show_preflight();
        return log_error(r,
                         "The node is enrolled, but its tunnel is not up yet; it goes on trying. "
                         "What its preflight says is above. See systemctl status "
                         "sendense-tunnel");
}

int start_node(bool with_tunnel)
{
        CLEANUP(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system_with_description(&bus, "sendense-enroll");
        if (r >= 0)
                r = sd_bus_call_method(bus, SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
        if (r < 0)
                return log_error(r, "Cannot ask systemd to start the node: %m. Do it by hand: see "
                                    "sendense-enroll(8)");
        /* What runs has read the old files. */
        r = stop(bus, "sendense-tunnel.socket");
        if (r >= 0)
                r = stop(bus, "sendense-tunnel.service");
        if (r >= 0)
                r = stop(bus, "sendense-node-api.service");
        fault_point("enroll.units-stopped");
        if (r >= 0)
                r = reload(bus);
        fault_point("enroll.reloaded");
        if (r >= 0)
                r = start(bus, "sendense-node.service");
        if (r >= 0)
                r = start(bus, "sendense-node-api.socket");
        return r >= 0 && with_tunnel ? start_tunnel(bus) : r;
}
