/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of runs (see store-policy-run.h).
 */
#include "store/store-policy-run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "policy-types.h"
#include "store/statement.h"
#include "store/store-policy.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
        VMS_AT_ONCE = 64, /* of a run: more need not wait in the queue */
        SUMMARY_SIZE = 256,
};

/* ── The beginning ── */

static int insert_run(MYSQL *database, const StoreRequest *request, uint64_t policy_id,
                      PolicyRunState state, const char *summary, uint64_t *ret_id)
{
        uint64_t now_usec = object_number(request->in, "NowUSec");

        return statement_run(
                        database,
                        "INSERT INTO policy_runs (policy_id, kind, cause, state, principal,"
                        " created_usec, finished_usec, summary) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        SQL_VALUES(SQL_NUMBER(policy_id),
                                   sql_text(object_text(request->in, "Kind")),
                                   sql_text(object_text(request->in, "Cause")),
                                   sql_text(policy_run_state_to_string(state)),
                                   sql_text(object_text(request->in, "Principal")),
                                   SQL_NUMBER(now_usec),
                                   state == POLICY_RUN_RUNNING ? SQL_NULL : SQL_NUMBER(now_usec),
                                   sql_text(summary)),
                        NULL, ret_id);
}

/* What is of no vCenter is read from given sources, which a policy has not: only its old backups are looked at. A full is due when
 * the newest that the policy has asked for is too old. */
static int insert_vm(MYSQL *database, const StoreRequest *request, uint64_t run_id,
                     const json_t *policy, const json_t *vm)
{
        bool can_be_backed_up = object_number(vm, "CredentialId") > 0;
        const char *kind = object_text(request->in, "Kind");
        bool backs_up = policy_run_kind_from_string(kind ?: "") == POLICY_RUN_BACKUP;
        uint64_t every_usec = object_number(policy, "FullEveryUSec");
        uint64_t now_usec = object_number(request->in, "NowUSec");
        uint64_t since_usec = every_usec < now_usec ? now_usec - every_usec : 0;

        return statement_run(
                        database,
                        "INSERT INTO policy_run_vms (run_id, vm_context_id, state, reason, is_full)"
                        " SELECT ?, ?, ?, ?, ? AND NOT EXISTS (SELECT 1 FROM policy_run_vms o"
                        "  JOIN policy_runs u ON u.id = o.run_id"
                        "  JOIN backup_jobs b ON b.id = o.backup_job_id"
                        "  WHERE u.policy_id = ? AND o.vm_context_id = ? AND o.is_full"
                        "  AND b.state = 'completed' AND b.created_usec > ?)",
                        SQL_VALUES(SQL_NUMBER(run_id), SQL_NUMBER(object_number(vm, "Vm")),
                                   sql_text(policy_vm_state_to_string(
                                                   backs_up && can_be_backed_up ? POLICY_VM_WAITING
                                                                                : POLICY_VM_PRUNE)),
                                   sql_text(backs_up && !can_be_backed_up
                                                            ? "it is of no vCenter: nothing of it "
                                                              "is backed up"
                                                            : NULL),
                                   SQL_NUMBER(every_usec > 0),
                                   SQL_NUMBER(object_number(policy, "Id")),
                                   SQL_NUMBER(object_number(vm, "Vm")), SQL_NUMBER(since_usec)),
                        NULL, NULL);
}

/* 1: one is open, and that is answered or refused. */
static int meet_open_run(MYSQL *database, StoreRequest *request, const json_t *policy)
{
        const char *cause = object_text(request->in, "Cause");
        CLEANUP(json_decrefp) json_t *row = NULL;
        char summary[SUMMARY_SIZE];
        uint64_t open, skipped = 0;
        int r;

        r = statement_row(database, "SELECT id AS Id FROM policy_runs WHERE running_policy_id = ?",
                          SQL_VALUES(SQL_NUMBER(object_number(policy, "Id"))), &row);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        open = object_number(row, "Id");
        if (policy_run_cause_from_string(cause ?: "") == POLICY_CAUSE_ASKED)
                return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                                    "Run %" PRIu64
                                    " of policy %s is not over; sendensectl policy show %s tells "
                                    "what it does",
                                    open, object_text(policy, "Name"), object_text(policy, "Name"));
        (void) snprintf(summary, sizeof(summary), "run %" PRIu64 " was not over", open);
        r = insert_run(database, request, object_number(policy, "Id"), POLICY_RUN_SKIPPED, summary,
                       &skipped);
        if (r >= 0)
                r = store_answer(request,
                                 json_pack("{s:I, s:O, s:i, s:b, s:s}", "Run", (json_int_t) skipped,
                                           "Policy", json_object_get(policy, "Name"), "Vms", 0,
                                           "Skipped", 1, "Summary", summary));
        return r < 0 ? r : 1;
}

static int insert_vms(MYSQL *database, const StoreRequest *request, uint64_t run_id,
                      const json_t *policy, const json_t *vms)
{
        const json_t *vm;
        size_t i;
        int r = 0;

        json_array_foreach (vms, i, vm)
                if (r >= 0)
                        r = insert_vm(database, request, run_id, policy, vm);
        return r;
}

