/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of work.h.
 */
#include "job/work.h"

#include "job/work-mount.h"

#include <string.h>

static const WorkKind *const kinds[JOB_TYPE_MAX] = {
        [JOB_MOUNT] = &work_mount,   [JOB_RESTORE] = &work_restore, [JOB_VERIFY] = &work_verify,
        [JOB_DELETE] = &work_delete, [JOB_FILES] = &work_files,
};

json_t *work_obligations_done(const Job *job)
{
        return json_pack("[s, s*, s*]", "units", job->files_owed ? NULL : JOB_OWES_TARGET,
                         job->owes_release ? NULL : JOB_OWES_VM);
}

static bool is_of_vm(const Job *job)
{
        const char *kind = json_string_value(
                        json_object_get(json_object_get(job->work, "target"), "kind"));

        return job->type == JOB_RESTORE && kind && strcmp(kind, "vm") == 0;
}

bool work_is_in_place(const Job *job)
{
        return is_of_vm(job) &&
               json_is_true(json_object_get(json_object_get(job->work, "target"), "in_place"));
}

/* A node that was not asked has done nothing, and of a job that a hub took up nobody knows whether it was. */
bool work_left_vm_alone(const Job *job)
{
        return work_is_in_place(job) &&
               (job->is_vm_untouched || (!job->follow && !job->is_recovered));
}

const WorkKind *work_kind(const Job *job)
{
        if (is_of_vm(job))
                return &work_restore_vm;
        return job->type >= 0 && job->type < JOB_TYPE_MAX ? kinds[job->type] : NULL;
}
