/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * prepare: looks whether a backup can be put into a repository and makes its folders and empty files.
 * health: only looks. Both run as the hub's user, who owns the repository.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "layers.h"
#include "spec.h"
#include "verbs.h"

#include <inttypes.h>

static const JsonField prepare_fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
        { .key = "reserve_bytes", .kind = JSON_FIELD_NUMBER, .max = INT64_MAX },
        { .key = "needed_bytes", .kind = JSON_FIELD_NUMBER, .optional = true, .max = INT64_MAX },
        { .key = "promised_bytes", .kind = JSON_FIELD_NUMBER, .optional = true, .max = INT64_MAX },
        SPEC_DISK_KEYS,
};

static const JsonField health_fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
};

static int answer(const Repository *repository, json_t **ret_result)
{
        *ret_result = json_pack("{s:I, s:I, s:s}", "free_bytes",
                                (json_int_t) repository->free_bytes, "size_bytes",
                                (json_int_t) repository->size_bytes, "repository_uuid",
                                repository->uuid);
        return 0;
}

static uint64_t to_mib(uint64_t bytes)
{
        return (bytes >> 20) + ((bytes & ((1 << 20) - 1)) != 0);
}

/* What must stay free, what this backup is expected to take up, and what others have been promised. Each is at
 * most INT64_MAX, so two of them can be added. Busy: there is room but for what others have been promised. */
static int check_space(const json_t *spec, const Repository *repository, Failure *failure)
{
        uint64_t reserve_bytes = json_field_number(spec, "reserve_bytes"),
                 needed_bytes = json_field_number(spec, "needed_bytes"),
                 promised_bytes = json_field_number(spec, "promised_bytes"),
                 free_bytes = repository->free_bytes;

        if (free_bytes < reserve_bytes)
                return failure_set(failure, BUS_ERROR_REPOSITORY_FULL,
                                   "%s has %" PRIu64
                                   " MiB free, and [Repositories] MinFree= wants %" PRIu64
                                   "; free space or make the file system larger",
                                   repository->path, free_bytes >> 20, to_mib(reserve_bytes));
        free_bytes -= reserve_bytes;
        if (promised_bytes <= free_bytes && needed_bytes <= free_bytes - promised_bytes)
                return 0;
        /* What others have been promised they may not need, or give back. */
        return failure_set(failure,
                           needed_bytes <= free_bytes ? BUS_ERROR_BUSY : BUS_ERROR_REPOSITORY_FULL,
                           "%s has %" PRIu64 " MiB free beside [Repositories] MinFree=, of which "
                           "backups that run are expected to take %" PRIu64
                           ", and this one is expected to take %" PRIu64
                           "; free space, make the file system larger, or see "
                           "[Repositories] FirstFullPercent= for what a first full is expected to "
                           "take",
                           repository->path, free_bytes >> 20, to_mib(promised_bytes),
                           to_mib(needed_bytes));
}

static int prepare(const json_t *spec, const Repository *repository, Failure *failure)
{
        const BackupPlace place = { .instance_uuid = json_field_text(spec, "instance_uuid"),
                                    .backup_id = json_field_text(spec, "backup_id"),
                                    .disk_keys = json_object_get(spec, "disk_keys") };
        int r;

        r = repository_lock(repository, failure);
        if (r >= 0)
                r = layers_committed(repository, &place, failure);
        if (r < 0)
                return r;
        if (r > 0)
                return failure_set(failure, BUS_ERROR_EXISTS,
                                   "%s is a finished backup in %s; start another one",
                                   place.backup_id, repository->path);
        r = check_space(spec, repository, failure);
        if (r < 0)
                return r;
        r = layers_remove(repository, &place, failure);
        return r < 0 ? r : layers_make(repository, &place, failure);
}

int verb_prepare(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(repository_done) Repository repository = { .folder = -1 };
        int r;

        r = spec_check(spec, prepare_fields, ELEMENTSOF(prepare_fields), failure);
        if (r >= 0)
                r = spec_check_keys(spec, failure);
        if (r >= 0)
                r = repository_open(&repository, json_field_text(spec, "repository"),
                                    json_field_text(spec, "repository_uuid"), REPOSITORY_MARK,
                                    failure);
        if (r >= 0)
                r = prepare(spec, &repository, failure);
        return r < 0 ? r : answer(&repository, ret_result);
}

int verb_health(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(repository_done) Repository repository = { .folder = -1 };
        int r;

        r = spec_check(spec, health_fields, ELEMENTSOF(health_fields), failure);
        if (r >= 0)
                r = repository_open(&repository, json_field_text(spec, "repository"),
                                    json_field_text(spec, "repository_uuid"), REPOSITORY_MARK,
                                    failure);
        return r < 0 ? r : answer(&repository, ret_result);
}
