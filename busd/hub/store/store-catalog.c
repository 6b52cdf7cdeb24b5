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

/* Outcomes besides 0, that a record is in the catalog. */
enum {
        ADOPT_PROBLEM = 1, /* told */
        ADOPT_WAITS, /* for a layer below */
};

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
        return json_array_append_new(a->problems, json_string(text)) < 0 ? -ENOMEM : ADOPT_PROBLEM;
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
                        " capacity_bytes, backing_uuid, present) VALUES (?, ?, ?, ?, ?, ?, 0)"
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

static int settle_disk(Adoption *a, uint64_t vm_id, const json_t *disk)
{
        return statement_run(a->database,
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
static int settle_vm(Adoption *a, uint64_t vm_id, const json_t *record)
{
        uint64_t created_usec = object_number(record, "created_usec");
        const char *const lists[] = { "disks", "excluded" };
        CLEANUP(json_decrefp) json_t *row = NULL;
        const json_t *disk;
        int r;

        r = statement_row(a->database,
                          "SELECT v.id AS Id FROM vm_replication_contexts v"
                          " WHERE v.id = ? AND v.created_usec <= ? AND NOT EXISTS (SELECT 1"
                          "  FROM backup_jobs j WHERE j.vm_context_id = v.id"
                          "  AND j.created_usec > ?)",
                          SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(created_usec),
                                     SQL_NUMBER(created_usec)),
                          &row);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        r = statement_run(a->database, "UPDATE vm_disks SET present = 0 WHERE vm_context_id = ?",
                          SQL_VALUES(SQL_NUMBER(vm_id)), NULL, NULL);
        for (size_t list = 0; list < ELEMENTSOF(lists); list++) {
                size_t i;

                json_array_foreach (json_object_get(record, lists[list]), i, disk)
                        if (r >= 0)
                                r = settle_disk(a, vm_id, disk);
        }
        return r;
}

static int insert_all(Adoption *a, const json_t *record)
{
        uint64_t vm_id = 0, job_id = 0;
        const json_t *disk;
        size_t i;
        int r;

        if (json_array_size(json_object_get(record, "disks")) == 0)
                return -EINVAL;
        r = find_vm(a, record, &vm_id);
        if (r >= 0)
                r = insert_job(a, vm_id, record, &job_id);
        json_array_foreach (json_object_get(record, "disks"), i, disk)
                if (r >= 0)
                        r = insert_disk(a, job_id, vm_id, disk, "completed");
        json_array_foreach (json_object_get(record, "excluded"), i, disk)
                if (r >= 0)
                        r = insert_disk(a, job_id, vm_id, disk, "excluded");
        return r < 0 ? r : settle_vm(a, vm_id, record);
}

/* One that does not fit must not take the others of its transaction with it. */
static int adopt_new(Adoption *a, const json_t *record)
{
        const char *backup_id = object_text(record, "backup_id");
        char refused_by[STATEMENT_NAME_SIZE];
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
        (void) snprintf(refused_by, sizeof(refused_by), "%s", statement_refused_by());
        undone = statement_run(a->database, "ROLLBACK TO SAVEPOINT adopt", NULL, 0, NULL, NULL);
        if (undone < 0)
                return undone;
        if (r == -ENODATA)
                return ADOPT_WAITS;
        return problem(a, "Backup %s: %s%s%s", backup_id,
                       r == -EEXIST ? "the catalog has another entry with its files or disks"
                                    : "its record holds values that the catalog refuses",
                       *refused_by ? ": " : "", refused_by);
}

/* NULL when the row is what the record says of this disk. */
static const char *difference(const json_t *row, const json_t *disk)
{
        const char *parent = object_text(row, "ParentBackupId"),
                   *wanted = object_text(disk, "parent_backup_id");

        if (object_number(row, "CapacityBytes") != object_number(disk, "capacity_bytes"))
                return "capacity";
        if (strcmp(object_text(row, "File") ?: "", object_text(disk, "file") ?: "") != 0)
                return "file";
        if (strcmp(parent ?: "", wanted ?: "") != 0)
                return "parent";
        return NULL;
}

static const json_t *find_row(const json_t *rows, const json_t *disk)
{
        const json_t *row;
        size_t i;

        json_array_foreach (rows, i, row)
                if (object_number(row, "Key") == object_number(disk, "disk_key"))
                        return row;
        return NULL;
}

/* What the catalog has already must be what the record says; nothing is changed to make it so. */
static int compare_disks(Adoption *a, const json_t *record, uint64_t job_id)
{
        const json_t *disks = json_object_get(record, "disks"), *disk;
        CLEANUP(json_decrefp) json_t *rows = NULL;
        const char *backup_id = object_text(record, "backup_id");
        size_t i;
        int r;

        r = statement_rows(a->database,
                           "SELECT b.disk_key AS `Key`, b.capacity_bytes AS CapacityBytes,"
                           " b.file_path AS File, p.backup_id AS ParentBackupId FROM backup_disks b"
                           " LEFT JOIN backup_disks pb ON pb.id = b.parent_id"
                           " LEFT JOIN backup_jobs p ON p.id = pb.job_id"
                           " WHERE b.job_id = ? AND b.state = 'completed'",
                           SQL_VALUES(SQL_NUMBER(job_id)), &rows);
        if (r < 0)
                return r;
        if (json_array_size(rows) != json_array_size(disks))
                return problem(a, "Backup %s: the catalog has %zu disks of it, its record %zu",
                               backup_id, json_array_size(rows), json_array_size(disks));
        json_array_foreach (disks, i, disk) {
                const json_t *row = find_row(rows, disk);
                const char *what = row ? difference(row, disk) : "key";

                if (what)
                        return problem(a,
                                       "Backup %s: the catalog has another %s of disk %" PRIu64
                                       " than its record",
                                       backup_id, what, object_number(disk, "disk_key"));
        }
        a->n_known++;
        return 0;
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
                          "SELECT j.id AS Id, j.state AS State, j.repository_id AS RepositoryId,"
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
        return compare_disks(a, record, object_number(row, "Id"));
}

static int compare_created(const void *a, const void *b)
{
        uint64_t x = object_number(*(json_t *const *) a, "created_usec"),
                 y = object_number(*(json_t *const *) b, "created_usec");

        return x < y ? -1 : x > y;
}

/* Oldest first; what stands on a layer that comes later is tried again until nothing is gained. */
static int adopt_all(Adoption *a, json_t **records, size_t n)
{
        size_t n_waiting = n, n_before = 0;
        int r = 0;

        qsort(records, n, sizeof(json_t *), compare_created);
        for (bool is_first = true; n_waiting > 0 && (is_first || n_waiting < n_before);
             is_first = false) {
                n_before = n_waiting;
                n_waiting = 0;
                for (size_t i = 0; i < n_before; i++) {
                        r = adopt(a, records[i]);
                        if (r < 0)
                                return r;
                        if (r == ADOPT_WAITS)
                                records[n_waiting++] = records[i];
                }
        }
        for (size_t i = 0; i < n_waiting && r >= 0; i++)
                r = problem(a,
                            "Backup %s: a layer that it stands on is not in the catalog; if that "
                            "layer's record is there, scan once more",
                            object_text(records[i], "backup_id"));
        return r;
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
        json_t *in = json_object_get(request->in, "Records"), *record;
        size_t n = json_array_size(in), i;
        _cleanup_free_ json_t **records = calloc(n + 1, sizeof(json_t *));
        int r = problems && records ? 0 : -ENOMEM;

        if (r < 0)
                return r;
        json_array_foreach (in, i, record)
                records[i] = record;
        r = adopt_all(&adoption, records, n);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:I, s:I, s:O}", "Added", adoption.n_added, "Known",
                                              adoption.n_known, "Problems", problems));
}
