/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deletions and chains in the database (see store-delete.h). Who builds on whom follows from the rows themselves; only what a merge
 * made of the files is taken from its result.
 */
#include "store/store-delete.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "json-cleanup.h"
#include "store/statement.h"
#include "store/store-backup.h"
#include "store/store-request.h"
#include "store/store-vm.h"

#include <errno.h>
#include <string.h>

int delete_refuse_last(MYSQL *database, StoreRequest *request, const json_t *backup)
{
        const json_t *force = json_object_get(json_object_get(request->in, "Work"), "force");
        CLEANUP(json_decref_p) json_t *row = NULL;
        int r;

        if (json_is_true(force))
                return 0;
        r = statement_row(database,
                          /* What is above a damaged layer is damaged. */
                          "WITH RECURSIVE damaged (id, job_id) AS ("
                          " SELECT id, job_id FROM backup_disks WHERE vm_context_id = ?"
                          "  AND damaged_usec IS NOT NULL"
                          " UNION SELECT b.id, b.job_id FROM backup_disks b"
                          "  JOIN damaged d ON b.parent_id = d.id)"
                          " SELECT j.id AS Id FROM backup_jobs j WHERE j.vm_context_id = ?"
                          " AND j.job_type = 'backup' AND j.state = 'completed'"
                          " AND j.deleted_usec IS NULL"
                          /* Another one is sound, or a layer of this one itself is damaged. */
                          " AND IF(j.id = ?, EXISTS (SELECT 1 FROM backup_disks b"
                          "  WHERE b.job_id = j.id AND b.damaged_usec IS NOT NULL),"
                          "  j.id NOT IN (SELECT job_id FROM damaged)"
                          /* One made without a disk of this one is no copy of it. */
                          "  AND NOT EXISTS (SELECT 1 FROM backup_disks x"
                          "   JOIN backup_disks o ON o.disk_key = x.disk_key AND o.job_id = ?"
                          "    AND o.state = 'completed'"
                          "   WHERE x.job_id = j.id AND x.state = 'excluded')) LIMIT 1",
                          SQL_VALUES(SQL_NUMBER(object_number(backup, "Vm")),
                                     SQL_NUMBER(object_number(backup, "Vm")),
                                     SQL_NUMBER(object_number(backup, "Id")),
                                     SQL_NUMBER(object_number(backup, "Id"))),
                          &row);
        if (r != -ENODATA)
                return r;
        return store_refuse(request, -EMLINK, BUS_ERROR_LAST_BACKUP,
                            "'%.100s' is the last sound backup of its VM with all of its disks; it "
                            "is deleted only when that is asked for with force",
                            object_text(request->in, "BackupId"));
}

/* One layer as the merge left it. A file that was made anew has not been verified. */
static int follow_layer(MYSQL *database, const char *backup_id, const json_t *disk)
{
        return statement_run(database,
                             "UPDATE backup_disks b JOIN backup_jobs j ON j.id = b.job_id"
                             " SET b.verified_usec = IF(b.size_bytes = ?, b.verified_usec, NULL),"
                             " b.size_bytes = ?, b.stored_bytes = ?"
                             " WHERE j.backup_id = ? AND j.state = 'completed'"
                             " AND b.disk_key = ?",
                             SQL_VALUES(SQL_NUMBER(object_number(disk, "size_bytes")),
                                        SQL_NUMBER(object_number(disk, "size_bytes")),
                                        sql_number_or_null(object_number(disk, "stored_bytes")),
                                        sql_text(backup_id),
                                        SQL_NUMBER(object_number(disk, "disk_key"))),
                             NULL, NULL);
}

static int follow_children(MYSQL *database, const json_t *in)
{
        const json_t *children = json_object_get(json_object_get(in, "WorkResult"), "children");
        const json_t *child, *disk;
        size_t i, k;
        int r = 0;

        json_array_foreach (children, i, child) {
                const char *backup_id = object_text(child, "backup_id");

                if (!backup_id)
                        continue;
                json_array_foreach (json_object_get(child, "disks"), k, disk)
                        if (r >= 0)
                                r = follow_layer(database, backup_id, disk);
        }
        return r;
}

/* What is wrong in the layer that goes is in those that took it over; not that it was half gone. Those that went before stand on what
 * their records say. */
