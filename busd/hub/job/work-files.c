/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files out of a backup (see work.h). They go from the unit to who asked, and never through the hub; nothing is written but the
 * job's result. Who asked is gone with his socket, so a unit that died is not begun anew.
 */
#include "job/work.h"

#include "build-config.h"
#include "hub-config.h"
#include "job/jobs.h"

#include <errno.h>
#include <string.h>

/* The topmost images of all disks, which may be parts of one volume. */
static json_t *files_of(const Job *job)
{
        const json_t *disks = json_object_get(job->row, "TargetDisks"), *disk;
        json_t *files = json_array();
        size_t i;

        json_array_foreach (disks, i, disk)
                if (strcmp(json_string_value(json_object_get(disk, "State")) ?: "", "completed") ==
                    0)
                        (void) json_array_append(files, json_object_get(disk, "File"));
        return files;
}

static int fill(const Job *job, json_t *spec)
{
        const char *accel = guest_accel_to_string(job->jobs->config->files_accel);

        if (json_object_set_new(spec, "files", files_of(job)) < 0 ||
            json_object_set_new(spec, "accel", json_string(accel)) < 0)
                return -ENOMEM;
        return json_object_update(spec, job->work) < 0 ? -ENOMEM : 0;
}

const WorkKind work_files = {
        .type = JOB_FILES,
        .unit = UNIT_FILES_SERVICE,
        .phase = "reading files",
        .program = SENDENSE_LIBEXEC_DIR "/sendense-files",
        .verb = "read",
        .wants_stream = true,
        .fill = fill,
};
