/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of policies (see store-policy.h).
 */
#include "store/store-policy.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        RUNS_SHOWN = 20, /* and as many that were left out */
};

#define POLICY_COLUMNS                                                                \
        "p.id AS Id, p.name AS Name, p.vms AS `Match`, p.except_vms AS `Except`,"     \
        " r.name AS Repository, p.repository_id AS RepositoryId,"                     \
        " n.live_name AS Node,"                                                       \
        " p.calendar AS Calendar, p.randomized_delay_usec AS RandomizedDelayUSec,"    \
        " p.is_persistent AS Persistent, p.is_enabled AS Enabled,"                    \
        " p.full_every_usec AS FullEveryUSec, p.keep_last AS KeepLast,"               \
        " p.keep_hourly AS KeepHourly, p.keep_daily AS KeepDaily,"                    \
        " p.keep_weekly AS KeepWeekly, p.keep_monthly AS KeepMonthly,"                \
        " p.keep_yearly AS KeepYearly, p.principal AS Principal,"                     \
        " p.created_usec AS CreatedUSec, p.changed_usec AS ChangedUSec,"              \
        " p.heard_usec AS HeardUSec, l.id AS LastRun, l.created_usec AS LastRunUSec," \
        " l.kind AS LastRunKind, l.cause AS LastRunCause, l.state AS LastRunState,"   \
        " l.summary AS LastRunSummary,"                                               \
        " " POLICY_LAST_SUCCESS " AS LastSuccessUSec"                                 \
        " FROM policies p JOIN backup_repositories r ON r.id = p.repository_id"       \
        " LEFT JOIN nodes n ON n.id = p.node_id"                                      \
        " LEFT JOIN policy_runs l ON l.id = (SELECT MAX(m.id) FROM policy_runs m"     \
        "  WHERE m.policy_id = p.id)"                                                 \
        " WHERE p.removed_usec IS NULL"

static int make_list(json_t *row, const char *key)
{
        json_t *list = json_loads(object_text(row, key) ?: "", 0, NULL);

        return list ? json_object_set_new(row, key, list) : -1;
}

static int make_bool(json_t *row, const char *key)
{
        return json_object_set_new(row, key, json_boolean(object_number(row, key) > 0));
}

/* From columns to what is answered. */
static int finish_row(json_t *row)
{
        return make_list(row, "Match") < 0 || make_list(row, "Except") < 0 ||
                                               make_bool(row, "Persistent") < 0 ||
                                               make_bool(row, "Enabled") < 0
                               ? -EBADMSG
                               : 0;
}

int policy_find(MYSQL *database, StoreRequest *request, const char *name, json_t **ret_policy)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database, "SELECT id AS Id FROM policies WHERE live_name = ? FOR UPDATE",
                          SQL_VALUES(sql_text(name)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no policy '%.100s'; sendensectl policy list shows "
                                    "those there are",
                                    name);
        if (r < 0)
                return r;
        json_decref(TAKE(row));
        r = statement_row(database, "SELECT " POLICY_COLUMNS " AND p.live_name = ?",
                          SQL_VALUES(sql_text(name)), &row);
        if (r >= 0)
                r = finish_row(row);
        if (r >= 0)
                *ret_policy = TAKE(row);
        return r;
}

int policy_rows(MYSQL *database, uint64_t repository_id, json_t **ret_policies)
{
        CLEANUP(json_decrefp) json_t *rows = NULL;
        json_t *row;
        size_t i;
        int r;

        r = statement_rows(database,
                           "SELECT " POLICY_COLUMNS " AND (? = 0 OR p.repository_id = ?)"
                           " ORDER BY p.name",
                           SQL_VALUES(SQL_NUMBER(repository_id), SQL_NUMBER(repository_id)), &rows);
        json_array_foreach (rows, i, row)
                if (r >= 0)
                        r = finish_row(row);
        if (r >= 0)
                *ret_policies = TAKE(rows);
        return r;
}

int store_policy_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *rows;
        int r = policy_rows(database, 0, &rows);

        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Policies", rows));
}

/* ── Setting ── */

