/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * record: what the commit record of a backup says that a restore of the whole VM needs. The hub does not open a repository itself.
 * Writes nothing.
 */
#include "bus/bus-error.h"
#include "cleanup.h"
#include "spec.h"
#include "verbs.h"
#include "verify-chain.h"

#include <errno.h>

static const JsonField fields[] = {
        SPEC_PATH("repository"),
        SPEC_UUID("repository_uuid", true),
        SPEC_UUID("instance_uuid", false),
        SPEC_BACKUP_ID,
};

typedef struct Reading {
        Repository repository;
        VerifyRecords records;
} Reading;

static void reading_done(Reading *reading)
{
        verify_records_done(&reading->records);
        repository_done(&reading->repository);
}

int verb_record(const json_t *spec, json_t **ret_result, Failure *failure)
{
        CLEANUP(reading_done)
        Reading reading = { .repository.folder = -1, .records = { .vm = -1, .backups = -1 } };
        const char *backup_id, *why = NULL;
        const json_t *record;
        int r;

        r = spec_check(spec, fields, ELEMENTSOF(fields), failure);
        if (r >= 0)
                r = repository_open(&reading.repository, json_field_text(spec, "repository"),
                                    json_field_text(spec, "repository_uuid"), REPOSITORY_LOOK,
                                    failure);
        if (r >= 0)
                r = verify_records_open(&reading.records, &reading.repository,
                                        json_field_text(spec, "instance_uuid"), failure);
        if (r < 0)
                return r;
        backup_id = json_field_text(spec, "backup_id");
        record = verify_records_get(&reading.records, backup_id, &why);
        if (!record)
                return failure_set(failure, BUS_ERROR_BACKUP_DAMAGED, "%s: %s", backup_id, why);
        *ret_result = json_pack("{s:O*}", "hardware", json_object_get(record, "hardware"));
        return *ret_result ? 0 : failure_errno(failure, -ENOMEM, "Cannot make the result");
}
