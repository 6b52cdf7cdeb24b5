/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to systemd, see systemd-call.h.
 */
#include "bus/systemd-call.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define UNIT_PREFIX    "/org/freedesktop/systemd1/unit"
#define UNIT_INTERFACE "org.freedesktop.systemd1.Unit"

enum {
        PATH_SIZE = 256,
        RESULT_SIZE = 32,
};

typedef struct Job {
        char path[PATH_SIZE];
        char result[RESULT_SIZE]; /* "": not yet */
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

static int wait_for(sd_bus *bus, const Job *job, uint64_t timeout_usec)
{
        uint64_t deadline = clock_monotonic_usec() + timeout_usec;

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

int systemd_job(sd_bus *bus, const char *method, const char *unit, uint64_t timeout_usec)
{
        CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        CLEANUP(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *path;
        Job job = {};
        int r;

        r = sd_bus_match_signal(bus, &slot, SYSTEMD_MANAGER, "JobRemoved", on_removed, &job);
        if (r >= 0)
                r = sd_bus_call_method(bus, SYSTEMD_MANAGER, method, &error, &reply, "ss", unit,
                                       "replace");
        if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.NoSuchUnit"))
                return -ENOENT;
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return r;
        (void) snprintf(job.path, sizeof(job.path), "%s", path);
        return wait_for(bus, &job, timeout_usec);
}

int systemd_look(sd_bus *bus, const char *unit, SystemdUnit *ret)
{
        _cleanup_free_ char *path = NULL, *load = NULL, *active = NULL;
        SystemdUnit look = {};
        int r;

        r = sd_bus_path_encode(UNIT_PREFIX, unit, &path);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
                                               UNIT_INTERFACE, "LoadState", NULL, &load);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
                                               UNIT_INTERFACE, "ActiveState", NULL, &active);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, "org.freedesktop.systemd1", path,
                                                UNIT_INTERFACE, "InactiveExitTimestamp", NULL, 't',
                                                &look.begun_usec);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, "org.freedesktop.systemd1", path,
                                                UNIT_INTERFACE, "StateChangeTimestamp", NULL, 't',
                                                &look.changed_usec);
        if (r < 0)
                return r;
        look.is_loaded = strcmp(load, "loaded") == 0;
        look.is_missing = strcmp(load, "not-found") == 0;
        look.is_wanted = look.is_loaded && strcmp(active, "inactive") != 0 &&
                         strcmp(active, "deactivating") != 0;
        *ret = look;
        return 0;
}
