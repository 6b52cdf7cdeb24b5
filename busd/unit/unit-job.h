/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting a unit and seeing it through: systemd's answer only says that a job was queued, its JobRemoved
 * signal says how that ended. Called by export-unit, image-unit and copy-unit; units_stop() is here too.
 */
#pragma once

#include "unit/units.h"

#include <jansson.h>

enum {
        UNIT_START_SEC =
                        60, /* longer than any TimeoutStartSec= of ours; systemd's own comes first */
        UNIT_STOP_SEC = 60,
};

/* The one unit that is ours without belonging to a job: it ends the sessions of sshd whose key is gone. */
#define UNIT_SSHD_SWEEP "sendense-sshd-sweep.service"

/* Makes and starts the transient unit that the specification of unit-spec.h describes; spec is borrowed.
 * A oneshot is done at its end. Besides UnitDone's errors: -EEXIST: there is such a unit already; -ENOEXEC:
 * its program is missing; -EREMOTEIO: its program ran and ended with an error; -EADDRINUSE: its socket
 * cannot be bound; -EIO: anything else, as the text says. limit_usec is how long systemd may take. */
int unit_job_create(Units *units, const json_t *spec, uint64_t limit_usec, UnitDone done,
                    void *userdata);

/* Starts a unit that is loaded. Errors as above. */
int unit_job_start(Units *units, const char *unit, UnitDone done, void *userdata);

/* Starts it, anew when it is running already: what it then does began after this call. Also for UNIT_SSHD_SWEEP. -ENOENT: there is no such
 * unit. */
int unit_job_restart(Units *units, const char *unit, UnitDone done, void *userdata);