/* What is given stands in the place of what is there. */
static int merge(json_t *policy, const json_t *in)
{
        static const char *const keys[] = {
                "Match",      "Except",     "Repository",  "Node",       "Calendar",
                "Persistent", "Enabled",    "KeepLast",    "KeepHourly", "RandomizedDelayUSec",
                "KeepDaily",  "KeepWeekly", "KeepMonthly", "KeepYearly", "FullEveryUSec",
        };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                json_t *given = json_object_get(in, keys[i]);

                if (given && json_object_set(policy, keys[i], given) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static json_t *new_policy(void)
{
        return json_pack("{s:[], s:[], s:s, s:I, s:b, s:b}", "Match", "Except", "Repository", "1",
                         "RandomizedDelayUSec", (json_int_t) 0, "Persistent", 1, "Enabled", 1);
}

static int find_repository(MYSQL *database, StoreRequest *request, const char *wanted,
                           uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id FROM backup_repositories WHERE name = ?"
                          " OR CAST(id AS CHAR) = ? ORDER BY name <> ? LIMIT 1",
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no repository '%.100s'; sendensectl repository list "
                                    "shows those there are",
                                    wanted);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

static int find_node(MYSQL *database, StoreRequest *request, const char *wanted, uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        *ret_id = 0;
        if (!wanted || !*wanted)
                return 0;
        r = statement_row(database, "SELECT id AS Id FROM nodes WHERE live_name = ?",
                          SQL_VALUES(sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no node '%.100s'; sendensectl node list shows those "
                                    "there are",
                                    wanted);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

static int insert_policy(MYSQL *database, StoreRequest *request, const char *name)
{
        uint64_t now_usec = object_number(request->in, "NowUSec");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT COUNT(*) AS Count FROM policies WHERE removed_usec IS NULL", NULL,
                          0, &row);
        if (r >= 0 && object_number(row, "Count") >= POLICIES_MAX)
                return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                                    "There are %d policies already, and no more are allowed",
                                    POLICIES_MAX);
        if (r >= 0)
                r = statement_run(database,
                                  "INSERT INTO policies (name, vms, except_vms, repository_id,"
                                  " principal, created_usec, changed_usec, heard_usec)"
                                  " SELECT ?, '[\"*\"]', '[]', MIN(id), ?, ?, ?, ?"
                                  " FROM backup_repositories",
                                  SQL_VALUES(sql_text(name),
                                             sql_text(object_text(request->in, "Principal")),
                                             SQL_NUMBER(now_usec), SQL_NUMBER(now_usec),
                                             SQL_NUMBER(now_usec)),
                                  NULL, NULL);
        return r;
}

/* The timer is another when any of this is: then what the old one told is no concern of it. */
static bool timer_is_same(const json_t *a, const json_t *b)
{
        static const char *const keys[] = { "Calendar", "RandomizedDelayUSec", "Persistent",
                                            "Enabled" };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
                        return false;
        return true;
}

static int update_policy(MYSQL *database, const StoreRequest *request, const json_t *policy,
                         uint64_t repository_id, uint64_t node_id, bool is_other_timer)
{
        _cleanup_free_ char *match = json_dumps(json_object_get(policy, "Match"), JSON_COMPACT),
                            *except = json_dumps(json_object_get(policy, "Except"), JSON_COMPACT);
        const char *calendar = object_text(policy, "Calendar");
        uint64_t now_usec = object_number(request->in, "NowUSec");

        if (!match || !except)
                return -ENOMEM;
        return statement_run(
                        database,
                        "UPDATE policies SET vms = ?, except_vms = ?, repository_id = ?,"
                        " node_id = ?, calendar = ?, randomized_delay_usec = ?, is_persistent = ?,"
                        " is_enabled = ?, full_every_usec = ?, keep_last = ?, keep_hourly = ?,"
                        " keep_daily = ?, keep_weekly = ?, keep_monthly = ?, keep_yearly = ?,"
                        " principal = ?, changed_usec = ?,"
                        " heard_usec = IF(?, ?, heard_usec) WHERE live_name = ?",
                        SQL_VALUES(sql_text(match), sql_text(except), SQL_NUMBER(repository_id),
                                   sql_number_or_null(node_id),
                                   sql_text(calendar && *calendar ? calendar : NULL),
                                   SQL_NUMBER(object_number(policy, "RandomizedDelayUSec")),
                                   SQL_NUMBER(json_is_true(json_object_get(policy, "Persistent"))),
                                   SQL_NUMBER(json_is_true(json_object_get(policy, "Enabled"))),
                                   sql_number_or_null(object_number(policy, "FullEveryUSec")),
                                   SQL_NUMBER(object_number(policy, "KeepLast")),
                                   SQL_NUMBER(object_number(policy, "KeepHourly")),
                                   SQL_NUMBER(object_number(policy, "KeepDaily")),
                                   SQL_NUMBER(object_number(policy, "KeepWeekly")),
                                   SQL_NUMBER(object_number(policy, "KeepMonthly")),
                                   SQL_NUMBER(object_number(policy, "KeepYearly")),
                                   sql_text(object_text(request->in, "Principal")),
                                   SQL_NUMBER(now_usec), SQL_NUMBER(is_other_timer),
                                   SQL_NUMBER(now_usec),
                                   sql_text(object_text(request->in, "Name"))),
                        NULL, NULL);
}

int store_policy_set(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *name = object_text(request->in, "Name");
        CLEANUP(json_decrefp) json_t *old = NULL, *policy = NULL;
        uint64_t repository_id = 0, node_id = 0;
        int r;

        r = policy_find(database, request, name, &old);
        if (r < 0 && r != -ENOENT)
                return r;
        request->error_name[0] = '\0';
        policy = old ? json_copy(old) : new_policy();
        r = policy ? merge(policy, request->in) : -ENOMEM;
        if (r >= 0 && json_array_size(json_object_get(policy, "Match")) == 0)
                return store_refuse(request, -EINVAL, BUS_ERROR_INVALID_ARGUMENT,
                                    "A policy must say which VMs it is for");
        if (r >= 0)
                r = find_repository(database, request, object_text(policy, "Repository"),
                                    &repository_id);
        if (r >= 0)
                r = find_node(database, request, object_text(policy, "Node"), &node_id);
        if (r >= 0 && !old)
                r = insert_policy(database, request, name);
        if (r >= 0)
                r = update_policy(database, request, policy, repository_id, node_id,
                                  !old || !timer_is_same(old, policy));
        if (r < 0)
                return r;
        json_decref(TAKE(policy));
        r = policy_find(database, request, name, &policy);
        return r < 0 ? r : store_answer(request, TAKE(policy));
}

int store_policy_remove(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *policy = NULL;
        int r;

        r = policy_find(database, request, object_text(request->in, "Policy"), &policy);
        if (r >= 0)
                r = statement_run(database, "UPDATE policies SET removed_usec = ? WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec")),
                                             SQL_NUMBER(object_number(policy, "Id"))),
                                  NULL, NULL);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:O, s:O}", "Id", json_object_get(policy, "Id"),
                                              "Name", json_object_get(policy, "Name")));
}

