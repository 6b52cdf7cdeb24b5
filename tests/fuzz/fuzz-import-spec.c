/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Specs of sendense-import of any content: one that keeps every bound, or one line that says why not.
 */
#include "fuzz.h"

#include "spec.h"
#include "utf8.h"

#include <errno.h>
#include <string.h>

static void check_spec(const ImportSpec *spec)
{
        MUST(spec->job > 0 && spec->n_disks >= 1 && spec->n_disks <= SPEC_DISKS_MAX);
        MUST(!spec->progress ||
             (*spec->progress == '/' && strlen(spec->progress) <= SPEC_PATH_MAX));
        for (size_t i = 0; i < spec->n_disks; i++) {
                const DiskSpec *disk = &spec->disks[i];

                MUST(disk->disk_key > 0 && disk->capacity_bytes > 0);
                MUST(strncmp(disk->source, "nbd", 3) == 0 && strstr(disk->source, "://"));
                MUST(strncmp(disk->target, "nbd", 3) == 0 && strlen(disk->target) <= SPEC_URI_MAX);
                MUST(strlen(disk->invocation_id) == INVOCATION_ID_LENGTH);
                for (size_t j = 0; j < i; j++) {
                        MUST(spec->disks[j].disk_key != disk->disk_key);
                        MUST(strcmp(spec->disks[j].target, disk->target) != 0);
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Failure failure = {};
        ImportSpec spec = {};
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
