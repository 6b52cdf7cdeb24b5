/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of jobs (see store-job.h). The event row is written first: when it is there already, the whole
 * transaction has been done before, and nothing else happens.
 */
#include "store/store-job.h"

#include "cleanup.h"
#include "job-types.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <string.h>

/* 1: written; 0: this very change is done already; -EAGAIN: its first transaction has ended a moment ago, while this one waited for
 * its row, and a new one sees it. A reason may be what some tool printed: it is cut to its column, because a job must be able to end
 * whatever was said. */
static int insert_event(MYSQL *database, const json_t *in, const char *to)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database, "SELECT id AS Id FROM job_events WHERE event_id = ?",
                          SQL_VALUES(sql_text(object_text(in, "EventId"))), &row);
        if (r != -ENODATA)
                return r < 0 ? r : 0;
        r = statement_run(
                        database,
                        "INSERT INTO job_events (event_id, job_id, at_usec, principal, from_state,"
                        " to_state, reason) VALUES (?, ?, ?, ?, ?, ?, LEFT(?, 2048))",
                        SQL_VALUES(sql_text(object_text(in, "EventId")),
                                   SQL_NUMBER(object_number(in, "Id")),
                                   SQL_NUMBER(object_number(in, "NowUSec")),
                                   sql_text(object_text(in, "Principal")),
                                   sql_text(object_text(in, "From")), sql_text(to),
                                   sql_text(object_text(in, "Reason"))),
                        NULL, NULL);
        if (r == -EEXIST && strcmp(statement_refused_by(), "job_events_event_id") == 0)
                return -EAGAIN;
        return r < 0 ? r : 1;
}

/* The guard: the row is locked, and is what the caller believes. */
static int expect(MYSQL *database, const json_t *in, bool may_be_ending)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT state AS State, ending AS Ending FROM backup_jobs WHERE id = ?"
                          " FOR UPDATE",
                          SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), &row);
        if (r < 0)
                return r == -ENODATA ? -ESTALE : r;
        if (strcmp(object_text(row, "State"), object_text(in, "From")) != 0)
                return -ESTALE;
        return object_text(row, "Ending") && !may_be_ending ? -ESTALE : 0;
}

/* What is not given stays; but the invocation id of one unit is none of the next. */
static int update_job(MYSQL *database, const json_t *in)
{
        const char *unit = object_text(in, "Unit"),
                   *invocation_id = object_text(in, "InvocationId");

        return statement_run(
                        database,
                        "UPDATE backup_jobs SET state = ?, started_usec = COALESCE(?, "
                        "started_usec),"
                        " finished_usec = COALESCE(?, finished_usec),"
                        " invocation_id = COALESCE(?, IF(? IS NULL OR unit = ?, invocation_id, "
                        "NULL)),"
                        " unit = COALESCE(?, unit), boot_id = COALESCE(?, boot_id),"
                        " error_text = COALESCE(LEFT(?, 2048), error_text) WHERE id = ?",
                        SQL_VALUES(sql_text(object_text(in, "To")),
                                   sql_number_or_null(object_number(in, "StartedUSec")),
                                   sql_number_or_null(object_number(in, "FinishedUSec")),
                                   sql_text(invocation_id), sql_text(unit), sql_text(unit),
                                   sql_text(unit), sql_text(object_text(in, "BootId")),
                                   sql_text(object_text(in, "ErrorText")),
                                   SQL_NUMBER(object_number(in, "Id"))),
                        NULL, NULL);
}

/* A job that completes has neither error nor ending. */
static int clear_ending(MYSQL *database, const json_t *in)
{
        return statement_run(database,
                             "UPDATE backup_jobs SET ending = NULL, error_name = NULL,"
                             " error_text = NULL WHERE id = ?",
                             SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), NULL, NULL);
}

