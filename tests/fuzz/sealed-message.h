/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bus messages that never travel: built in memory, sealed and rewound, so that code which reads
 * messages can be tested and fuzzed without a bus.
 */
#pragma once

#include <systemd/sd-bus.h>

/* An empty method call on a connection that nobody answers. Both are the caller's. */
int sealed_message_begin(sd_bus **ret_bus, sd_bus_message **ret_message);

/* Seals it; it can be read from its start then. */
int sealed_message_end(sd_bus_message *message);
