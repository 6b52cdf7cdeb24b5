/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The settings of hub and node as they stand in the files, by the readers that these daemons use: for the verbs of config.
 */
#pragma once

#include "ctl.h"
#include "hub-config.h"
#include "node-config.h"

#include <jansson.h>
#include <stdint.h>

/* Of one daemon, as they were read. */
typedef struct Settings {
        HubConfig hub;
        NodeConfig node;
        const Config *config; /* of the one that was read */
} Settings;

typedef struct Daemon {
        const char *name, *user, *file, *unit;
        int (*load)(Settings *settings, const char *path, char **ret_error);
} Daemon;

enum {
        DAEMON_HUB,
        DAEMON_NODE,
        DAEMONS,
};

extern const Daemon daemons[DAEMONS];

void settings_done(Settings *settings);

/* Those of path, or of every day (NULL). Negative errno with *ret_error set, but when out of memory. */
int settings_load(const Daemon *daemon, Settings *settings, const char *path, char **ret_error);

/* The same as the daemon's user, when root asks for the files of every day: what root can read, the daemon may not be able
 * to. The verdict is added to list ("file", "valid", "error"), and said unless JSON is wanted. CTL_CONFIG when something
 * is wrong with them; CTL_FAILED after a complaint. */
ExitStatus settings_check(const Daemon *daemon, Settings *settings, const char *path, json_t *list);

/* When the files of every day last changed, on the clock on the wall; 0 when there are none. */
uint64_t settings_changed_usec(const Daemon *daemon);
