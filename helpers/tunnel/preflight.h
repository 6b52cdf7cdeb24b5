/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way to the hub, tried step by step on the configured port and told to people. The first step that fails has a name, an address and
 * a remedy.
 */
#pragma once

#include "ssh/session.h"

#include <stdbool.h>

/* Prints a line for each step. 0, or negative after one that failed. Quick: of the ports only the first and
 * the last are tried; sshd at the hub has a line in its journal for each where nothing listens. */
int preflight(const SessionPlace *place, uint16_t reverse_port, PortRange ports, bool is_quick);

/* Ends the program so many seconds from now, wherever the preflight then is, with a line that says so. */
void preflight_limit(unsigned sec);
