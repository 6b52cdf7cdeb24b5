/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two keys of a tunnel: this node's own, and the hub's, which is pinned. From the unit's credentials, or, for a command
 * that a person runs, from where these come from.
 */
#pragma once

#include "build-config.h"
#include "node-keys.h"
#include "session.h"

#define TUNNEL_FOLDER   SENDENSE_CONFIG_DIR "/tunnel"
#define TUNNEL_KEY_FILE TUNNEL_FOLDER "/key"
#define HUB_KEY_FILE    TUNNEL_FOLDER "/hub-key"

/* Fills both keys of place. Negative after saying why. */
int place_read_keys(SessionPlace *place);
