/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows made from commit records (see store-catalog-rows.h), with the records' times.
 */
#include "store/store-catalog-rows.h"

#include "cleanup.h"
#include "names.h"
#include "parse.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* A context that another VM has would be a lie; the id is made anew from the time of the backup. */
static int insert_vm(const CatalogPlace *place, const json_t *record, uint64_t *ret_id)
{
        const char *context_id = object_text(record, "context_id"),
                   *name = object_text(record, "vm_name") ?: "vm";
        uint64_t created_usec = object_number(record, "created_usec");
        char made[CONTEXT_ID_SIZE];
        int r = -EEXIST;

        for (unsigned n = 0; r == -EEXIST && n < 100; n++) {
                if (n > 0 || !context_id || !context_id_is_valid(context_id)) {
                        r = context_id_format(name, (int64_t) (created_usec / USEC_PER_SEC + n),
                                              made);
                        if (r < 0)
                                return r;
                        context_id = made;
                }
                r = statement_run(place->database,
                                  "INSERT INTO vm_replication_contexts (context_id, instance_uuid,"
                                  " vm_name, vm_path, created_usec) VALUES (?, ?, ?, ?, ?)",
                                  SQL_VALUES(sql_text(context_id),
                                             sql_text(object_text(record, "instance_uuid")),
                                             sql_text(name),
                                             sql_text(object_text(record, "vm_path") ?: name),
                                             SQL_NUMBER(created_usec)),
                                  NULL, ret_id);
        }
        return r;
}

static int find_vm(const CatalogPlace *place, const json_t *record, uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(place->database,
                          "SELECT id AS Id FROM vm_replication_contexts WHERE instance_uuid = ?",
                          SQL_VALUES(sql_text(object_text(record, "instance_uuid"))), &row);
        if (r == -ENODATA)
                return insert_vm(place, record, ret_id);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

static int need_disk(const CatalogPlace *place, uint64_t vm_id, const json_t *disk)
{
        return statement_run(
                        place->database,
                        "INSERT INTO vm_disks (vm_context_id, disk_key, unit_number, controller,"
                        " capacity_bytes, backing_uuid, present) VALUES (?, ?, ?, ?, ?, ?, 0)"
                        " ON DUPLICATE KEY UPDATE disk_key = disk_key",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(object_number(disk, "disk_key")),
                                   SQL_NUMBER(object_number(disk, "unit_number")),
                                   sql_text(object_text(disk, "controller") ?: ""),
                                   SQL_NUMBER(object_number(disk, "capacity_bytes")),
                                   sql_text(object_text(disk, "backing_uuid"))),
                        NULL, NULL);
}

/* The layer below, 0 for a full. -ENODATA when it is not in the catalog, or deleted. */
static int find_parent(const CatalogPlace *place, uint64_t vm_id, const json_t *disk,
                       uint64_t *ret_id)
{
        const char *parent = object_text(disk, "parent_backup_id");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        *ret_id = 0;
        if (!parent)
                return 0;
        r = statement_row(place->database,
                          "SELECT b.id AS Id FROM backup_disks b JOIN backup_jobs j ON j.id = "
                          "b.job_id"
                          " WHERE j.backup_id = ? AND b.vm_context_id = ? AND b.repository_id = ?"
                          " AND b.disk_key = ? AND b.state = 'completed'"
                          " AND j.deleted_usec IS NULL",
                          SQL_VALUES(sql_text(parent), SQL_NUMBER(vm_id),
                                     SQL_NUMBER(place->repository_id),
                                     SQL_NUMBER(object_number(disk, "disk_key"))),
                          &row);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

static int insert_disk(const CatalogPlace *place, uint64_t job_id, uint64_t vm_id,
                       const json_t *disk, const char *state)
{
        bool is_excluded = strcmp(state, "excluded") == 0;
        uint64_t parent_id;
        int r;

        r = need_disk(place, vm_id, disk);
        if (r >= 0)
                r = find_parent(place, vm_id, disk, &parent_id);
        if (r < 0)
                return r;
        return statement_run(
                        place->database,
                        "INSERT INTO backup_disks (job_id, vm_context_id, repository_id, disk_key, "
                        "state,"
                        " backup_type, reason, capacity_bytes, backing_uuid, change_id, parent_id,"
                        " file_path, size_bytes, stored_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, "
                        "?, ?, ?, ?,"
                        " ?)",
                        SQL_VALUES(SQL_NUMBER(job_id), SQL_NUMBER(vm_id),
                                   SQL_NUMBER(place->repository_id),
                                   SQL_NUMBER(object_number(disk, "disk_key")), sql_text(state),
                                   sql_text(is_excluded ? "full"
                                                        : object_text(disk, "backup_type")),
                                   sql_text(object_text(disk, "reason")),
                                   SQL_NUMBER(object_number(disk, "capacity_bytes")),
                                   sql_text(object_text(disk, "backing_uuid")),
                                   sql_text(object_text(disk, "change_id")),
                                   sql_number_or_null(parent_id),
                                   sql_text(is_excluded ? NULL : object_text(disk, "file")),
                                   sql_number_or_null(object_number(disk, "size_bytes")),
                                   sql_number_or_null(object_number(disk, "stored_bytes"))),
                        NULL, NULL);
}

static int insert_job(const CatalogPlace *place, uint64_t vm_id, const json_t *record,
                      uint64_t *ret_id)
{
        uint64_t created_usec = object_number(record, "created_usec"),
                 committed_usec = object_number(record, "committed_usec");

        return statement_run(
                        place->database,
                        "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id, "
                        "backup_id,"
                        " backup_type, state, principal, created_usec, started_usec, finished_usec)"
                        " VALUES ('backup', ?, ?, ?, ?, 'completed', ?, ?, ?, ?)",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(place->repository_id),
                                   sql_text(object_text(record, "backup_id")),
                                   sql_text(object_text(record, "backup_type")),
                                   sql_text(object_text(record, "principal") ?: "unknown"),
                                   SQL_NUMBER(created_usec), SQL_NUMBER(created_usec),
                                   SQL_NUMBER(committed_usec)),
                        NULL, ret_id);
}