static int update_disk(MYSQL *database, const json_t *in, const json_t *disk)
{
        const char *unit = object_text(disk, "Unit");

        return statement_run(
                        database,
                        "UPDATE backup_disks SET state = COALESCE(?, state),"
                        " file_path = COALESCE(?, file_path), size_bytes = COALESCE(?, size_bytes),"
                        " stored_bytes = COALESCE(?, stored_bytes),"
                        " invocation_id = COALESCE(?, IF(? IS NULL OR unit = ?, invocation_id, "
                        "NULL)),"
                        " unit = COALESCE(?, unit), boot_id = COALESCE(?, boot_id),"
                        " error_text = COALESCE(LEFT(?, 2048), error_text),"
                        " change_id = COALESCE(?, change_id),"
                        " reason = COALESCE(LEFT(?, 1024), reason)"
                        " WHERE id = ? AND job_id = ?",
                        SQL_VALUES(sql_text(object_text(disk, "State")),
                                   sql_text(object_text(disk, "File")),
                                   sql_number_or_null(object_number(disk, "SizeBytes")),
                                   sql_number_or_null(object_number(disk, "StoredBytes")),
                                   sql_text(object_text(disk, "InvocationId")), sql_text(unit),
                                   sql_text(unit), sql_text(unit),
                                   sql_text(object_text(disk, "BootId")),
                                   sql_text(object_text(disk, "ErrorText")),
                                   sql_text(object_text(disk, "ChangeId")),
                                   sql_text(object_text(disk, "Reason")),
                                   SQL_NUMBER(object_number(disk, "Id")),
                                   SQL_NUMBER(object_number(in, "Id"))),
                        NULL, NULL);
}

/* Files first: a state that needs one is refused without it. */
static int update_disks(MYSQL *database, const json_t *in)
{
        const char *state = object_text(in, "DiskState");
        const json_t *disk;
        size_t i;
        int r = 0;

        json_array_foreach (json_object_get(in, "Disks"), i, disk)
                if (r >= 0)
                        r = update_disk(database, in, disk);
        if (r < 0 || !state)
                return r;
        return statement_run(database,
                             "UPDATE backup_disks SET state = ? WHERE job_id = ?"
                             " AND state NOT IN ('excluded', 'completed', 'failed', 'cancelled')",
                             SQL_VALUES(sql_text(state), SQL_NUMBER(object_number(in, "Id"))), NULL,
                             NULL);
}

static int insert_obligations(MYSQL *database, const json_t *in)
{
        const json_t *obligation;
        size_t i;
        int r = 0;

        json_array_foreach (json_object_get(in, "Obligations"), i, obligation)
                if (r >= 0)
                        r = statement_run(database,
                                          "INSERT INTO obligations (kind, subject, job_id, node_id,"
                                          " created_usec, next_attempt_usec)"
                                          " VALUES (?, ?, ?, ?, ?, ?)",
                                          SQL_VALUES(sql_text(object_text(obligation, "Kind")),
                                                     sql_text(object_text(obligation, "Subject")),
                                                     SQL_NUMBER(object_number(in, "Id")),
                                                     sql_number_or_null(object_number(obligation,
                                                                                      "NodeId")),
                                                     SQL_NUMBER(object_number(in, "NowUSec")),
                                                     SQL_NUMBER(object_number(in, "NowUSec"))),
                                          NULL, NULL);
        return r;
}

static int end_obligations(MYSQL *database, const json_t *in)
{
        const json_t *kind;
        size_t i;
        int r = 0;

        json_array_foreach (json_object_get(in, "ObligationsDone"), i, kind)
                if (r >= 0)
                        r = statement_run(database,
                                          "UPDATE obligations SET state = 'done', done_usec = ?"
                                          " WHERE job_id = ? AND kind = ? AND state = 'open'",
                                          SQL_VALUES(SQL_NUMBER(object_number(in, "NowUSec")),
                                                     SQL_NUMBER(object_number(in, "Id")),
                                                     sql_text(json_string_value(kind))),
                                          NULL, NULL);
        return r;
}

