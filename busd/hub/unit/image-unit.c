/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts sendense-image (see image-unit.h).
 */
#include "image-unit.h"

#include "unit-spec.h"
#include "unit/unit-job.h"

#include "build-config.h"
#include "cleanup.h"
#include "parse.h"

#define IMAGE_PROGRAM SENDENSE_LIBEXEC_DIR "/sendense-image"

/* systemd ends the program at its time limit; what it needs for that is added. */
int image_unit_start(Units *units, const ImageUnit *image, UnitDone done, void *userdata)
{
        uint64_t limit_usec = UINT64_MAX;
        json_t *spec;
        int r;

        r = unit_spec_image(image, IMAGE_PROGRAM, &spec);
        if (r < 0)
                return r;
        if (image->timeout_usec > 0 && !image->extends)
                limit_usec = image->timeout_usec + UNIT_START_SEC * USEC_PER_SEC;
        r = unit_job_create(units, spec, limit_usec, done, userdata);
        json_decref(spec);
        return r;
}
