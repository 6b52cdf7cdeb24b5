/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adopting VM commit records (see store-catalog.h). What the database has already stays as it is; what
 * it lacks is made from the record, with the record's times. A record that does not fit is told, and
 * leaves nothing.
 */
#include "store/store-catalog.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "names.h"
#include "parse.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

typedef struct Adoption {
        MYSQL *database;
        uint64_t repository_id;
        json_t *problems;
        json_int_t n_added, n_known;
} Adoption;

static int problem(Adoption *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int problem(Adoption *a, const char *format, ...)
{
        char text[STORE_REFUSAL_TEXT_SIZE];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        return json_array_append_new(a->problems, json_string(text)) < 0 ? -ENOMEM : 1;
}

/* A context that another VM has would be a lie; the id is made anew from the time of the backup. */
static int insert_vm(Adoption *a, const json_t *record, uint64_t *ret_id)
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
                r = statement_run(a->database,
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

static int find_vm(Adoption *a, const json_t *record, uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(a->database,
                          "SELECT id AS Id FROM vm_replication_contexts WHERE instance_uuid = ?",
                          SQL_VALUES(sql_text(object_text(record, "instance_uuid"))), &row);
        if (r == -ENODATA)
                return insert_vm(a, record, ret_id);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

static int need_disk(Adoption *a, uint64_t vm_id, const json_t *disk)
{
        return statement_run(
                        a->database,
                        "INSERT INTO vm_disks (vm_context_id, disk_key, unit_number, controller,"
                        " capacity_bytes, backing_uuid, present) VALUES (?, ?, ?, ?, ?, ?, 1)"
                        " ON DUPLICATE KEY UPDATE disk_key = disk_key",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(object_number(disk, "disk_key")),
                                   SQL_NUMBER(object_number(disk, "unit_number")),
                                   sql_text(object_text(disk, "controller") ?: ""),
                                   SQL_NUMBER(object_number(disk, "capacity_bytes")),
                                   sql_text(object_text(disk, "backing_uuid"))),
                        NULL, NULL);
}

/* The layer below, 0 for a full. -ENODATA when it is not in the catalog. */
static int find_parent(Adoption *a, uint64_t vm_id, const json_t *disk, uint64_t *ret_id)
{
        const char *parent = object_text(disk, "parent_backup_id");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        *ret_id = 0;
        if (!parent)
                return 0;
        r = statement_row(a->database,
                          "SELECT b.id AS Id FROM backup_disks b JOIN backup_jobs j ON j.id = "
                          "b.job_id"
                          " WHERE j.backup_id = ? AND b.vm_context_id = ? AND b.repository_id = ?"
                          " AND b.disk_key = ? AND b.state = 'completed'",
                          SQL_VALUES(sql_text(parent), SQL_NUMBER(vm_id),
                                     SQL_NUMBER(a->repository_id),
                                     SQL_NUMBER(object_number(disk, "disk_key"))),
                          &row);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

static int insert_disk(Adoption *a, uint64_t job_id, uint64_t vm_id, const json_t *disk,
                       const char *state)
{
        bool is_excluded = strcmp(state, "excluded") == 0;
        uint64_t parent_id;
        int r;

        r = need_disk(a, vm_id, disk);
        if (r >= 0)
                r = find_parent(a, vm_id, disk, &parent_id);
        if (r < 0)
                return r;
        return statement_run(
                        a->database,
                        "INSERT INTO backup_disks (job_id, vm_context_id, repository_id, disk_key, "
                        "state,"
                        " backup_type, reason, capacity_bytes, backing_uuid, change_id, parent_id,"
                        " file_path, size_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        SQL_VALUES(SQL_NUMBER(job_id), SQL_NUMBER(vm_id),
                                   SQL_NUMBER(a->repository_id),
                                   SQL_NUMBER(object_number(disk, "disk_key")), sql_text(state),
                                   sql_text(is_excluded ? "full"
                                                        : object_text(disk, "backup_type")),
                                   sql_text(object_text(disk, "reason")),
                                   SQL_NUMBER(object_number(disk, "capacity_bytes")),
                                   sql_text(object_text(disk, "backing_uuid")),
                                   sql_text(object_text(disk, "change_id")),
                                   sql_number_or_null(parent_id),
                                   sql_text(is_excluded ? NULL : object_text(disk, "file")),
                                   sql_number_or_null(object_number(disk, "size_bytes"))),
                        NULL, NULL);
}

static int insert_job(Adoption *a, uint64_t vm_id, const json_t *record, uint64_t *ret_id)
{
        uint64_t created_usec = object_number(record, "created_usec"),
                 committed_usec = object_number(record, "committed_usec");

        return statement_run(
                        a->database,
                        "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id, "
                        "backup_id,"
                        " backup_type, state, principal, created_usec, started_usec, finished_usec)"
                        " VALUES ('backup', ?, ?, ?, ?, 'completed', ?, ?, ?, ?)",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(a->repository_id),
                                   sql_text(object_text(record, "backup_id")),
                                   sql_text(object_text(record, "backup_type")),
                                   sql_text(object_text(record, "principal") ?: "unknown"),
                                   SQL_NUMBER(created_usec), SQL_NUMBER(created_usec),
                                   SQL_NUMBER(committed_usec)),
                        NULL, ret_id);
}

static int insert_all(Adoption *a, const json_t *record)
{
        uint64_t vm_id, job_id;
        const json_t *disk;
        size_t i;
        int r;

        r = find_vm(a, record, &vm_id);
        if (r >= 0)
                r = insert_job(a, vm_id, record, &job_id);
        json_array_foreach (json_object_get(record, "disks"), i, disk)
                if (r >= 0)
                        r = insert_disk(a, job_id, vm_id, disk, "completed");
        json_array_foreach (json_object_get(record, "excluded"), i, disk)
                if (r >= 0)
                        r = insert_disk(a, job_id, vm_id, disk, "excluded");
        return r;
}

/* One that does not fit must not take the others of its transaction with it. */
static int adopt_new(Adoption *a, const json_t *record)
{
        const char *backup_id = object_text(record, "backup_id");
        int r, undone;

        r = statement_run(a->database, "SAVEPOINT adopt", NULL, 0, NULL, NULL);
        if (r >= 0)
                r = insert_all(a, record);
        if (r >= 0) {
                a->n_added++;
                return 0;
        }
        if (r != -ENODATA && r != -EINVAL && r != -EEXIST)
                return r;
        undone = statement_run(a->database, "ROLLBACK TO SAVEPOINT adopt", NULL, 0, NULL, NULL);
        if (undone < 0)
                return undone;
        return problem(a, "Backup %s: %s", backup_id,
                       r == -ENODATA  ? "a layer that it stands on is not in the catalog"
                       : r == -EEXIST ? "the catalog has another entry with its files or disks"
                                      : "its record holds values that the catalog refuses");
}

static int adopt(Adoption *a, const json_t *record)
{
        const char *backup_id = object_text(record, "backup_id"),
                   *uuid = object_text(record, "instance_uuid");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        if (!backup_id || !backup_id_is_valid(backup_id) || !uuid)
                return problem(a, "A record has no valid backup_id or instance_uuid");
        r = statement_row(a->database,
                          "SELECT j.state AS State, j.repository_id AS RepositoryId,"
                          " v.instance_uuid AS InstanceUuid FROM backup_jobs j"
                          " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                          " WHERE j.backup_id = ?",
                          SQL_VALUES(sql_text(backup_id)), &row);
        if (r == -ENODATA)
                return adopt_new(a, record);
        if (r < 0)
                return r;
        if (object_number(row, "RepositoryId") != a->repository_id ||
            strcmp(object_text(row, "InstanceUuid"), uuid) != 0)
                return problem(a,
                               "Backup %s: the catalog has it in another repository or of another "
                               "VM",
                               backup_id);
        if (strcmp(object_text(row, "State"), "completed") != 0)
                return problem(a, "Backup %s: the catalog says that it is %s", backup_id,
                               object_text(row, "State"));
        a->n_known++;
        return 0;
}

int store_catalog_adopt(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *problems = json_array();
        Adoption adoption = {
                .database = database,
                .repository_id = object_number(request->in, "RepositoryId"),
                .problems = problems,
        };
        const json_t *record;
        size_t i;
        int r = problems ? 0 : -ENOMEM;

        json_array_foreach (json_object_get(request->in, "Records"), i, record)
                if (r >= 0)
                        r = adopt(&adoption, record);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:I, s:I, s:O}", "Added", adoption.n_added, "Known",
                                              adoption.n_known, "Problems", problems));
}
