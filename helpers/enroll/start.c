/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting (see start.h): calls to systemd, one after the other, each job waited for.
 */
#include "start.h"

#include "build-config.h"
#include "cleanup.h"
#include "clock.h"
#include "fault-point.h"
#include "log.h"
#include "parse.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#define MANAGER \
        "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define TUNNEL SENDENSE_LIBEXEC_DIR "/sendense-tunnel"

enum {
        JOB_SEC = 60,
        PATH_SIZE = 256,
};

typedef struct Job {
        char path[PATH_SIZE];
        char result[32]; /* "": not yet */
} Job;

static int on_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
        const char *path, *unit, *result;
        Job *job = userdata;
        uint32_t id;

        (void) error;
        if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) >= 0 &&
            strcmp(path, job->path) == 0)
                (void) snprintf(job->result, sizeof(job->result), "%s", result);
        return 0;
}

static int wait_for(sd_bus *bus, const Job *job)
{
        uint64_t deadline = clock_monotonic_usec() + JOB_SEC * USEC_PER_SEC;

        while (!*job->result) {
                uint64_t now = clock_monotonic_usec();
                int r = sd_bus_process(bus, NULL);

                if (r == 0 && now >= deadline)
                        return -ETIMEDOUT;
                if (r == 0)
                        r = sd_bus_wait(bus, deadline - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return strcmp(job->result, "done") == 0 ? 0 : -EIO;
}

/* verb is StartUnit or StopUnit. */
static int unit_do(sd_bus *bus, const char *verb, const char *unit)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *path;
        Job job = {};
        int r;

        r = sd_bus_match_signal(bus, &slot, MANAGER, "JobRemoved", on_removed, &job);
        if (r >= 0)
                r = sd_bus_call_method(bus, MANAGER, verb, &error, &reply, "ss", unit, "replace");
        if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
                return -ENOENT;
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        (void) snprintf(job.path, sizeof(job.path), "%s", path);
        return wait_for(bus, &job);
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

        r = sd_bus_call_method(bus, MANAGER, "EnableUnitFiles", &error, NULL, "asbb", 2,
                               "sendense-node.service", "sendense-node-api.socket", 0, 1);
        if (r >= 0)
                r = sd_bus_call_method(bus, MANAGER, "Reload", &error, NULL, NULL);
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
                r = sd_bus_call_method(bus, MANAGER, "Subscribe", NULL, NULL, NULL);
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
