/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs about a backup that is there (see store-job.h). Those that only read may be several beside each other and beside a backup
 * of the VM; a deletion is alone with the VM, whose row is the lock that says so. A restore in place is alone with the VM but for those
 * that read.
 */
#include "store/store-job.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job-types.h"
#include "store/statement.h"
#include "store/store-delete.h"
#include "store/store-request.h"
#include "store/store-verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Further rows that the end of such a job changes, by its type; in is what store_job_advance() got. */
typedef int (*WorkRows)(MYSQL *database, const json_t *in);

static const WorkRows work_rows[JOB_TYPE_MAX] = {
        [JOB_VERIFY] = job_verify_rows,
        [JOB_DELETE] = delete_rows,
};

static int find_backup(MYSQL *database, StoreRequest *request, json_t **ret_row)
{
        const char *backup_id = object_text(request->in, "BackupId");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id, vm_context_id AS Vm, repository_id AS Repository,"
                          " state AS State, deleted_usec AS DeletedUSec FROM backup_jobs"
                          " WHERE backup_id = ? AND job_type = 'backup'",
                          SQL_VALUES(sql_text(backup_id)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no backup '%.100s'; sendensectl backup list shows "
                                    "those there are",
                                    backup_id);
        if (r < 0)
                return r;
        if (job_state_from_string(object_text(row, "State")) != JOB_COMPLETED)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "'%.100s' is no backup yet: its job %" PRIu64 " is %s",
                                    backup_id, object_number(row, "Id"), object_text(row, "State"));
        if (object_number(row, "DeletedUSec") > 0)
                return store_refuse(
                                request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                "Backup '%.100s' was deleted; sendensectl backup show tells when",
                                backup_id);
        *ret_row = TAKE(row);
        return 0;
}

/* Of a round over all that is due, and not begun: nobody waits for it, and the next round takes it up again. Each is a condition on
 * backup_jobs, after AND. */
#define CAN_WAIT_FOR_THE_NEXT_ROUND                                   \
        "job_type = 'verify' AND state = 'queued' AND ending IS NULL" \
        " AND JSON_VALUE(work, '$.due')"

static const json_t *target_of(const StoreRequest *request)
{
        return json_object_get(json_object_get(request->in, "Work"), "target");
}

static bool is_in_place(const StoreRequest *request)
{
        return json_is_true(json_object_get(target_of(request), "in_place"));
}

/* Nobody reads a chain that changes, and nobody changes one that is read; and of the disks of a VM nothing else is made meanwhile. */
static int refuse_busy(MYSQL *database, StoreRequest *request, uint64_t vm_id)
{
        const char *type = object_text(request->in, "Type");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id FROM vm_replication_contexts WHERE id = ? FOR UPDATE",
                          SQL_VALUES(SQL_NUMBER(vm_id)), &row);
        if (r < 0)
                return r;
        json_decref(TAKE(row));
        r = statement_row(database,
                          "SELECT id AS Id, job_type AS Type, state AS State FROM backup_jobs"
                          " WHERE vm_context_id = ?"
                          " AND state NOT IN ('completed', 'failed', 'cancelled')"
                          " AND (job_type = 'delete' OR (? = 'delete'"
                          "  AND NOT COALESCE(" CAN_WAIT_FOR_THE_NEXT_ROUND ", FALSE))"
                          "  OR (? AND (job_type = 'backup' OR changes_vm)))"
                          " ORDER BY id LIMIT 1",
                          SQL_VALUES(SQL_NUMBER(vm_id), sql_text(type),
                                     SQL_NUMBER(is_in_place(request))),
                          &row);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        return store_refuse(request, -EBUSY, BUS_ERROR_VM_BUSY,
                            "Job %" PRIu64 " (%s) of this VM is %s, and a %s is alone with its VM "
                            "(sendensectl job show %" PRIu64 ")",
                            object_number(row, "Id"), object_text(row, "Type"),
                            object_text(row, "State"),
                            is_in_place(request) ? "restore in place" : "deletion",
                            object_number(row, "Id"));
}