int store_policy_run_begin(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *policy = NULL, *vms = NULL;
        const char *cause = object_text(request->in, "Cause");
        uint64_t run_id = 0;
        int r;

        r = policy_find(database, request, object_text(request->in, "Policy"), &policy);
        if (r >= 0 && policy_run_cause_from_string(cause ?: "") != POLICY_CAUSE_ASKED)
                r = statement_run(database,
                                  "UPDATE policies SET heard_usec = GREATEST(heard_usec, ?)"
                                  " WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec")),
                                             SQL_NUMBER(object_number(policy, "Id"))),
                                  NULL, NULL);
        if (r >= 0)
                r = meet_open_run(database, request, policy);
        if (r != 0)
                return r < 0 ? r : 0;
        r = policy_vms(database, policy, &vms);
        if (r >= 0)
                r = insert_run(database, request, object_number(policy, "Id"),
                               json_array_size(vms) > 0 ? POLICY_RUN_RUNNING : POLICY_RUN_FAILED,
                               json_array_size(vms) > 0 ? NULL
                                                        : "the hub knows no VM that it is for",
                               &run_id);
        if (r >= 0)
                r = insert_vms(database, request, run_id, policy, vms);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:I, s:O, s:I, s:b}", "Run", (json_int_t) run_id,
                                              "Policy", json_object_get(policy, "Name"), "Vms",
                                              (json_int_t) json_array_size(vms), "Skipped", 0));
}

/* ── On the way ── */

static int read_vms(MYSQL *database, json_t *run)
{
        json_t *vms;
        int r;

        r = statement_rows(
                        database,
                        "SELECT v.vm_context_id AS Vm, c.context_id AS ContextId, c.vm_name AS "
                        "Name,"
                        " v.state AS State, v.is_full AS IsFull, v.backup_job_id AS BackupJob,"
                        " b.state AS BackupState, b.error_name AS BackupErrorName,"
                        " b.error_text AS BackupErrorText, b.finished_usec AS BackupFinishedUSec,"
                        " b.retry_number AS RetryNumber, t.id AS RetryJob,"
                        " v.delete_job_id AS DeleteJob, d.state AS DeleteState,"
                        " d.error_text AS DeleteErrorText, d.work_result AS DeleteResult,"
                        " v.before_bytes AS BeforeBytes, v.reason AS Reason"
                        " FROM policy_run_vms v"
                        " JOIN vm_replication_contexts c ON c.id = v.vm_context_id"
                        " LEFT JOIN backup_jobs b ON b.id = v.backup_job_id"
                        " LEFT JOIN backup_jobs t ON t.retry_of = v.backup_job_id"
                        " LEFT JOIN backup_jobs d ON d.id = v.delete_job_id"
                        " WHERE v.run_id = ? AND v.state IN ('waiting', 'backup', 'prune')"
                        " ORDER BY v.state = 'waiting', c.vm_name, c.id LIMIT ?",
                        SQL_VALUES(SQL_NUMBER(object_number(run, "Id")), SQL_NUMBER(VMS_AT_ONCE)),
                        &vms);
        return r >= 0 && json_object_set_new(run, "Vms", vms) < 0 ? -ENOMEM : r;
}

int store_policy_run_load(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *runs = NULL;
        json_t *run;
        size_t i;
        int r;

        r = statement_rows(database,
                           "SELECT u.id AS Id, u.policy_id AS PolicyId, p.name AS Policy,"
                           " p.removed_usec IS NOT NULL AS IsRemoved, u.kind AS Kind,"
                           " r.name AS Repository, r.id AS RepositoryId, n.live_name AS Node,"
                           " u.created_usec AS CreatedUSec"
                           " FROM policy_runs u JOIN policies p ON p.id = u.policy_id"
                           " JOIN backup_repositories r ON r.id = p.repository_id"
                           " LEFT JOIN nodes n ON n.id = p.node_id"
                           " WHERE u.running_policy_id IS NOT NULL ORDER BY u.id",
                           NULL, 0, &runs);
        json_array_foreach (runs, i, run)
                if (r >= 0)
                        r = read_vms(database, run);
        return r < 0 ? r : store_answer(request, json_pack("{s:O}", "Runs", runs));
}

