/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two keys of a tunnel: this node's own, and the hub's, which is pinned. From the unit's credentials, or, for a command
 * that a person runs, from where these come from.
 */
#pragma once

#include "node-files.h"
#include "node-keys.h"
#include "ssh/session.h"

/* Fills both keys of place. Negative after saying why. */
int place_read_keys(SessionPlace *place);
