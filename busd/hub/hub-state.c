/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of the hub's states (see hub-state.h).
 */
#include "hub-state.h"

#include "cleanup.h"

#include <string.h>

static const char *const hub_states[HUB_STATE_MAX] = {
        [HUB_STARTING] = "starting",
        [HUB_RUNNING] = "running",
        [HUB_DEGRADED] = "degraded",
        [HUB_STOPPING] = "stopping",
};

const char *hub_state_to_string(HubState state)
{
        return state >= 0 && state < HUB_STATE_MAX ? hub_states[state] : NULL;
}

HubState hub_state_from_string(const char *text)
{
        for (size_t i = 0; i < ELEMENTSOF(hub_states); i++)
                if (strcmp(hub_states[i], text) == 0)
                        return (HubState) i;
        return HUB_STATE_INVALID;
}

HubState hub_state_of(bool has_name, bool is_stopping, DatabaseState database)
{
        if (is_stopping)
                return HUB_STOPPING;
        if (!has_name || database == DATABASE_CONNECTING)
                return HUB_STARTING;
        return database == DATABASE_READY ? HUB_RUNNING : HUB_DEGRADED;
}
