/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts the units of a mounted disk (see mount-unit.h), socket and service by one call.
 */
#include "mount-unit.h"

#include "unit-spec.h"
#include "unit/unit-job.h"

#include "cleanup.h"
#include "parse.h"

#include <inttypes.h>

void mount_name(uint64_t job, uint32_t disk_key, char ret_name[static MOUNT_NAME_SIZE])
{
        (void) snprintf(ret_name, MOUNT_NAME_SIZE, "%" PRIu64 "-%" PRIu32, job, disk_key);
}

void mount_socket_path(uint64_t job, uint32_t disk_key, char ret_path[static UNIT_FILE_PATH_SIZE])
{
        char file[64];

        (void) snprintf(file, sizeof(file), "mounts/%" PRIu64 "-%" PRIu32 ".sock", job, disk_key);
        runtime_path(file, ret_path);
}

void mount_uri(uint64_t job, uint32_t disk_key, char ret_uri[static MOUNT_URI_SIZE])
{
        char name[MOUNT_NAME_SIZE], path[UNIT_FILE_PATH_SIZE];

        mount_name(job, disk_key, name);
        mount_socket_path(job, disk_key, path);
        (void) snprintf(ret_uri, MOUNT_URI_SIZE, "nbd+unix:///%s?socket=%s", name, path);
}

int mount_unit_start(Units *units, const MountUnit *mount, UnitDone done, void *userdata)
{
        json_t *spec;
        int r;

        r = unit_spec_mount(mount, &spec);
        if (r < 0)
                return r;
        r = unit_job_create(units, spec, UNIT_START_SEC * USEC_PER_SEC, done, userdata);
        json_decref(spec);
        return r;
}
