/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which failed jobs may be tried again (see store-job.h). It follows from the rows alone, so that no restart of the hub forgets one.
 */
#include "store/store-job.h"

#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* What was left out then and is still there, with its reason. */
static int add_excluded(MYSQL *database, json_t *row)
{
        CLEANUP(json_decrefp) json_t *disks = NULL, *exclude = json_object();
        const json_t *disk;
        size_t i;
        int r;

        if (!exclude)
                return -ENOMEM;
        r = statement_rows(database,
                           "SELECT b.disk_key AS `Key`, b.reason AS Reason FROM backup_disks b"
                           " JOIN vm_disks d ON d.vm_context_id = b.vm_context_id"
                           "  AND d.disk_key = b.disk_key AND d.present"
                           " WHERE b.job_id = ? AND b.state = 'excluded'",
                           SQL_VALUES(SQL_NUMBER(object_number(row, "Job"))), &disks);
        if (r < 0)
                return r;
        json_array_foreach (disks, i, disk) {
                char key[24];

                (void) snprintf(key, sizeof(key), "%" PRIu64, object_number(disk, "Key"));
                if (json_object_set(exclude, key, json_object_get(disk, "Reason")) < 0)
                        return -ENOMEM;
        }
        if (json_object_size(exclude) == 0)
                return 0;
        return json_object_set(row, "Exclude", exclude) < 0 ? -ENOMEM : 0;
}

int store_job_retries(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *rows = NULL;
        json_t *row;
        size_t i;
        int r;

        r = statement_rows(database,
                           "SELECT j.id AS Job, v.vm_name AS Name, v.context_id AS Vm,"
                           " r.name AS Repository, j.backup_type AS BackupType,"
                           " j.principal AS Principal, j.error_name AS ErrorName,"
                           " j.retry_number + 1 AS RetryNumber,"
                           " (SELECT n.live_name FROM nodes n JOIN job_events e ON e.job_id = j.id"
                           "  WHERE n.id = j.node_id AND e.from_state IS NULL"
                           "  AND e.reason = '" JOB_ASKED_AT_NODE "') AS Node"
                           " FROM backup_jobs j"
                           " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                           " JOIN backup_repositories r ON r.id = j.repository_id"
                           " WHERE j.state = 'failed' AND j.job_type = 'backup'"
                           " AND j.node_id IS NOT NULL AND v.credential_id IS NOT NULL"
                           " AND j.retry_number < ? AND j.finished_usec <= ?"
                           " AND j.finished_usec > ?"
                           /* Who asked again has it in his own hands; a scan asks for nothing. */
                           " AND NOT EXISTS (SELECT 1 FROM backup_jobs k"
                           "  WHERE k.vm_context_id = j.vm_context_id AND k.id > j.id"
                           "  AND k.created_usec >= j.created_usec AND k.job_type = 'backup')"
                           " ORDER BY j.finished_usec LIMIT 1000",
                           SQL_VALUES(SQL_NUMBER(object_number(request->in, "Count")),
                                      SQL_NUMBER(object_number(request->in, "BeforeUSec")),
                                      SQL_NUMBER(object_number(request->in, "AfterUSec"))),
                           &rows);
        json_array_foreach (rows, i, row)
                if (r >= 0)
                        r = add_excluded(database, row);
        return r < 0 ? r : store_answer(request, json_pack("{s:O}", "Jobs", rows));
}
