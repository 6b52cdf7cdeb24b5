/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one unit of a job about a backup that is there: verify, restore, delete, files. The job runner calls it; result and state
 * stay until the unit is stopped.
 */
#pragma once

#include "unit/units.h"

/* Strings are borrowed for the call. */
typedef struct WorkUnit {
        UnitKind kind;
        uint64_t job;
        const char *program, *verb; /* absolute; verb may be NULL */
        const char *user; /* NULL: the packaged sandbox names it */
        const char *const *write_paths; /* what it may write */
        size_t n_write_paths;
        const char *device; /* a restore's target: the one device that it may open; NULL: none */
        int stream; /* of UNIT_FILES_SERVICE: the socket that files go into, its standard input */
        const char *in_path, *out_path; /* exist already */
} WorkUnit;

/* Done when the program has been executed; its end is told to the units' handler. Errors as in unit-job.h. */
int work_unit_start(Units *units, const WorkUnit *work, UnitDone done, void *userdata);
