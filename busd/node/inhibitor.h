/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asks logind to put a shutdown off for its few seconds while a snapshot is open, so that the removal can still be asked
 * for. A machine without logind goes without.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct Inhibitor Inhibitor;

/* Borrows the bus. */
int inhibitor_new(sd_bus *bus, Inhibitor **ret_inhibitor);
Inhibitor *inhibitor_free(Inhibitor *inhibitor);

/* Takes or gives back the lock. */
void inhibitor_set(Inhibitor *inhibitor, bool is_wanted);
