/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of obligations (see store-obligation.h).
 */
#include "store/store-obligation.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job-types.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

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

/* Of jobs that are over: what the others will undo is their own business. */
#define OWED " o.state = 'open' AND j.state IN ('completed', 'failed', 'cancelled')"

static int count_owed(MYSQL *database, uint64_t *ret_n)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT COUNT(*) AS Owed FROM obligations o"
                          " JOIN backup_jobs j ON j.id = o.job_id WHERE" OWED,
                          NULL, 0, &row);
        if (r >= 0)
                *ret_n = object_number(row, "Owed");
        return r;
}

int store_obligation_count(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t n;
        int r = count_owed(database, &n);

        return r < 0 ? r : store_answer(request, json_pack("{s:I}", "Owed", (json_int_t) n));
}

int store_obligation_hurry(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t node_id = object_number(request->in, "NodeId"),
                 now_usec = object_number(request->in, "NowUSec");
        int r;

        r = statement_run(
                        database,
                        "UPDATE obligations SET next_attempt_usec = ? WHERE state = 'open'"
                        " AND COALESCE(node_id, 0) = ? AND next_attempt_usec > ?",
                        SQL_VALUES(SQL_NUMBER(now_usec), SQL_NUMBER(node_id), SQL_NUMBER(now_usec)),
                        NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}

/* Of more than a list holds, those that are owed come before those of jobs that run, and of these the ones that are due the soonest:
 * what cannot be undone waits ever longer, and so keeps nothing else from its turn. */
int store_obligation_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *rows = NULL;
        /* Page by page all of them come. */
        bool is_page = object_number(request->in, "Limit") > 0;
        uint64_t n_owed = 0;
        json_t *row;
        size_t i;
        int r;

        r = statement_rows(
                        database,
                        "SELECT o.id AS Id, o.kind AS Kind, o.subject AS Subject, o.job_id AS Job,"
                        " o.attempts AS Attempts, o.created_usec AS CreatedUSec,"
                        " o.next_attempt_usec AS NextAttemptUSec, o.error_text AS Error,"
                        " j.created_usec AS JobCreatedUSec, j.attempt AS JobAttempt,"
                        " j.state AS State, j.ending AS Ending, v.instance_uuid AS InstanceUuid,"
                        " j.backup_id AS BackupId, j.work AS Work, t.backup_id AS TargetBackupId,"
                        " o.node_id AS NodeId, n.name AS Node,"
                        " COALESCE(CAST(JSON_VALUE(j.work, '$.target.vcenter_id') AS UNSIGNED),"
                        "  v.credential_id) AS CredentialId, j.unit IS NOT NULL AS WasAccepted, "
                        "r.path AS RepositoryPath,"
                        " r.repository_uuid AS RepositoryUuid"
                        /* Of jobs that are over what is due soonest; of open ones all: by them it is known that they are open. */
                        " FROM ((SELECT o.* FROM obligations o"
                        "  JOIN backup_jobs j ON j.id = o.job_id WHERE o.state = 'open'"
                        "  AND j.state IN ('completed', 'failed', 'cancelled')"
                        "  ORDER BY o.next_attempt_usec, o.id LIMIT ?)"
                        "  UNION ALL SELECT o.* FROM obligations o"
                        "  JOIN backup_jobs j ON j.id = o.job_id WHERE o.state = 'open'"
                        "  AND j.state NOT IN ('completed', 'failed', 'cancelled')) o"
                        " JOIN backup_jobs j ON j.id = o.job_id"
                        " JOIN vm_replication_contexts v ON v.id = j.vm_context_id"
                        " JOIN backup_repositories r ON r.id = j.repository_id"
                        " LEFT JOIN nodes n ON n.id = o.node_id"
                        " LEFT JOIN backup_jobs t ON t.id = j.target_job_id"
                        " WHERE o.id > ? ORDER BY o.id LIMIT ?",
                        SQL_VALUES(SQL_NUMBER(is_page ? (uint64_t) INT64_MAX : STORE_LIST_MAX),
                                   SQL_NUMBER(object_number(request->in, "After")),
                                   SQL_NUMBER(store_limit_or_all(request))),
                        &rows);
        json_array_foreach (rows, i, row)
                if (r >= 0)
                        r = add_keys(database, row);
        if (r >= 0)
                r = count_owed(database, &n_owed);
        return r < 0 ? r
                     : store_answer(request, json_pack("{s:O, s:I}", "Obligations", rows, "Owed",
                                                       (json_int_t) n_owed));
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
        if (r >= 0 && object_text(request->in, "Note"))
                r = statement_run(database,
                                  "UPDATE backup_jobs SET error_text = LEFT(CONCAT_WS('; ', "
                                  "error_text, ?), 2048) WHERE state IN ('failed', 'cancelled')"
                                  " AND id = (SELECT job_id FROM obligations WHERE id = ?)",
                                  SQL_VALUES(sql_text(object_text(request->in, "Note")),
                                             SQL_NUMBER(object_number(request->in, "Id"))),
                                  NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}

enum { FORGIVE_JOB = 1 };

/* Open for as long as it can go neither back nor forward. */
static bool is_deletion_at_its_end(const json_t *row)
{
        return object_text(row, "Ending") &&
               job_type_from_string(object_text(row, "Type") ?: "") == JOB_DELETE &&
               !job_state_is_final(job_state_from_string(object_text(row, "State") ?: ""));
}

/* The open one of this id, when it may be forgiven; or FORGIVE_JOB with that of a deletion that is open, which is for its job to say. */
static int find_forgivable(MYSQL *database, StoreRequest *request, json_t **ret_row)
{
        uint64_t id = object_number(request->in, "Id");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT o.kind AS Kind, o.subject AS Subject, o.job_id AS Job,"
                          " j.state AS State, j.ending AS Ending, j.job_type AS Type"
                          " FROM obligations o JOIN backup_jobs j"
                          " ON j.id = o.job_id WHERE o.id = ? AND o.state = 'open' FOR UPDATE",
                          SQL_VALUES(SQL_NUMBER(id)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no open obligation %" PRIu64
                                    "; sendensectl obligation list shows those there are",
                                    id);
        if (r < 0)
                return r;
        if (is_deletion_at_its_end(row)) {
                *ret_row = TAKE(row);
                return FORGIVE_JOB;
        }
        if (!job_state_is_final(job_state_from_string(object_text(row, "State") ?: "")))
                return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                                    "Job %" PRIu64 " is open, and undoes at its end what it owes",
                                    object_number(row, "Job"));
        if (strcmp(object_text(row, "Kind"), "units") == 0)
                return store_refuse(request, -EPERM, BUS_ERROR_NOT_ALLOWED,
                                    "Units of job %" PRIu64
                                    " may run still; sendensectl cleanup ends them",
                                    object_number(row, "Job"));
        *ret_row = TAKE(row);
        return 0;
}

