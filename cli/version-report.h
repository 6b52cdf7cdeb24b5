/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether what runs is what was built: every program of ours on disk against each other, the running hub against its file, the
 * database against the hub. Finds the programs by looking, so that none can be forgotten. For sendensectl version, which
 * shows it all, and for doctor.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/* What is found out, gathered as JSON whether or not it is printed so. */
typedef struct VersionReport {
        json_t *programs; /* name, path, version, commit, build_id, running_build_id */
        json_t *differences; /* sentences */
        json_t *hub; /* its properties, NULL when it does not answer */
        const char *hub_state; /* for people: "running", or why not */
        bool out_of_memory;
} VersionReport;

/* bus may be NULL: there is none. Zeroed before, and done after, whatever it says: 0 or -ENOMEM. */
int version_report_make(sd_bus *bus, VersionReport *report);
void version_report_done(VersionReport *report);

/* The sentences alone. */
int version_differences(sd_bus *bus, json_t **ret_differences);
