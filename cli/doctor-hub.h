/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What sendensectl doctor finds out around the hub, beside what the hub says of itself: units, the sockets of the HTTP API, and
 * whether the vCenters let us in. Verdicts are like those of the hub's Diagnose (Check, Verdict, Text, Remedy). 0, or -ENOMEM.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

/* How these units stand; the list ends with NULL. */
int doctor_units(sd_bus *bus, const char *const units[], json_t *verdicts);

/* Of a hub that answers. */
int doctor_hub(sd_bus *bus, json_t *verdicts);