static int settle_disk(const CatalogPlace *place, uint64_t vm_id, const json_t *disk)
{
        return statement_run(place->database,
                             "UPDATE vm_disks SET present = 1, unit_number = ?, controller = ?,"
                             " capacity_bytes = ?, backing_uuid = ?, change_id = ?"
                             " WHERE vm_context_id = ? AND disk_key = ?",
                             SQL_VALUES(SQL_NUMBER(object_number(disk, "unit_number")),
                                        sql_text(object_text(disk, "controller") ?: ""),
                                        SQL_NUMBER(object_number(disk, "capacity_bytes")),
                                        sql_text(object_text(disk, "backing_uuid")),
                                        sql_text(object_text(disk, "change_id")), SQL_NUMBER(vm_id),
                                        SQL_NUMBER(object_number(disk, "disk_key"))),
                             NULL, NULL);
}

/* The newest backup of a VM says what the VM is like, unless somebody has said it since: the VM was
 * entered, or a job of it made, after that backup. */
static int settle_vm(const CatalogPlace *place, uint64_t vm_id, const json_t *record)
{
        uint64_t created_usec = object_number(record, "created_usec");
        const char *const lists[] = { "disks", "excluded" };
        CLEANUP(json_decrefp) json_t *row = NULL;
        const json_t *disk;
        int r;

        r = statement_row(place->database,
                          "SELECT v.id AS Id FROM vm_replication_contexts v"
                          " WHERE v.id = ? AND v.created_usec <= ? AND NOT EXISTS (SELECT 1"
                          "  FROM backup_jobs j WHERE j.vm_context_id = v.id"
                          "  AND j.created_usec > ?)",
                          SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(created_usec),
                                     SQL_NUMBER(created_usec)),
                          &row);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        r = statement_run(place->database,
                          "UPDATE vm_disks SET present = 0 WHERE vm_context_id = ?",
                          SQL_VALUES(SQL_NUMBER(vm_id)), NULL, NULL);
        for (size_t list = 0; list < ELEMENTSOF(lists); list++) {
                size_t i;

                json_array_foreach (json_object_get(record, lists[list]), i, disk)
                        if (r >= 0)
                                r = settle_disk(place, vm_id, disk);
        }
        return r;
}

int catalog_insert(const CatalogPlace *place, const json_t *record)
{
        uint64_t vm_id = 0, job_id = 0;
        const json_t *disk;
        size_t i;
        int r;

        if (json_array_size(json_object_get(record, "disks")) == 0)
                return -EINVAL;
        r = find_vm(place, record, &vm_id);
        if (r >= 0)
                r = insert_job(place, vm_id, record, &job_id);
        json_array_foreach (json_object_get(record, "disks"), i, disk)
                if (r >= 0)
                        r = insert_disk(place, job_id, vm_id, disk, "completed");
        json_array_foreach (json_object_get(record, "excluded"), i, disk)
                if (r >= 0)
                        r = insert_disk(place, job_id, vm_id, disk, "excluded");
        return r < 0 ? r : settle_vm(place, vm_id, record);
}
