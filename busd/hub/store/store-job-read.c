/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs as rows (see store-job.h): for the runner, for lists, for one job with its history.
 */
#include "store/store-job.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job-types.h"
#include "store/statement.h"
#include "store/store-backup.h"
#include "store/store-request.h"
#include "store/store-verify.h"
#include "store/store-vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

enum {
        JOB_LAYERS_MAX = 4096, /* that a verification is told of */
};

/* The row has what was asked for, which a repeated request is compared with. One none of whose disks stands on a layer, as a first one, is
 * a full. */
#define BACKUP_TYPE                                                 \
        "IF(j.backup_type = 'incremental' AND NOT EXISTS (SELECT 1" \
        " FROM backup_disks a WHERE a.job_id = j.id"                \
        " AND a.backup_type = 'incremental'), 'full', j.backup_type) AS BackupType"

/* In the words of the bus. */
#define JOB_COLUMNS                                                                    \
        "j.id AS Id, j.job_type AS Type, j.state AS State, j.ending AS Ending,"        \
        " v.vm_name AS Vm, v.context_id AS ContextId,"                                 \
        " COALESCE(j.backup_id, t.backup_id) AS BackupId,"                             \
        " " BACKUP_TYPE ", r.name AS Repository, j.principal AS Principal,"            \
        " j.attempt AS Attempt, j.error_name AS ErrorName, j.error_text AS ErrorText," \
        " j.created_usec AS CreatedUSec, j.started_usec AS StartedUSec,"               \
        " j.finished_usec AS FinishedUSec, n.name AS Node, j.retry_of AS RetryOf,"     \
        " j.unit AS Unit"

#define JOB_TABLES                                                                     \
        " FROM backup_jobs j JOIN vm_replication_contexts v ON v.id = j.vm_context_id" \
        " JOIN backup_repositories r ON r.id = j.repository_id"                        \
        " LEFT JOIN nodes n ON n.id = j.node_id"                                       \
        " LEFT JOIN backup_jobs t ON t.id = j.target_job_id"

#define RUNNER_COLUMNS                                                                             \
        JOB_COLUMNS                                                                                \
        ", v.instance_uuid AS InstanceUuid, v.vm_path AS VmPath, v.credential_id AS CredentialId," \
        " CONCAT(v.credential_id, ':', v.host_ref) AS Host,"                                       \
        " j.node_id AS NodeId, j.repository_id AS RepositoryId,"                                   \
        " r.path AS RepositoryPath, r.repository_uuid AS RepositoryUuid,"                          \
        " j.invocation_id AS InvocationId, j.boot_id AS BootId,"                                   \
        " j.target_job_id AS TargetJob, j.work AS Work, j.work_result AS WorkResult,"              \
        " j.vm_state AS VmState"

#define DISK_COLUMNS                                                                  \
        "b.id AS Id, b.disk_key AS `Key`, d.unit_number AS UnitNumber,"               \
        " d.controller AS Controller, b.state AS State, b.backup_type AS BackupType," \
        " b.reason AS Reason, b.capacity_bytes AS CapacityBytes,"                     \
        " b.backing_uuid AS BackingUuid, b.change_id AS ChangeId,"                    \
        " b.parent_id AS ParentId, p.backup_id AS ParentBackupId,"                    \
        " pb.change_id AS ParentChangeId, b.file_path AS File,"                       \
        " " STORED_BYTES " AS SizeBytes, b.source_uri AS SourceUri, b.unit AS Unit,"  \
        " b.invocation_id AS InvocationId, b.boot_id AS BootId,"                      \
        " b.error_text AS Error, l.port AS Port, l.export_name AS ExportName,"        \
        " b.verified_usec AS VerifiedUSec, b.damaged_usec AS DamagedUSec,"            \
        " b.damage_text AS Damage"

#define DISK_TABLES                                                                 \
        " FROM backup_disks b JOIN vm_disks d ON d.vm_context_id = b.vm_context_id" \
        "  AND d.disk_key = b.disk_key"                                             \
        " LEFT JOIN backup_disks pb ON pb.id = b.parent_id"                         \
        " LEFT JOIN backup_jobs p ON p.id = pb.job_id"                              \
        " LEFT JOIN port_leases l ON l.backup_disk_id = b.id"                       \
        " WHERE b.job_id = ? ORDER BY b.disk_key"

