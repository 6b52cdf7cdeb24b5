/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts the unit of such a job (see work-unit.h).
 */
#include "work-unit.h"

#include "unit-spec.h"
#include "unit/unit-job.h"

#include "parse.h"

enum {
        FILES_START_SEC = 300, /* the first one after an upgrade waits for its appliance */
};

int work_unit_start(Units *units, const WorkUnit *work, UnitDone done, void *userdata)
{
        json_t *spec;
        int r;

        r = unit_spec_work(work, &spec);
        if (r < 0)
                return r;
        r = unit_job_create(units, spec,
                            (work->kind == UNIT_FILES_SERVICE ? FILES_START_SEC : UNIT_START_SEC) *
                                            USEC_PER_SEC,
                            done, userdata);
        json_decref(spec);
        return r;
}
