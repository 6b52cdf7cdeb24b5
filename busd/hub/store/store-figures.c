/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counting (see store-figures.h).
 */
#include "store/store-figures.h"

#include "cleanup.h"
#include "store/statement.h"
#include "store/store-backup.h"
#include "store/store-policy.h"
#include "store/store-request.h"

#include <errno.h>

static int count_jobs(MYSQL *database, json_t **ret_rows)
{
        return statement_rows(database,
                              "SELECT state AS State, COALESCE(error_name, '') AS ErrorName,"
                              " COUNT(*) AS Count FROM backup_jobs GROUP BY state, error_name"
                              " ORDER BY state, error_name",
                              NULL, 0, ret_rows);
}

static int list_vms(MYSQL *database, json_t **ret_rows)
{
        return statement_rows(
                        database,
                        "SELECT v.vm_name AS Vm, v.context_id AS ContextId,"
                        " COUNT(j.id) AS Backups, MAX(j.finished_usec) AS LastBackupUSec,"
                        " (SELECT l.backup_id FROM backup_jobs l WHERE l.vm_context_id = v.id"
                        "  AND l.job_type = 'backup' AND l.state = 'completed'"
                        "  AND l.deleted_usec IS NULL"
                        "  ORDER BY l.created_usec DESC, l.id DESC LIMIT 1) AS LastBackup,"
                        /* Somebody wants one: it was asked for, or a run of a policy was to make it. While the first is
                               * being made nothing is amiss. */
                        " CAST(COUNT(j.id) = 0 AND (EXISTS (SELECT 1 FROM backup_jobs a"
                        "   WHERE a.vm_context_id = v.id AND a.job_type = 'backup')"
                        "  OR EXISTS (SELECT 1 FROM policy_run_vms p"
                        "   WHERE p.vm_context_id = v.id))"
                        "  AND NOT EXISTS (SELECT 1 FROM backup_jobs o"
                        "   WHERE o.active_vm_context_id = v.id) AS UNSIGNED) AS Missing"
                        " FROM vm_replication_contexts v LEFT JOIN backup_jobs j"
                        " ON j.vm_context_id = v.id AND j.job_type = 'backup'"
                        "  AND j.state = 'completed' AND j.deleted_usec IS NULL GROUP BY "
                        "v.id ORDER BY v.vm_name, v.id",
                        NULL, 0, ret_rows);
}

static int count_rest(MYSQL *database, json_t **ret_row)
{
        return statement_row(
                        database,
                        "SELECT (SELECT COUNT(*) FROM port_leases) AS LeasesUsed,"
                        " (SELECT COUNT(*) FROM obligations o JOIN backup_jobs j"
                        "  ON j.id = o.job_id WHERE o.state = 'open'"
                        "  AND j.state IN ('completed', 'failed', 'cancelled')) AS ObligationsOwed,"
                        " (SELECT COALESCE(MIN(o.created_usec), 0) FROM obligations o"
                        "  JOIN backup_jobs j ON j.id = o.job_id WHERE o.state = 'open'"
                        "  AND j.state IN ('completed', 'failed', 'cancelled'))"
                        " AS OldestObligationUSec,"
                        " CAST((SELECT COALESCE(SUM(" STORED_BYTES "), 0) FROM backup_disks b"
                        "  JOIN backup_jobs j ON j.id = b.job_id WHERE b.state = 'completed'"
                        "  AND j.deleted_usec IS NULL) AS UNSIGNED) AS StoredBytes",
                        NULL, 0, ret_row);
}

static int list_policies(MYSQL *database, json_t **ret_rows)
{
        return statement_rows(database,
                              "SELECT p.name AS Policy, l.state AS State,"
                              " l.summary AS Summary, l.cause AS Cause,"
                              " COALESCE(l.created_usec, 0) AS LastRunUSec,"
                              " COALESCE(" POLICY_LAST_SUCCESS ", 0) AS LastSuccessUSec"
                              " FROM policies p LEFT JOIN policy_runs l ON l.id ="
                              "  (SELECT MAX(m.id) FROM policy_runs m WHERE m.policy_id = p.id"
                              "   AND m.state <> 'running')"
                              " WHERE p.removed_usec IS NULL ORDER BY p.name",
                              NULL, 0, ret_rows);
}

int store_figures(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *jobs = NULL, *vms = NULL, *policies = NULL, *rest = NULL;
        int r;

        r = count_jobs(database, &jobs);
        if (r >= 0)
                r = list_vms(database, &vms);
        if (r >= 0)
                r = list_policies(database, &policies);
        if (r >= 0)
                r = count_rest(database, &rest);
        if (r < 0)
                return r;
        if (json_object_set(rest, "JobCounts", jobs) < 0 ||
            json_object_set(rest, "PolicyFigures", policies) < 0 ||
            json_object_set(rest, "VmFigures", vms) < 0)
                return -ENOMEM;
        return store_answer(request, TAKE(rest));
}
