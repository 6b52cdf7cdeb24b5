/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hub's state in one word, derived from what it has, never set by hand. Pure; the words are the
 * ones of the bus property, the journal and the man page. Called by manager.c.
 */
#pragma once

#include <stdbool.h>

#include "store/store.h"

typedef enum HubState {
        HUB_STARTING, /* no bus name yet, or the first attempt at the database is under way */
        HUB_RUNNING,
        HUB_DEGRADED, /* answers, but not from its database */
        HUB_STOPPING,
        HUB_STATE_MAX,
        HUB_STATE_INVALID = -22,
} HubState;

const char *hub_state_to_string(HubState state);
HubState hub_state_from_string(const char *text);

HubState hub_state_of(bool has_name, bool is_stopping, DatabaseState database);