/* Its history says to whom. What runs it learns it by GaveWay. */
static int give_way(MYSQL *database, const StoreRequest *request, uint64_t job_id, uint64_t for_job)
{
        const json_t *in = request->in;
        char reason[96];
        int r;

        (void) snprintf(reason, sizeof(reason), JOB_GAVE_WAY_FORMAT, for_job);
        r = statement_run(database,
                          "INSERT INTO job_events (event_id, job_id, at_usec, principal,"
                          " from_state, to_state, reason) VALUES"
                          " (LEFT(SHA2(CONCAT(?, ' ', ?), 256), 32), ?, ?, ?, 'queued',"
                          " 'cancelled', ?)",
                          SQL_VALUES(sql_text(object_text(in, "EventId")), SQL_NUMBER(job_id),
                                     SQL_NUMBER(job_id), SQL_NUMBER(object_number(in, "NowUSec")),
                                     sql_text(object_text(in, "Principal")), sql_text(reason)),
                          NULL, NULL);
        if (r < 0)
                return r;
        return statement_run(database,
                             "UPDATE backup_jobs SET state = 'cancelled', finished_usec = ?,"
                             " error_name = '" BUS_ERROR_CANCELLED "', error_text = ? WHERE id = ?",
                             SQL_VALUES(SQL_NUMBER(object_number(in, "NowUSec")), sql_text(reason),
                                        SQL_NUMBER(job_id)),
                             NULL, NULL);
}

static int give_way_all(MYSQL *database, const StoreRequest *request, uint64_t vm_id,
                        uint64_t for_job, json_t **ret_ids)
{
        CLEANUP(json_decrefp) json_t *rows = NULL, *ids = json_array();
        const json_t *row;
        size_t i;
        int r;

        if (!ids)
                return -ENOMEM;
        r = statement_rows(database,
                           "SELECT id AS Id FROM backup_jobs WHERE vm_context_id = ?"
                           " AND " CAN_WAIT_FOR_THE_NEXT_ROUND " ORDER BY id FOR UPDATE",
                           SQL_VALUES(SQL_NUMBER(vm_id)), &rows);
        json_array_foreach (rows, i, row) {
                if (r >= 0)
                        r = give_way(database, request, object_number(row, "Id"), for_job);
                if (r >= 0 && json_array_append(ids, json_object_get(row, "Id")) < 0)
                        r = -ENOMEM;
        }
        if (r >= 0)
                *ret_ids = TAKE(ids);
        return r;
}

static bool is_restore_vm(const StoreRequest *request)
{
        return job_type_from_string(object_text(request->in, "Type")) == JOB_RESTORE &&
               strcmp(object_text(target_of(request), "kind") ?: "", "vm") == 0;
}

static int insert_job(MYSQL *database, const StoreRequest *request, const json_t *backup,
                      uint64_t node_id, uint64_t *ret_id)
{
        _cleanup_free_ char *work = json_dumps(json_object_get(request->in, "Work"),
                                               JSON_COMPACT | JSON_SORT_KEYS);

        if (!work)
                return -ENOMEM;
        return statement_run(database,
                             "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id,"
                             " target_job_id, node_id, work, principal, created_usec, changes_vm)"
                             " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                             SQL_VALUES(sql_text(object_text(request->in, "Type")),
                                        SQL_NUMBER(object_number(backup, "Vm")),
                                        SQL_NUMBER(object_number(backup, "Repository")),
                                        SQL_NUMBER(object_number(backup, "Id")),
                                        sql_number_or_null(node_id), sql_text(work),
                                        sql_text(object_text(request->in, "Principal")),
                                        SQL_NUMBER(object_number(request->in, "NowUSec")),
                                        SQL_NUMBER(is_in_place(request))),
                             NULL, ret_id);
}