/* What the catalog has of the layers of a backup and of all below them, in the words of their records. */
static int read_layers(MYSQL *database, uint64_t target, json_t **ret_rows)
{
        return statement_rows(
                        database,
                        "WITH RECURSIVE chain (id, parent_id, n) AS ("
                        " SELECT id, parent_id, 1 FROM backup_disks"
                        "  WHERE job_id = ? AND state = 'completed'"
                        " UNION ALL SELECT p.id, p.parent_id, c.n + 1 FROM backup_disks p"
                        "  JOIN chain c ON p.id = c.parent_id WHERE c.n < ?)"
                        " SELECT b.disk_key AS disk_key, j.backup_id AS backup_id,"
                        " b.backup_type AS backup_type, p.backup_id AS parent_backup_id,"
                        " b.capacity_bytes AS capacity_bytes, b.file_path AS file,"
                        " b.size_bytes AS size_bytes, b.backing_uuid AS backing_uuid,"
                        " b.change_id AS change_id FROM chain c"
                        " JOIN backup_disks b ON b.id = c.id JOIN backup_jobs j ON j.id = b.job_id"
                        " LEFT JOIN backup_disks pb ON pb.id = b.parent_id"
                        " LEFT JOIN backup_jobs p ON p.id = pb.job_id ORDER BY c.n LIMIT ?",
                        SQL_VALUES(SQL_NUMBER(target), SQL_NUMBER(JOB_LAYERS_MAX),
                                   SQL_NUMBER(JOB_LAYERS_MAX)),
                        ret_rows);
}

static int add(json_t *job, const char *key, json_t *value)
{
        return json_object_set_new(job, key, value) < 0 ? -ENOMEM : 0;
}

/* What the newest layer of the disk took up that was of the same kind, wherever it lies. Newest by the time of its backup: what a
 * scan has adopted has newer numbers. Of an increment whose length alone is known it is the least: one of the 32 parts of each cluster
 * holds something. */
#define LAST_SIZE                                                              \
        ", (SELECT COALESCE(e.stored_bytes, IF(e.backup_type = 'full',"        \
        "  e.size_bytes, e.size_bytes DIV 32)) FROM backup_disks e"            \
        " JOIN backup_jobs f ON f.id = e.job_id"                               \
        " WHERE e.vm_context_id = b.vm_context_id AND e.disk_key = b.disk_key" \
        " AND e.backup_type = b.backup_type AND e.state = 'completed'"         \
        " AND e.size_bytes IS NOT NULL"                                        \
        " ORDER BY f.created_usec DESC, e.id DESC LIMIT 1) AS LastSizeBytes"

/* Disks, those of the backup that it works on, and obligations. */
static int complete(MYSQL *database, json_t *job)
{
        uint64_t id = object_number(job, "Id"), target = object_number(job, "TargetJob");
        json_t *disks, *layers, *obligations;
        int r;

        r = statement_rows(database,
                           "SELECT " DISK_COLUMNS ", l.invocation_id AS LeaseInvocationId,"
                           " l.boot_id AS LeaseBootId" LAST_SIZE DISK_TABLES,
                           SQL_VALUES(SQL_NUMBER(id)), &disks);
        if (r >= 0)
                r = add(job, "Disks", disks);
        if (r >= 0 && target > 0) {
                r = statement_rows(database, "SELECT " DISK_COLUMNS DISK_TABLES,
                                   SQL_VALUES(SQL_NUMBER(target)), &disks);
                if (r >= 0)
                        r = add(job, "TargetDisks", disks);
        }
        if (r >= 0 && job_type_from_string(object_text(job, "Type") ?: "") == JOB_VERIFY) {
                r = read_layers(database, target, &layers);
                if (r >= 0)
                        r = add(job, "TargetLayers", layers);
        }
        if (r >= 0)
                r = statement_rows(
                                database,
                                "SELECT id AS Id, kind AS Kind, subject AS Subject FROM obligations"
                                " WHERE job_id = ? AND state = 'open' ORDER BY id",
                                SQL_VALUES(SQL_NUMBER(id)), &obligations);
        return r < 0 ? r : add(job, "Obligations", obligations);
}