/* All disks of the job at once: the next incremental of each starts where this backup ends. */
static int copy_change_ids(MYSQL *database, const json_t *in)
{
        if (!json_is_true(json_object_get(in, "ChangeIds")))
                return 0;
        return statement_run(
                        database,
                        "UPDATE vm_disks d JOIN backup_disks b ON b.vm_context_id = d.vm_context_id"
                        " AND b.disk_key = d.disk_key SET d.change_id = b.change_id"
                        " WHERE b.job_id = ? AND b.state = 'completed'",
                        SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), NULL, NULL);
}

/* The marker that preparing found or made, of a repository that nobody had looked at before. */
static int set_repository_uuid(MYSQL *database, const json_t *in)
{
        const char *uuid = object_text(in, "RepositoryUuid");

        if (!uuid)
                return 0;
        return statement_run(database,
                             "UPDATE backup_repositories SET repository_uuid = ?"
                             " WHERE repository_uuid IS NULL"
                             " AND id = (SELECT repository_id FROM backup_jobs WHERE id = ?)",
                             SQL_VALUES(sql_text(uuid), SQL_NUMBER(object_number(in, "Id"))), NULL,
                             NULL);
}

/* Kept until the commit record has it, which may be after a start of the hub, and no longer: it is long. */
static int set_vm_state(MYSQL *database, const json_t *in, JobState to)
{
        const json_t *state = json_object_get(in, "VmState");
        _cleanup_free_ char *text = NULL;

        if (job_state_is_final(to))
                return statement_run(database,
                                     "UPDATE backup_jobs SET vm_state = NULL WHERE id = ?",
                                     SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), NULL, NULL);
        if (!state)
                return 0;
        text = json_dumps(state, JSON_COMPACT | JSON_SORT_KEYS);
        if (!text)
                return -ENOMEM;
        return statement_run(database, "UPDATE backup_jobs SET vm_state = ? WHERE id = ?",
                             SQL_VALUES(sql_text(text), SQL_NUMBER(object_number(in, "Id"))), NULL,
                             NULL);
}

int store_job_advance(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *in = request->in;
        JobState to = job_state_from_string(object_text(in, "To") ?: "");
        int r;

        if (to == JOB_STATE_INVALID)
                return -EINVAL;
        r = insert_event(database, in, object_text(in, "To"));
        if (r == 0)
                return store_answer(request, json_object());
        if (r >= 0)
                r = expect(database, in, job_state_is_final(to) || to == JOB_RELEASING);
        /* A backup that is committed goes on to its end, whatever was decided before. */
        if (r >= 0 && (to == JOB_COMPLETED || to == JOB_RELEASING))
                r = clear_ending(database, in);
        if (r >= 0)
                r = update_job(database, in);
        if (r >= 0)
                r = update_disks(database, in);
        if (r >= 0)
                r = insert_obligations(database, in);
        if (r >= 0)
                r = end_obligations(database, in);
        if (r >= 0)
                r = copy_change_ids(database, in);
        if (r >= 0)
                r = set_repository_uuid(database, in);
        if (r >= 0)
                r = set_vm_state(database, in, to);
        if (r >= 0)
                r = job_work_done(database, in);
        return r < 0 ? r : store_answer(request, json_object());
}

int store_job_decide(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *in = request->in;
        int r;

        r = insert_event(database, in, object_text(in, "From"));
        if (r == 0)
                return store_answer(request, json_object());
        if (r >= 0)
                r = expect(database, in, false);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE backup_jobs SET ending = ?, error_name = ?, error_text = "
                                  "LEFT(?, 2048)"
                                  " WHERE id = ?",
                                  SQL_VALUES(sql_text(object_text(in, "Ending")),
                                             sql_text(object_text(in, "ErrorName")),
                                             sql_text(object_text(in, "ErrorText")),
                                             SQL_NUMBER(object_number(in, "Id"))),
                                  NULL, NULL);
        /* Only what is known for sure: else what comes after it does not build upon what was before. */
        if (r >= 0 && json_is_true(json_object_get(in, "VmUntouched")))
                r = statement_run(database, "UPDATE backup_jobs SET changes_vm = 0 WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(in, "Id"))), NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}
