/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A unit's state as PID 1 writes it on the bus, read into a UnitState, and put into words. Called by the
 * rooms of unit/. Pure: values in, values out.
 */
#pragma once

#include "unit/units.h"

enum {
        UNIT_WHY_SIZE = 192,
        UNIT_EXIT_SYSTEMD_MIN = 200, /* systemd's own, for a program that was never reached */
        UNIT_EXIT_EXEC = 203,
        UNIT_EXIT_NAMESPACE = 226,
        UNIT_EXIT_SYSTEMD_MAX = 245,
};

/* Reads the a{sv} that comes next; what it does not name stays as it is. job gets the path of the unit's
 * job, or "", when the dictionary has it; may be NULL. */
int unit_state_read(sd_bus_message *m, UnitState *state, char *job, size_t job_size);

bool unit_state_equal(const UnitState *a, const UnitState *b);

/* What a start that failed like this ends with: -ETIMEDOUT, -ENOEXEC (no program), -EREMOTEIO (the program
 * ended with an error), -EIO (anything else). */
int unit_state_to_errno(const UnitState *state);

/* Why it is not well, in one line: "result exit-code, status 226 (its sandbox …)". */
void unit_state_why(const UnitState *state, char ret_text[static UNIT_WHY_SIZE]);