int job_load(MYSQL *database, uint64_t id, json_t **ret_job)
{
        CLEANUP(json_decrefp) json_t *job = NULL;
        int r;

        r = statement_row(database, "SELECT " RUNNER_COLUMNS JOB_TABLES " WHERE j.id = ?",
                          SQL_VALUES(SQL_NUMBER(id)), &job);
        if (r >= 0)
                r = complete(database, job);
        if (r < 0)
                return r;
        *ret_job = TAKE(job);
        return 0;
}

static int load_one(MYSQL *database, StoreRequest *request, uint64_t id)
{
        json_t *job;
        int r = job_load(database, id, &job);

        return r < 0 ? r : store_answer(request, json_pack("{s:[o]}", "Jobs", job));
}

/* What stands in the rows of a job is to blame, not the database: the next attempt would find the same. */
static bool is_of_its_rows(int error)
{
        return error == -E2BIG || error == -ERANGE || error == -EOVERFLOW || error == -ENODATA;
}

/* One after the other: what is wrong with one does not keep the others. */
static int load_into(MYSQL *database, uint64_t id, json_t *jobs, json_t *unreadable)
{
        json_t *job;
        int r = job_load(database, id, &job);

        if (r >= 0)
                return json_array_append_new(jobs, job) < 0 ? -ENOMEM : 0;
        if (!is_of_its_rows(r))
                return r;
        return json_array_append_new(unreadable, json_pack("{s:I, s:s}", "Id", (json_int_t) id,
                                                           "Error", strerrorname_np(-r))) < 0
                               ? -ENOMEM
                               : 0;
}

int store_job_load_open(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *ids = NULL, *jobs = json_array(), *unreadable = json_array();
        uint64_t id = object_number(request->in, "Id");
        const json_t *row;
        size_t i;
        int r;

        if (id > 0)
                return load_one(database, request, id);
        r = statement_rows(database,
                           "SELECT id AS Id FROM backup_jobs"
                           " WHERE state NOT IN ('completed', 'failed', 'cancelled') ORDER BY id",
                           NULL, 0, &ids);
        json_array_foreach (ids, i, row)
                if (r >= 0)
                        r = load_into(database, object_number(row, "Id"), jobs, unreadable);
        return r < 0 ? r
                     : store_answer(request, json_pack("{s:O, s:O}", "Jobs", jobs, "Unreadable",
                                                       unreadable));
}

/* The id of what {Vm} names, 0 when the request names none. */
static int vm_filter(MYSQL *database, StoreRequest *request, uint64_t *ret_id)
{
        const char *vm = object_text(request->in, "Vm");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        *ret_id = 0;
        if (!vm)
                return 0;
        r = vm_find(database, request, vm, &row);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

/* Lists go down from the newest: the id that a page stays below. A plain comparison, which an index can follow. */
static uint64_t before(const StoreRequest *request)
{
        uint64_t after = object_number(request->in, "After");

        return after > 0 ? after : INT64_MAX;
}

int store_job_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *state = object_text(request->in, "State");
        uint64_t vm_id;
        json_t *jobs;
        int r;

        r = vm_filter(database, request, &vm_id);
        if (r < 0)
                return r;
        /* The page first, by the primary key alone; only its rows are joined, and their texts do not go through a table on disk. */
        r = statement_rows(database,
                           "SELECT " JOB_COLUMNS " FROM (SELECT id FROM backup_jobs WHERE id < ?"
                           "  AND (? IS NULL OR state = ?) AND (? = 0 OR vm_context_id = ?)"
                           "  ORDER BY id DESC LIMIT ?) page JOIN backup_jobs j ON j.id = page.id"
                           " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                           " JOIN backup_repositories r ON r.id = j.repository_id"
                           " LEFT JOIN nodes n ON n.id = j.node_id"
                           " LEFT JOIN backup_jobs t ON t.id = j.target_job_id ORDER BY j.id DESC",
                           SQL_VALUES(SQL_NUMBER(before(request)), sql_text(state), sql_text(state),
                                      SQL_NUMBER(vm_id), SQL_NUMBER(vm_id),
                                      SQL_NUMBER(store_limit(request))),
                           &jobs);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Jobs", jobs));
}

