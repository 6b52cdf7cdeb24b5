/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports as a node is told of them (see export-tls.h).
 */
#include "job/export-tls.h"

#include "cleanup.h"
#include "job/export-watch.h"
#include "json-cleanup.h"
#include "unit/export-psk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

bool export_tls_is_named(const char *export_name)
{
        size_t length = strlen(export_name), n = strlen(EXPORT_TLS_SUFFIX);

        return length > n && strcmp(export_name + length - n, EXPORT_TLS_SUFFIX) == 0;
}

const char *export_tls_path(const Job *job, const JobDisk *disk, UnitKind kind,
                            char ret_path[static UNIT_FILE_PATH_SIZE])
{
        char unit[UNIT_NAME_SIZE];

        export_unit_name(job, disk, kind, unit);
        return export_psk_find(unit, ret_path) ? ret_path : NULL;
}

json_t *export_tls_address(const Job *job, const JobDisk *disk, UnitKind kind)
{
        char path[UNIT_FILE_PATH_SIZE];
        bool has_tls = export_tls_path(job, disk, kind, path) != NULL;

        return json_sprintf("%s%s%s127.0.0.1:%" PRIu16 "/%s", has_tls ? "nbds://" : "nbd://",
                            has_tls ? disk->export_name : "", has_tls ? "@" : "", disk->port,
                            disk->export_name);
}

int export_tls_add_keys(const Job *job, UnitKind kind, json_t *body)
{
        CLEANUP(json_decref_p) json_t *keys = json_object();

        for (size_t i = 0; i < job->n_disks; i++) {
                const JobDisk *disk = job->disks + i;
                char path[UNIT_FILE_PATH_SIZE], unit[UNIT_NAME_SIZE];

                if (!job_disk_takes_part(disk) || !export_tls_path(job, disk, kind, path))
                        continue;
                export_unit_name(job, disk, kind, unit);
                if (json_object_set_new(keys, disk->text, export_psk_read(unit)) < 0)
                        return -EIO;
        }
        if (json_object_size(keys) == 0)
                return 0;
        return json_object_set(body, "nbd_keys", keys) < 0 ? -ENOMEM : 0;
}