int store_policy_run_vm(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *in = request->in;
        uint64_t n = 0;
        int r;

        r = statement_run(database,
                          "UPDATE policy_run_vms SET state = ?,"
                          " backup_job_id = COALESCE(?, backup_job_id),"
                          " delete_job_id = COALESCE(?, delete_job_id),"
                          " n_deleted = n_deleted + ?, before_bytes = COALESCE(before_bytes, ?),"
                          " after_bytes = COALESCE(?, after_bytes), reason = COALESCE(?, reason)"
                          " WHERE run_id = ? AND vm_context_id = ? AND state = ?",
                          SQL_VALUES(sql_text(object_text(in, "State")),
                                     sql_number_or_null(object_number(in, "BackupJob")),
                                     sql_number_or_null(object_number(in, "DeleteJob")),
                                     SQL_NUMBER(object_number(in, "Deleted")),
                                     json_object_get(in, "BeforeBytes")
                                                     ? SQL_NUMBER(object_number(in, "BeforeBytes"))
                                                     : SQL_NULL,
                                     json_object_get(in, "AfterBytes")
                                                     ? SQL_NUMBER(object_number(in, "AfterBytes"))
                                                     : SQL_NULL,
                                     sql_text(object_text(in, "Reason")),
                                     SQL_NUMBER(object_number(in, "Run")),
                                     SQL_NUMBER(object_number(in, "Vm")),
                                     sql_text(object_text(in, "From"))),
                          &n, NULL);
        if (r >= 0 && n == 0)
                r = -ESTALE;
        return r < 0 ? r : store_answer(request, json_object());
}

/* ── The end ── */

static int count_vms(MYSQL *database, uint64_t run_id, json_t **ret_row)
{
        return statement_row(
                        database,
                        "SELECT p.name AS Policy, u.kind AS Kind, COUNT(v.vm_context_id) AS Vms,"
                        " CAST(SUM(v.state IN ('waiting', 'backup', 'prune')) AS UNSIGNED) AS Open,"
                        " CAST(SUM(v.state = 'failed') AS UNSIGNED) AS Failed,"
                        " CAST(SUM(v.state = 'skipped') AS UNSIGNED) AS Skipped,"
                        " CAST(SUM(b.state <=> 'completed') AS UNSIGNED) AS BackedUp,"
                        " CAST(SUM(v.n_deleted) AS UNSIGNED) AS Deleted,"
                        " CAST(SUM(v.state = 'completed' AND v.reason IS NOT NULL) AS UNSIGNED)"
                        "  AS Remarks"
                        " FROM policy_runs u JOIN policies p ON p.id = u.policy_id"
                        " JOIN policy_run_vms v ON v.run_id = u.id"
                        " LEFT JOIN backup_jobs b ON b.id = v.backup_job_id"
                        " WHERE u.id = ? AND u.state = 'running' GROUP BY u.id",
                        SQL_VALUES(SQL_NUMBER(run_id)), ret_row);
}

static void describe(const json_t *counts, char ret_text[static SUMMARY_SIZE])
{
        static const struct {
                const char *key, *words;
                bool is_always;
        } parts[] = {
                { "BackedUp", "backed up", true },     { "Failed", "failed", false },
                { "Skipped", "skipped", false },       { "Deleted", "backups deleted", false },
                { "Remarks", "with a remark", false },
        };
        size_t n = 0;

        ret_text[0] = '\0';
        for (size_t i = 0; i < ELEMENTSOF(parts) && n < SUMMARY_SIZE; i++) {
                uint64_t count = object_number(counts, parts[i].key);
                int written;

                if (count == 0 && !parts[i].is_always)
                        continue;
                written = snprintf(ret_text + n, SUMMARY_SIZE - n, "%s%" PRIu64 " %s",
                                   n > 0 ? ", " : "", count, parts[i].words);
                n += written > 0 ? (size_t) written : 0;
        }
}

/* A run that backed nothing up, because all of it was left to others, is no success to whoever asks when the last one was. */
static PolicyRunState end_state(const json_t *counts)
{
        bool is_backup = policy_run_kind_from_string(object_text(counts, "Kind") ?: "") ==
                         POLICY_RUN_BACKUP;

        if (object_number(counts, "Failed") > 0)
                return POLICY_RUN_FAILED;
        return is_backup && object_number(counts, "Skipped") > 0 &&
                                               object_number(counts, "BackedUp") == 0
                               ? POLICY_RUN_SKIPPED
                               : POLICY_RUN_COMPLETED;
}

int store_policy_run_end(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t run_id = object_number(request->in, "Run");
        CLEANUP(json_decrefp) json_t *counts = NULL;
        char summary[SUMMARY_SIZE];
        const char *state;
        int r;

        r = count_vms(database, run_id, &counts);
        if (r == -ENODATA || (r >= 0 && object_number(counts, "Open") > 0))
                return -ESTALE;
        if (r < 0)
                return r;
        describe(counts, summary);
        state = policy_run_state_to_string(end_state(counts));
        r = statement_run(database,
                          "UPDATE policy_runs SET state = ?, finished_usec = ?, summary = ?"
                          " WHERE id = ? AND state = 'running'",
                          SQL_VALUES(sql_text(state),
                                     SQL_NUMBER(object_number(request->in, "NowUSec")),
                                     sql_text(summary), SQL_NUMBER(run_id)),
                          NULL, NULL);
        return r < 0 ? r
                     : store_answer(request, json_pack("{s:O, s:s, s:s}", "Policy",
                                                       json_object_get(counts, "Policy"), "State",
                                                       state, "Summary", summary));
}
