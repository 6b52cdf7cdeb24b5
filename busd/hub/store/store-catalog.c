/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adopting VM commit records (see store-catalog.h). What the database has already stays as it is; what
 * it lacks is made from the record, with the record's times. A record that does not fit is told, and
 * leaves nothing.
 */
#include "store/store-catalog.h"

#include "cleanup.h"
#include "names.h"
#include "store/statement.h"
#include "store/store-catalog-rows.h"
#include "store/store-delete.h"
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
        CatalogPlace place;
        uint64_t begun_usec, now_usec;
        json_t *problems;
        json_int_t n_added, n_known;
} Adoption;

#define DELETED_TEXT "the catalog says that it was deleted, and its record is there"

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

/* One that does not fit must not take the others of its transaction with it. */
static int adopt_new(Adoption *a, const json_t *record)
{
        const char *backup_id = object_text(record, "backup_id");
        char refused_by[STATEMENT_NAME_SIZE];
        int r, undone;

        r = statement_run(a->place.database, "SAVEPOINT adopt", NULL, 0, NULL, NULL);
        if (r >= 0)
                r = catalog_insert(&a->place, record);
        if (r >= 0) {
                a->n_added++;
                return 0;
        }
        if (r != -ENODATA && r != -EINVAL && r != -EEXIST)
                return r;
        (void) snprintf(refused_by, sizeof(refused_by), "%s", statement_refused_by());
        undone = statement_run(a->place.database, "ROLLBACK TO SAVEPOINT adopt", NULL, 0, NULL,
                               NULL);
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

/* Of a backup that a version before has made, or of which the hub that made it was killed. */
static int learn_size(const Adoption *a, uint64_t job_id, const json_t *row, const json_t *disk)
{
        if (object_number(row, "StoredBytes") > 0 || object_number(disk, "stored_bytes") == 0)
                return 0;
        return statement_run(a->place.database,
                             "UPDATE backup_disks SET stored_bytes = ?,"
                             " size_bytes = COALESCE(size_bytes, ?)"
                             " WHERE job_id = ? AND disk_key = ? AND state = 'completed'",
                             SQL_VALUES(SQL_NUMBER(object_number(disk, "stored_bytes")),
                                        sql_number_or_null(object_number(disk, "size_bytes")),
                                        SQL_NUMBER(job_id),
                                        SQL_NUMBER(object_number(disk, "disk_key"))),
                             NULL, NULL);
}

/* What the catalog has already must be what the record says; nothing is changed to make it so but a size that is not known. */
static int compare_disks(Adoption *a, const json_t *record, const json_t *known)
{
        const char *backup_id = object_text(record, "backup_id"),
                   *deleted = object_number(known, "DeletedUSec") > 0 ? DELETED_TEXT "; " : "";
        const json_t *disks = json_object_get(record, "disks"), *disk;
        CLEANUP(json_decrefp) json_t *rows = NULL;
        size_t i;
        int r;

        r = statement_rows(a->place.database,
                           "SELECT b.disk_key AS `Key`, b.capacity_bytes AS CapacityBytes,"
                           " b.file_path AS File, b.stored_bytes AS StoredBytes,"
                           " p.backup_id AS ParentBackupId FROM backup_disks b"
                           " LEFT JOIN backup_disks pb ON pb.id = b.parent_id"
                           " LEFT JOIN backup_jobs p ON p.id = pb.job_id"
                           " WHERE b.job_id = ? AND b.state = 'completed'",
                           SQL_VALUES(SQL_NUMBER(object_number(known, "Id"))), &rows);
        if (r < 0)
                return r;
        if (json_array_size(rows) != json_array_size(disks))
                return problem(a, "Backup %s: %sthe catalog has %zu disks of it, its record %zu",
                               backup_id, deleted, json_array_size(rows), json_array_size(disks));
        json_array_foreach (disks, i, disk) {
                const json_t *row = find_row(rows, disk);
                const char *what = row ? difference(row, disk) : "key";

                if (what)
                        return problem(a,
                                       "Backup %s: %sthe catalog has another %s of disk %" PRIu64
                                       " than its record",
                                       backup_id, deleted, what, object_number(disk, "disk_key"));
                r = learn_size(a, object_number(known, "Id"), row, disk);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take_back(Adoption *a, uint64_t job_id)
{
        int r;

        r = statement_run(a->place.database,
                          "UPDATE backup_jobs SET deleted_usec = NULL WHERE id = ?",
                          SQL_VALUES(SQL_NUMBER(job_id)), NULL, NULL);
        if (r >= 0)
                r = statement_run(a->place.database,
                                  "UPDATE backup_disks SET verified_usec = NULL,"
                                  " damaged_usec = IF(damage_text LIKE '" DELETE_BEGUN_TEXT "%',"
                                  "  NULL, damaged_usec),"
                                  " damage_text = IF(damaged_usec IS NULL, NULL, damage_text)"
                                  " WHERE job_id = ?",
                                  SQL_VALUES(SQL_NUMBER(job_id)), NULL, NULL);
        if (r >= 0)
                r = disks_set_change_ids(a->place.database, job_id);
        if (r >= 0)
                a->n_added++;
        return r;
}

static int stands_on_deleted(const Adoption *a, uint64_t job_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(a->place.database,
                          "SELECT p.id AS Id FROM backup_disks b"
                          " JOIN backup_disks pb ON pb.id = b.parent_id"
                          " JOIN backup_jobs p ON p.id = pb.job_id"
                          " WHERE b.job_id = ? AND p.deleted_usec IS NOT NULL LIMIT 1",
                          SQL_VALUES(SQL_NUMBER(job_id)), &row);
        return r == -ENODATA ? 0 : r < 0 ? r : 1;
}

/* Somebody has brought its files back. Not so one that went while the list of the records was made, or is going: the list is older
 * than that. */
static int adopt_deleted(Adoption *a, const json_t *record, const json_t *known)
{
        uint64_t job_id = object_number(known, "Id");
        int r;

        if (object_number(known, "DeletedUSec") >= a->begun_usec ||
            object_number(known, "IsGoing") > 0) {
                a->n_known++;
                return 0;
        }
        r = compare_disks(a, record, known);
        if (r != 0)
                return r;
        if (json_is_true(json_object_get(record, CATALOG_IS_FLAWED)) &&
            !json_is_true(json_object_get(record, CATALOG_IS_DELETING)))
                return problem(a,
                               "Backup %s: " DELETED_TEXT
                               "; it is not taken in while something is wrong with it",
                               object_text(record, "backup_id"));
        r = stands_on_deleted(a, job_id);
        return r > 0 ? ADOPT_WAITS : r < 0 ? r : take_back(a, job_id);
}

/* Nobody knows what is left of it, and only its deletion can be asked for. One that a job is about, or that is gone meanwhile, is known
 * for what it is. */
static int mark_deleting(const Adoption *a, const char *backup_id)
{
        return statement_run(a->place.database,
                             "UPDATE backup_disks b JOIN backup_jobs j ON j.id = b.job_id"
                             " SET b.damaged_usec = COALESCE(b.damaged_usec, ?),"
                             " b.damage_text = COALESCE(b.damage_text, ?)"
                             " WHERE j.backup_id = ? AND b.state = 'completed'"
                             " AND j.deleted_usec IS NULL AND NOT EXISTS (SELECT 1"
                             "  FROM backup_jobs d WHERE d.target_job_id = j.id"
                             "  AND d.job_type = 'delete'"
                             "  AND d.state NOT IN ('completed', 'failed', 'cancelled'))",
                             SQL_VALUES(SQL_NUMBER(a->now_usec), sql_text(DELETE_UNFINISHED_TEXT),
                                        sql_text(backup_id)),
                             NULL, NULL);
}

static int adopt_record(Adoption *a, const json_t *record)
{
        const char *backup_id = object_text(record, "backup_id"),
                   *uuid = object_text(record, "instance_uuid");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        if (!backup_id || !backup_id_is_valid(backup_id) || !uuid)
                return problem(a, "A record has no valid backup_id or instance_uuid");
        r = statement_row(a->place.database,
                          "SELECT j.id AS Id, j.state AS State, j.repository_id AS RepositoryId,"
                          " j.deleted_usec AS DeletedUSec, v.instance_uuid AS InstanceUuid,"
                          " EXISTS (SELECT 1 FROM backup_jobs d WHERE d.target_job_id = j.id"
                          "  AND d.job_type = 'delete'"
                          "  AND d.state NOT IN ('completed', 'failed', 'cancelled')) AS IsGoing"
                          " FROM backup_jobs j"
                          " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                          " WHERE j.backup_id = ?",
                          SQL_VALUES(sql_text(backup_id)), &row);
        if (r == -ENODATA)
                return adopt_new(a, record);
        if (r < 0)
                return r;
        if (object_number(row, "RepositoryId") != a->place.repository_id ||
            strcmp(object_text(row, "InstanceUuid"), uuid) != 0)
                return problem(a,
                               "Backup %s: the catalog has it in another repository or of another "
                               "VM",
                               backup_id);
        if (strcmp(object_text(row, "State"), "completed") != 0)
                return problem(a, "Backup %s: the catalog says that it is %s", backup_id,
                               object_text(row, "State"));
        if (object_number(row, "DeletedUSec") > 0)
                return adopt_deleted(a, record, row);
        r = compare_disks(a, record, row);
        if (r == 0)
                a->n_known++;
        return r;
}

static int adopt(Adoption *a, const json_t *record)
{
        int r = adopt_record(a, record);

        if (r == 0 && json_is_true(json_object_get(record, CATALOG_IS_DELETING)))
                r = mark_deleting(a, object_text(record, "backup_id"));
        return r;
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
                            "Backup %s: a layer that it stands on is not in the catalog, or "
                            "deleted; if that layer's record is there, scan once more",
                            object_text(records[i], "backup_id"));
        return r;
}

int store_catalog_adopt(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *problems = json_array();
        Adoption adoption = {
                .place = { database, object_number(request->in, "RepositoryId") },
                .begun_usec = object_number(request->in, "BegunUSec"),
                .now_usec = object_number(request->in, "NowUSec"),
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