/* What a caller's key was used for before must be what is asked for now; who gives no digest of it uses no key twice. */
static int check_same(MYSQL *database, StoreRequest *request, uint64_t job_id)
{
        const char *asked = object_text(json_object_get(request->in, "Work"), "asked");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        if (!asked)
                return 0;
        r = statement_row(database,
                          "SELECT id AS Id FROM backup_jobs WHERE id = ?"
                          " AND JSON_VALUE(work, '$.asked') = ?",
                          SQL_VALUES(SQL_NUMBER(job_id), sql_text(asked)), &row);
        return r == -ENODATA ? store_refuse(request, -EBADRQC, BUS_ERROR_KEY_REUSED,
                                            "Option idempotency_key was used for job %" PRIu64
                                            ", which was another request",
                                            job_id)
                             : r;
}

/* 1: answered with the job that the request made before; 0: it made none. */
static int answer_made(MYSQL *database, StoreRequest *request)
{
        uint64_t job_id = 0;
        int r;

        r = job_find_made(database, request, &job_id);
        if (r <= 0)
                return r;
        r = check_same(database, request, job_id);
        if (r >= 0)
                r = job_answer(database, request, job_id);
        return r < 0 ? r : 1;
}

int store_job_work_find(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        int r = answer_made(database, request);

        if (r == 0)
                return store_answer(request, json_object());
        return r < 0 ? r : 0;
}

int store_job_work_create(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        bool is_delete = job_type_from_string(object_text(request->in, "Type")) == JOB_DELETE;
        CLEANUP(json_decrefp) json_t *backup = NULL, *gave_way = NULL;
        uint64_t job_id = 0, node_id = 0;
        int r;

        r = answer_made(database, request);
        if (r != 0)
                return r < 0 ? r : 0;
        r = find_backup(database, request, &backup);
        if (r >= 0)
                r = refuse_busy(database, request, object_number(backup, "Vm"));
        if (r >= 0 && is_delete)
                r = delete_refuse_last(database, request, backup);
        if (r >= 0 && is_restore_vm(request))
                r = job_prepare_restore_vm(database, request, backup, &node_id);
        if (r >= 0)
                r = insert_job(database, request, backup, node_id, &job_id);
        if (r >= 0)
                r = job_insert_first_event(database, request, job_id);
        if (r >= 0 && is_delete)
                r = give_way_all(database, request, object_number(backup, "Vm"), job_id, &gave_way);
        if (r >= 0)
                r = job_answer(database, request, job_id);
        return r >= 0 && gave_way && json_object_set(request->out, "GaveWay", gave_way) < 0
                               ? -ENOMEM
                               : r;
}

/* Nobody knows what is left of a backup whose deletion was given up; a verification tells. */
static int mark_forgiven(MYSQL *database, const json_t *in)
{
        return statement_run(
                        database,
                        "UPDATE backup_disks x JOIN backup_jobs d ON d.target_job_id = x.job_id"
                        " SET x.damaged_usec = COALESCE(x.damaged_usec, ?),"
                        " x.damage_text = COALESCE(x.damage_text,"
                        " '" DELETE_FORGIVEN_TEXT "')"
                        " WHERE d.id = ? AND d.job_type = 'delete'",
                        SQL_VALUES(SQL_NUMBER(object_number(in, "FinishedUSec")),
                                   SQL_NUMBER(object_number(in, "Id"))),
                        NULL, NULL);
}

int job_work_done(MYSQL *database, const json_t *in)
{
        const json_t *result = json_object_get(in, "WorkResult");
        JobType type = job_type_from_string(object_text(in, "WorkType") ?: "");
        _cleanup_free_ char *text = NULL;
        int r;

        if (!result)
                return json_is_true(json_object_get(in, "Forgiven")) ? mark_forgiven(database, in)
                                                                     : 0;
        text = json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS);
        if (!text)
                return -ENOMEM;
        r = statement_run(database, "UPDATE backup_jobs SET work_result = ? WHERE id = ?",
                          SQL_VALUES(sql_text(text), SQL_NUMBER(object_number(in, "Id"))), NULL,
                          NULL);
        return r >= 0 && type >= 0 && work_rows[type] ? work_rows[type](database, in) : r;
}
