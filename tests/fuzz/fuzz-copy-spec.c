/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Specs of sendense-backup-client of any content: one that keeps every bound, or one line that says why not.
 */
#include "fuzz.h"

#include "spec.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static void check_areas(const DiskSpec *disk)
{
        uint64_t end = 0;

        MUST(!disk->has_areas || disk->read == READ_CHANGED);
        for (size_t i = 0; i < disk->areas.n; i++) {
                MUST(disk->areas.list[i].offset >= end && disk->areas.list[i].length > 0);
                end = disk->areas.list[i].offset + disk->areas.list[i].length;
        }
        MUST(end <= disk->capacity_bytes);
}

static void check_spec(const CopySpec *spec)
{
        MUST(spec->job > 0 && spec->attempt > 0);
        MUST(spec->n_disks >= 1 && spec->n_disks <= SPEC_DISKS_MAX);
        MUST(spec->connections >= 1 && spec->connections <= SPEC_CONNECTIONS_MAX);
        MUST(!spec->progress || *spec->progress == '/');
        for (size_t i = 0; i < spec->n_disks; i++) {
                const DiskSpec *disk = &spec->disks[i];

                MUST(disk->disk_key > 0 && disk->capacity_bytes > 0);
                MUST(disk->capacity_bytes % AREA_GRAIN == 0);
                MUST(disk->read >= 0 && disk->read < READ_MODE_MAX);
                MUST(disk->source.path || disk->source.uri || disk->source.datastore_path);
                MUST(*disk->target_uri.host || *disk->target_uri.socket);
                check_areas(disk);
                for (size_t j = 0; j < i; j++)
                        MUST(spec->disks[j].disk_key != disk->disk_key);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Failure failure = {};
        CopySpec spec = {};
        int r;

        r = spec_parse((const char *) data, size, &spec, &failure);
        MUST(r == 0 || r == -EINVAL);
        MUST((r < 0) == (failure.name != NULL));
        if (r < 0) {
                MUST(!spec.json && !spec.disks);
                MUST(*failure.text && utf8_is_valid(failure.text) && !strchr(failure.text, '\n'));
                return 0;
        }
        check_spec(&spec);
        spec_done(&spec);
        return 0;
}
