/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bus object /com/sendense/Hub1 with the interface com.sendense.Hub1.Manager and the object
 * manager of everything below it. manager.c registers it and tells it what changed.
 */
#pragma once

typedef struct Manager Manager;

enum {
        HUB_PROBES_MAX = 16, /* open ProbeDatabase calls */
};

/* Puts the object on manager->bus. Before the name is asked for, so that no caller finds less. */
int bus_manager_register(Manager *manager);

/* Emits PropertiesChanged for one property; silent before the bus is up. */
void bus_manager_emit_changed(Manager *manager, const char *property);
