/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of obligations (see store-obligation.h).
 */
#include "store/store-obligation.h"

#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>

/* The keys of the disks that the job wrote. */
static int add_keys(MYSQL *database, json_t *obligation)
{
        CLEANUP(json_decrefp) json_t *rows = NULL, *keys = json_array();
        const json_t *row;
        size_t i;
        int r;

        r = statement_rows(database,
                           "SELECT disk_key AS `Key` FROM backup_disks WHERE job_id = ?"
                           " AND state <> 'excluded' ORDER BY disk_key",
                           SQL_VALUES(SQL_NUMBER(object_number(obligation, "Job"))), &rows);
        json_array_foreach (rows, i, row)
                if (r >= 0 && json_array_append(keys, json_object_get(row, "Key")) < 0)
                        r = -ENOMEM;
        if (r >= 0 && json_object_set(obligation, "DiskKeys", keys) < 0)
                r = -ENOMEM;
        return r;
}

int store_obligation_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *rows = NULL;
        json_t *row;
        size_t i;
        int r;

        r = statement_rows(
                        database,
                        "SELECT o.id AS Id, o.kind AS Kind, o.subject AS Subject, o.job_id AS Job,"
                        " o.attempts AS Attempts, o.created_usec AS CreatedUSec,"
                        " o.next_attempt_usec AS NextAttemptUSec, o.error_text AS Error,"
                        " j.state AS State, j.ending AS Ending, v.instance_uuid AS InstanceUuid,"
                        " j.backup_id AS BackupId, o.node_id AS NodeId, n.name AS Node,"
                        " v.credential_id AS CredentialId, r.path AS RepositoryPath,"
                        " r.repository_uuid AS RepositoryUuid"
                        " FROM obligations o JOIN backup_jobs j ON j.id = o.job_id"
                        " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                        " JOIN backup_repositories r ON r.id = j.repository_id"
                        " LEFT JOIN nodes n ON n.id = o.node_id"
                        " WHERE o.state = 'open' ORDER BY o.id LIMIT 1000",
                        NULL, 0, &rows);
        json_array_foreach (rows, i, row)
                if (r >= 0)
                        r = add_keys(database, row);
        return r < 0 ? r : store_answer(request, json_pack("{s:O}", "Obligations", rows));
}

int store_obligation_done(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        int r;

        r = statement_run(database,
                          "UPDATE obligations SET state = 'done', done_usec = ?, attempts = "
                          "attempts + 1,"
                          " error_text = NULL WHERE id = ? AND state = 'open'",
                          SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec")),
                                     SQL_NUMBER(object_number(request->in, "Id"))),
                          NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}

int store_obligation_failed(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        int r;

        r = statement_run(database,
                          "UPDATE obligations SET attempts = attempts + 1, error_text = LEFT(?, "
                          "2048),"
                          " next_attempt_usec = ? WHERE id = ? AND state = 'open'",
                          SQL_VALUES(sql_text(object_text(request->in, "ErrorText")),
                                     SQL_NUMBER(object_number(request->in, "NextAttemptUSec")),
                                     SQL_NUMBER(object_number(request->in, "Id"))),
                          NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}