int store_job_get(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t id = object_number(request->in, "Id");
        CLEANUP(json_decrefp) json_t *job = NULL;
        json_t *disks, *events;
        int r;

        r = statement_row(database,
                          "SELECT " JOB_COLUMNS ", j.work AS Work, j.work_result AS WorkResult,"
                          " j.deleted_usec AS DeletedUSec" JOB_TABLES " WHERE j.id = ?",
                          SQL_VALUES(SQL_NUMBER(id)), &job);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no job %" PRIu64, id);
        if (r >= 0)
                r = statement_rows(database, "SELECT " DISK_COLUMNS DISK_TABLES,
                                   SQL_VALUES(SQL_NUMBER(id)), &disks);
        if (r >= 0)
                r = add(job, "Disks", disks);
        if (r >= 0)
                r = statement_rows(database,
                                   "SELECT id AS Id, at_usec AS AtUSec, principal AS Principal,"
                                   " from_state AS `From`, to_state AS `To`, reason AS Reason"
                                   " FROM (SELECT * FROM job_events WHERE job_id = ?"
                                   "  ORDER BY id DESC LIMIT ?) e ORDER BY id",
                                   SQL_VALUES(SQL_NUMBER(id), SQL_NUMBER(STORE_LIST_MAX)), &events);
        if (r >= 0)
                r = add(job, "Events", events);
        return r < 0 ? r : store_answer(request, TAKE(job));
}

/* Backups go down by their time, which is not the order of the numbers once a scan has adopted any: a page stays below the time of
 * the job that it is asked for by, or below its number among those of the same time. */
static int before_backup(MYSQL *database, StoreRequest *request, uint64_t *ret_usec)
{
        uint64_t after = object_number(request->in, "After");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        *ret_usec = INT64_MAX;
        if (after == 0)
                return 0;
        r = statement_row(database,
                          "SELECT created_usec AS CreatedUSec FROM backup_jobs WHERE id = ?",
                          SQL_VALUES(SQL_NUMBER(after)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no job %" PRIu64 " to go on after", after);
        if (r >= 0)
                *ret_usec = object_number(row, "CreatedUSec");
        return r;
}

int store_backup_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *repository = object_text(request->in, "Repository");
        uint64_t vm_id, before_usec = 0;
        json_t *backups;
        int r;

        r = vm_filter(database, request, &vm_id);
        if (r >= 0)
                r = before_backup(database, request, &before_usec);
        if (r < 0)
                return r;
        r = statement_rows(
                        database,
                        "SELECT j.backup_id AS BackupId, j.id AS Job, v.vm_name AS Vm,"
                        " v.context_id AS ContextId, r.name AS Repository, " BACKUP_TYPE ","
                        " j.created_usec AS CreatedUSec, j.finished_usec AS FinishedUSec,"
                        " (SELECT COUNT(*) FROM backup_disks b WHERE b.job_id = j.id"
                        "  AND b.state = 'completed') AS Disks,"
                        " CAST((SELECT COALESCE(SUM(" STORED_BYTES "), 0) FROM backup_disks b"
                        "  WHERE b.job_id = j.id AND b.state = 'completed') AS UNSIGNED) AS "
                        "SizeBytes"
                        " FROM (SELECT id FROM backup_jobs WHERE job_type = 'backup'"
                        "  AND state = 'completed' AND deleted_usec IS NULL"
                        "  AND created_usec <= ? AND (created_usec < ? OR id < ?)"
                        "  AND (? = 0 OR vm_context_id = ?)"
                        "  AND (? IS NULL OR repository_id IN (SELECT id FROM backup_repositories"
                        "   WHERE name = ? OR CAST(id AS CHAR) = ?))"
                        "  ORDER BY created_usec DESC, id DESC LIMIT ?) page"
                        " JOIN backup_jobs j ON j.id = page.id"
                        " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                        " JOIN backup_repositories r ON r.id = j.repository_id"
                        " ORDER BY j.created_usec DESC, j.id DESC",
                        SQL_VALUES(SQL_NUMBER(before_usec), SQL_NUMBER(before_usec),
                                   SQL_NUMBER(before(request)), SQL_NUMBER(vm_id),
                                   SQL_NUMBER(vm_id), sql_text(repository), sql_text(repository),
                                   sql_text(repository), SQL_NUMBER(store_limit(request))),
                        &backups);
        if (r >= 0 && json_array_size(backups) > 0) {
                r = backups_add_health(database, backups);
                if (r < 0)
                        json_decref(backups);
        }
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Backups", backups));
}
