/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of sendensectl doctor about programs: whether those of other people that backups need are there and new enough, and
 * whether ours are of one build and the running hub is its file. Verdicts are like those of doctor-hub.h. 0, or -ENOMEM.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-bus.h>

/* On the machine of a hub; --root= is where its programs are. */
int doctor_tools(json_t *verdicts);
int doctor_versions(sd_bus *bus, json_t *verdicts);
