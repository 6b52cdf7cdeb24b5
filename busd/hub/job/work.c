/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of work.h.
 */
#include "job/work.h"

#include "job/work-mount.h"

static const WorkKind *const kinds[JOB_TYPE_MAX] = {
        [JOB_MOUNT] = &work_mount,   [JOB_RESTORE] = &work_restore, [JOB_VERIFY] = &work_verify,
        [JOB_DELETE] = &work_delete, [JOB_FILES] = &work_files,
};

const WorkKind *work_kind(const Job *job)
{
        return job->type >= 0 && job->type < JOB_TYPE_MAX ? kinds[job->type] : NULL;
}
