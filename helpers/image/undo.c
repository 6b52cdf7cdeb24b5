/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * undo: removes what a backup that was not committed left in its repository. A backup whose record is there
 * is not touched. Repeatable: what is gone is skipped.
 */
#include "cleanup.h"
#include "layers.h"
#include "spec.h"
#include "verbs.h"

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
        SPEC_DISK_KEYS,
};

int verb_undo(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(repository_done) Repository repository = { .folder = -1 };
        const BackupPlace place = { .instance_uuid = json_field_text(spec, "instance_uuid"),
                                    .backup_id = json_field_text(spec, "backup_id"),
                                    .disk_keys = json_object_get(spec, "disk_keys") };
        int r, committed;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = spec_check_keys(spec, failure);
        if (r >= 0)
                r = repository_open(&repository, json_field_text(spec, "repository"),
                                    json_field_text(spec, "repository_uuid"), REPOSITORY_WRITE,
                                    failure);
        if (r >= 0)
                r = repository_lock(&repository, failure);
        if (r < 0)
                return r;
        committed = layers_committed(&repository, &place, failure);
        if (committed < 0)
                return committed;
        if (!committed) {
                r = layers_remove(&repository, &place, failure);
                if (r < 0)
                        return r;
        }
        *ret_result = json_pack("{s:s}", "outcome", committed ? "committed" : "removed");
        return 0;
}
