/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The properties of com.sendense.Hub1.Manager. Only bus-manager.c, whose table lists them, sees this.
 */
#pragma once

#include <systemd/sd-bus.h>

#define BUS_PROPERTY_GET(name)                                                               \
        int name(sd_bus *bus, const char *path, const char *interface, const char *property, \
                 sd_bus_message *reply, void *userdata, sd_bus_error *error)

BUS_PROPERTY_GET(get_text);
BUS_PROPERTY_GET(get_started);
BUS_PROPERTY_GET(get_database_schema);
BUS_PROPERTY_GET(get_program_schema);
BUS_PROPERTY_GET(get_export_ports);
BUS_PROPERTY_GET(get_jobs);
BUS_PROPERTY_GET(get_obligations);
BUS_PROPERTY_GET(get_dispatch);