int store_policy_heard(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        int r;

        r = statement_run(database,
                          "UPDATE policies SET heard_usec = GREATEST(heard_usec, ?) WHERE id = ?",
                          SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec")),
                                     SQL_NUMBER(object_number(request->in, "Id"))),
                          NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}

/* ── One with its history ── */

static int read_run_vms(MYSQL *database, json_t *run)
{
        json_t *vms;
        int r;

        r = statement_rows(database,
                           "SELECT c.vm_name AS Vm, c.context_id AS ContextId, v.state AS State,"
                           " v.is_full AS Full, v.backup_job_id AS BackupJob,"
                           " b.backup_id AS BackupId, v.delete_job_id AS DeleteJob,"
                           " v.n_deleted AS Deleted, v.before_bytes AS BeforeBytes,"
                           " v.after_bytes AS AfterBytes, v.reason AS Reason"
                           " FROM policy_run_vms v"
                           " JOIN vm_replication_contexts c ON c.id = v.vm_context_id"
                           " LEFT JOIN backup_jobs b ON b.id = v.backup_job_id"
                           " WHERE v.run_id = ? ORDER BY c.vm_name, c.id LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(object_number(run, "Id")),
                                      SQL_NUMBER(STORE_LIST_MAX)),
                           &vms);
        return r >= 0 && json_object_set_new(run, "Vms", vms) < 0 ? -ENOMEM : r;
}

/* The newest that looked at VMs, and of those that were left out since the first of them the newest as well: an hourly policy leaves
 * one out each hour that a long run takes, and who waits for that run must find it at its end, too. */
static int read_runs(MYSQL *database, uint64_t policy_id, json_t **ret_runs)
{
        return statement_rows(
                        database,
                        "WITH ran AS (SELECT r.id FROM policy_runs r WHERE r.policy_id = ?"
                        "  AND (r.state <> 'skipped'"
                        "   OR EXISTS (SELECT 1 FROM policy_run_vms v WHERE v.run_id = r.id))"
                        "  ORDER BY r.id DESC LIMIT ?),"
                        " left_out AS (SELECT l.id FROM policy_runs l WHERE l.policy_id = ?"
                        "  AND l.state = 'skipped' AND l.id > (SELECT MIN(id) FROM ran)"
                        "  AND l.id NOT IN (SELECT id FROM ran) ORDER BY l.id DESC LIMIT ?)"
                        " SELECT u.id AS Id, u.kind AS Kind, u.cause AS Cause, u.state AS State,"
                        " u.principal AS Principal, u.created_usec AS CreatedUSec,"
                        " u.finished_usec AS FinishedUSec, u.summary AS Summary"
                        " FROM (SELECT id FROM ran UNION ALL SELECT id FROM left_out) shown"
                        " JOIN policy_runs u ON u.id = shown.id ORDER BY u.id DESC",
                        SQL_VALUES(SQL_NUMBER(policy_id), SQL_NUMBER(RUNS_SHOWN),
                                   SQL_NUMBER(policy_id), SQL_NUMBER(RUNS_SHOWN)),
                        ret_runs);
}

int store_policy_get(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *policy = NULL, *runs = NULL;
        json_t *run, *vm;
        size_t i, k;
        int r;

        r = policy_find(database, request, object_text(request->in, "Policy"), &policy);
        if (r >= 0)
                r = read_runs(database, object_number(policy, "Id"), &runs);
        json_array_foreach (runs, i, run) {
                if (r >= 0)
                        r = read_run_vms(database, run);
                json_array_foreach (json_object_get(run, "Vms"), k, vm)
                        if (make_bool(vm, "Full") < 0)
                                r = -ENOMEM;
        }
        if (r >= 0 && json_object_set(policy, "Runs", runs) < 0)
                r = -ENOMEM;
        return r < 0 ? r : store_answer(request, TAKE(policy));
}
