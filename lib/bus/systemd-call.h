/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Calls to systemd by programs without an event loop: each waits for its end. The daemons have rooms of
 * their own for that (busd/unit), which never wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#define SYSTEMD_MANAGER \
        "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"

/* Times are those of the clock on the wall; 0: never. */
typedef struct SystemdUnit {
        bool is_loaded;
        bool is_missing; /* systemd knows of no such unit: it is not masked either */
        bool is_wanted; /* it runs, is on its way there, or failed */
        uint64_t begun_usec; /* when it last began to start */
        uint64_t changed_usec; /* when its state last changed, which a reload does, too */
} SystemdUnit;

/* A method of systemd's manager that takes a unit and answers a job ("StartUnit"), and the end of that job. The bus
 * must be subscribed: "Subscribe" of SYSTEMD_MANAGER. -ENOENT when there is no such unit, -EIO when the job ends
 * otherwise than done, -ETIMEDOUT; others as sd-bus has them. */
int systemd_job(sd_bus *bus, const char *method, const char *unit, uint64_t timeout_usec);

/* One that is not there is told as not loaded. */
int systemd_look(sd_bus *bus, const char *unit, SystemdUnit *ret);