static int reparent(MYSQL *database, uint64_t target)
{
        int r = statement_run(
                        database,
                        "UPDATE backup_disks c JOIN backup_disks x ON c.parent_id = x.id"
                        " JOIN backup_jobs j ON j.id = c.job_id AND j.deleted_usec IS NULL"
                        " SET c.backup_type = x.backup_type, c.parent_id = x.parent_id,"
                        " c.verified_usec = NULL,"
                        " c.damaged_usec = COALESCE(c.damaged_usec,"
                        "  IF(x.damage_text LIKE '" DELETE_BEGUN_TEXT "%', NULL, x.damaged_usec)),"
                        " c.damage_text = COALESCE(c.damage_text,"
                        "  IF(x.damage_text LIKE '" DELETE_BEGUN_TEXT "%', NULL, x.damage_text))"
                        " WHERE x.job_id = ?",
                        SQL_VALUES(SQL_NUMBER(target)), NULL, NULL);

        /* A backup all of whose disks stand for themselves is a full one. */
        return r < 0 ? r
                     : statement_run(database,
                                     "UPDATE backup_jobs j JOIN backup_jobs t"
                                     " ON t.vm_context_id = j.vm_context_id"
                                     " AND t.repository_id = j.repository_id"
                                     " SET j.backup_type = 'full' WHERE t.id = ?"
                                     " AND j.job_type = 'backup' AND j.state = 'completed'"
                                     " AND j.backup_type = 'incremental'"
                                     " AND NOT EXISTS (SELECT 1 FROM backup_disks b"
                                     "  WHERE b.job_id = j.id AND b.parent_id IS NOT NULL)",
                                     SQL_VALUES(SQL_NUMBER(target)), NULL, NULL);
}

/* Shown of the disk; the plan of a backup asks its newest layer itself. */
int disks_set_change_ids(MYSQL *database, uint64_t job_id)
{
        return statement_run(
                        database,
                        "UPDATE vm_disks d JOIN backup_disks x ON x.vm_context_id = d.vm_context_id"
                        " AND x.disk_key = d.disk_key SET d.change_id = ("
                        " SELECT b.change_id FROM backup_disks b"
                        "  JOIN backup_jobs j ON j.id = b.job_id"
                        "  WHERE b.vm_context_id = d.vm_context_id AND b.disk_key = d.disk_key"
                        "  AND b.state = 'completed' AND j.state = 'completed'"
                        "  AND j.deleted_usec IS NULL"
                        "  ORDER BY j.created_usec DESC, b.id DESC LIMIT 1)"
                        " WHERE x.job_id = ?",
                        SQL_VALUES(SQL_NUMBER(job_id)), NULL, NULL);
}

int delete_rows(MYSQL *database, const json_t *in)
{
        CLEANUP(json_decref_p) json_t *row = NULL;
        uint64_t target;
        int r;

        r = statement_row(database, "SELECT target_job_id AS Target FROM backup_jobs WHERE id = ?",
                          SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), &row);
        if (r < 0)
                return r;
        target = object_number(row, "Target");
        r = statement_run(database,
                          "UPDATE backup_jobs SET deleted_usec = ? WHERE id = ?"
                          " AND deleted_usec IS NULL",
                          SQL_VALUES(SQL_NUMBER(object_number(in, "NowUSec")), SQL_NUMBER(target)),
                          NULL, NULL);
        if (r >= 0)
                r = reparent(database, target);
        if (r >= 0)
                r = follow_children(database, in);
        return r < 0 ? r : disks_set_change_ids(database, target);
}

int store_chain_get(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decref_p) json_t *vm = NULL;
        json_t *layers = NULL;
        int r;

        r = vm_find(database, request, object_text(request->in, "Vm"), &vm);
        if (r < 0)
                return r;
        r = statement_rows(database,
                           "SELECT b.disk_key AS `Key`, j.backup_id AS BackupId, j.id AS Job,"
                           " p.backup_id AS ParentBackupId, b.backup_type AS BackupType,"
                           " j.created_usec AS CreatedUSec, b.capacity_bytes AS CapacityBytes,"
                           " " STORED_BYTES " AS SizeBytes, r.name AS Repository,"
                           " b.verified_usec AS VerifiedUSec, b.damaged_usec AS DamagedUSec"
                           " FROM backup_disks b JOIN backup_jobs j ON j.id = b.job_id"
                           " JOIN backup_repositories r ON r.id = b.repository_id"
                           " LEFT JOIN backup_disks q ON q.id = b.parent_id"
                           " LEFT JOIN backup_jobs p ON p.id = q.job_id"
                           " WHERE b.vm_context_id = ? AND b.state = 'completed'"
                           " AND j.state = 'completed' AND j.deleted_usec IS NULL"
                           " ORDER BY b.disk_key, r.name, j.created_usec, j.id LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(object_number(vm, "Id")),
                                      SQL_NUMBER(object_number(request->in, "Limit"))),
                           &layers);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Layers", layers));
}