static int insert_forgiven(MYSQL *database, const json_t *in, const json_t *row)
{
        return statement_run(
                        database,
                        "INSERT INTO job_events (event_id, job_id, at_usec, principal, from_state,"
                        " to_state, reason) VALUES (?, ?, ?, ?, ?, ?,"
                        " LEFT(CONCAT('forgiven, and not undone: ', ?, ' ', ?), 2048))",
                        SQL_VALUES(sql_text(object_text(in, "EventId")),
                                   SQL_NUMBER(object_number(row, "Job")),
                                   SQL_NUMBER(object_number(in, "NowUSec")),
                                   sql_text(object_text(in, "Principal")),
                                   sql_text(object_text(row, "State")),
                                   sql_text(object_text(row, "State")),
                                   sql_text(object_text(row, "Kind")),
                                   sql_text(object_text(row, "Subject"))),
                        NULL, NULL);
}

static int answer_row(StoreRequest *request, json_t *row, bool is_open)
{
        if (json_object_set(row, "Principal", json_object_get(request->in, "Principal")) < 0 ||
            json_object_set_new(row, "IsOpen", json_boolean(is_open)) < 0)
                return -ENOMEM;
        return store_answer(request, json_incref(row));
}

int store_obligation_forgive(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = find_forgivable(database, request, &row);
        if (r == FORGIVE_JOB)
                return answer_row(request, row, true);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE obligations SET state = 'done', done_usec = ?,"
                                  " error_text = LEFT(CONCAT('Forgiven by ', ?,"
                                  " COALESCE(CONCAT('; before: ', error_text), '')), 2048)"
                                  " WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec")),
                                             sql_text(object_text(request->in, "Principal")),
                                             SQL_NUMBER(object_number(request->in, "Id"))),
                                  NULL, NULL);
        if (r >= 0)
                r = insert_forgiven(database, request->in, row);
        return r < 0 ? r : answer_row(request, row, false);
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
