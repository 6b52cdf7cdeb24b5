/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What it means when polkit answers with an error, or not at all: is polkit lost, did a person not
 * type, or did the caller walk away? Pure functions for authorise.c; must not talk to the bus.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

typedef enum PolkitOutcome {
        POLKIT_UNAVAILABLE, /* absent, hanging, or without our actions */
        POLKIT_UNANSWERED, /* it asked somebody who did not answer */
        POLKIT_CALLER_VANISHED, /* it was asked about a caller who is gone */
} PolkitOutcome;

/* How long polkit may think; interactive: somebody types a password. */
uint64_t polkit_timeout_usec(bool interactive);

/* error: instead of an answer, waited_usec after the question about sender, a unique name. */
PolkitOutcome polkit_outcome(const sd_bus_error *error, const char *sender, bool interactive,
                             uint64_t waited_usec);
