/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts a copy task (see copy-unit.h).
 */
#include "copy-unit.h"

#include "unit-spec.h"
#include "unit/unit-job.h"

#include "parse.h"

int copy_unit_start(Units *units, const CopyUnit *copy, UnitDone done, void *userdata)
{
        json_t *spec;
        int r;

        r = unit_spec_copy(copy, &spec);
        if (r < 0)
                return r;
        r = unit_job_create(units, spec, UNIT_START_SEC * USEC_PER_SEC, done, userdata);
        json_decref(spec);
        return r;
}
