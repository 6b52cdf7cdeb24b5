/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy task as a unit. The job runner calls it; result and state stay until the unit is stopped.
 */
#pragma once

#include "unit/units.h"

/* Strings are borrowed for the call. */
typedef struct CopyUnit {
        uint64_t job;
        const char *in_path, *out_path; /* exist already */
        const char *psk_path; /* NULL: no target has TLS; exists already, and holds the keys of all */
        const char *program; /* NULL for sendense-import of this build */
} CopyUnit;

/* Done when the program has been executed; its end is told to the units' handler. Errors as in
 * unit-job.h. */
int copy_unit_start(Units *units, const CopyUnit *copy, UnitDone done, void *userdata);
