/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One run of sendense-image as a unit. The job runner and the repository's checks call it; result and
 * state stay until the caller stops the unit.
 */
#pragma once

#include "unit/units.h"

/* Strings are borrowed for the call. */
typedef struct ImageUnit {
        uint64_t job; /* 0: the repository's own, sendense-repository-<repository_id>-<step> */
        uint64_t repository_id; /* only then */
        const char *step; /* a job's with a disk ends in its key: "create-2000" */
        const char *verb;
        bool as_export_user; /* sendense-export instead of sendense; jobs only */
        const char *const *write_paths; /* what it may write */
        size_t n_write_paths;
        const char *in_path, *out_path; /* exist already */
        uint64_t timeout_usec; /* 0: as long as it takes */
        bool extends; /* by messages of the program (EXTEND_TIMEOUT_USEC=) */
} ImageUnit;

/* Done at the program's end: 0: status 0; -EREMOTEIO: it ended with an error, which its result tells; other
 * errors as in unit-job.h: then there is no result. */
int image_unit_start(Units *units, const ImageUnit *image, UnitDone done, void *userdata);
