/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The deletion of a backup (see work.h). Until its record has another name it can be taken back; from then on it goes forward
 * only, whatever fails in between and who cancels: undoing then means to bring it to its end, and the job completes.
 */
#include "job/work.h"

#include "build-config.h"

#include <errno.h>
#include <string.h>

static int fill(const Job *job, json_t *spec)
{
        json_t *force = json_object_get(job->work, "force");

        return force && json_object_set(spec, "force", force) < 0 ? -ENOMEM : 0;
}

/* Folders that become empty are removed, up to that of the VM. */
static int write_paths(const Job *job, json_t *paths)
{
        return json_array_append_new(paths, json_string(job_text(job, "RepositoryPath"))) < 0
                               ? -ENOMEM
                               : 0;
}

static bool is_done_after_all(const json_t *result)
{
        const char *outcome = json_string_value(json_object_get(result, "outcome"));

        return outcome && strcmp(outcome, "kept") != 0;
}

const WorkKind work_delete = {
        .type = JOB_DELETE,
        .unit = UNIT_DELETE_SERVICE,
        .phase = "merging layers",
        .program = SENDENSE_LIBEXEC_DIR "/sendense-image",
        .verb = "delete",
        .is_repeatable = true,
        .undo_verb = "delete-undo",
        .is_done_after_all = is_done_after_all,
        .fill = fill,
        .write_paths = write_paths,
};
