/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A new job in one transaction (see store-job.h): what is to be done with each disk is decided from the
 * same rows that the job then refers to.
 */
#include "store/store-job.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "job/plan.h"
#include "names.h"
#include "parse.h"
#include "store/statement.h"
#include "store/store-request.h"
#include "store/store-vm.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        BACKUP_ID_ATTEMPTS_MAX = 100, /* backups of equally named VMs in one second */
};

#define CLOCK_SLACK_USEC (300 * USEC_PER_SEC) /* of a clock that is set a little now and then */

static int find_repository(MYSQL *database, StoreRequest *request, uint64_t *ret_id)
{
        const char *wanted = object_text(request->in, "Repository");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id FROM backup_repositories WHERE name = ?"
                          " OR CAST(id AS CHAR) = ? ORDER BY name <> ? LIMIT 1",
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no repository '%.100s'; sendensectl repository list "
                                    "shows "
                                    "those there are",
                                    wanted);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

/* The newest completed layer of each disk of the VM in the repository. Newest by the backup's time: rows
 * of a catalog that was rebuilt stand in any order. One of a time that is still to come, when the clock was wrong, would
 * be the newest for years, and all that follows would stand on it. */
static int newest_layers(MYSQL *database, uint64_t vm_id, uint64_t repository_id, uint64_t now_usec,
                         json_t **ret_layers)
{
        return statement_rows(
                        database,
                        "WITH RECURSIVE damaged (id) AS ("
                        " SELECT id FROM backup_disks WHERE vm_context_id = ?"
                        "  AND repository_id = ? AND damaged_usec IS NOT NULL"
                        " UNION SELECT b.id FROM backup_disks b"
                        "  JOIN damaged ON b.parent_id = damaged.id)"
                        " SELECT l.Id, l.`Key`, l.CapacityBytes, l.BackingUuid, l.ChangeId,"
                        " l.BackupId, l.Id IN (SELECT id FROM damaged) AS IsDamaged,"
                        " EXISTS (SELECT 1 FROM backup_jobs r WHERE r.vm_context_id = ?"
                        "  AND r.changes_vm AND r.started_usec IS NOT NULL AND (r.id > l.Job"
                        "  OR r.started_usec >= l.CreatedUSec)) AS IsRestored FROM ("
                        " SELECT b.id AS Id, b.disk_key AS `Key`, b.capacity_bytes AS "
                        "CapacityBytes,"
                        "  b.backing_uuid AS BackingUuid, b.change_id AS ChangeId,"
                        "  j.backup_id AS BackupId, j.id AS Job, j.created_usec AS CreatedUSec,"
                        "  ROW_NUMBER() OVER (PARTITION BY b.disk_key"
                        "   ORDER BY j.created_usec > ?, j.created_usec DESC, b.id DESC) AS n"
                        "  FROM backup_disks b JOIN backup_jobs j ON j.id = b.job_id"
                        "  WHERE b.vm_context_id = ? AND b.repository_id = ?"
                        "  AND b.state = 'completed' AND j.state = 'completed'"
                        "  AND j.deleted_usec IS NULL) l WHERE l.n = 1",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(repository_id), SQL_NUMBER(vm_id),
                                   SQL_NUMBER(now_usec + CLOCK_SLACK_USEC), SQL_NUMBER(vm_id),
                                   SQL_NUMBER(repository_id)),
                        ret_layers);
}

static int make_plan(MYSQL *database, StoreRequest *request, uint64_t vm_id, uint64_t repository_id,
                     json_t **ret_plan)
{
        CLEANUP(json_decrefp) json_t *disks = NULL, *layers = NULL;
        const char *type = object_text(request->in, "BackupType");
        char error[STORE_REFUSAL_TEXT_SIZE] = "";
        PlanRequest plan;
        int r;

        r = vm_disks(database, vm_id, &disks);
        if (r >= 0)
                r = newest_layers(database, vm_id, repository_id,
                                  object_number(request->in, "NowUSec"), &layers);
        if (r < 0)
                return r;
        plan = (PlanRequest){
                .type = backup_type_from_string(type ?: ""),
                .disks = disks,
                .layers = layers,
                .sources = json_object_get(request->in, "Sources"),
                .exclude = json_object_get(request->in, "Exclude"),
        };
        r = job_plan(&plan, ret_plan, error, sizeof(error));
        return r == -EINVAL ? store_refuse(request, r, BUS_ERROR_INVALID_ARGUMENT, "%s", error) : r;
}

static int refuse_busy(MYSQL *database, StoreRequest *request, const json_t *vm)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id, state AS State FROM backup_jobs"
                          " WHERE active_vm_context_id = ?",
                          SQL_VALUES(SQL_NUMBER(object_number(vm, "Id"))), &row);
        if (r < 0)
                return r == -ENODATA ? -EAGAIN : r; /* it has just ended */
        return store_refuse(request, -EBUSY, BUS_ERROR_VM_BUSY,
                            "Job %" PRIu64
                            " of this VM is %s; a VM has one job at a time (sendensectl job show "
                            "%" PRIu64 ")",
                            object_number(row, "Id"), object_text(row, "State"),
                            object_number(row, "Id"));
}

static int insert_job(MYSQL *database, StoreRequest *request, const json_t *vm,
                      uint64_t repository_id, uint64_t node_id, uint64_t *ret_id)
{
        uint64_t now_usec = object_number(request->in, "NowUSec");
        char backup_id[BACKUP_ID_SIZE];
        int r = -EEXIST;

        for (uint32_t n = 0; r == -EEXIST && n < BACKUP_ID_ATTEMPTS_MAX; n++) {
                r = backup_id_format(object_text(vm, "Name"), (int64_t) (now_usec / USEC_PER_SEC),
                                     n, backup_id);
                if (r < 0)
                        return r;
                r = statement_run(database,
                                  "INSERT INTO backup_jobs (job_type, vm_context_id, repository_id,"
                                  " backup_id, backup_type, principal, created_usec, node_id,"
                                  " retry_of, retry_number)"
                                  " VALUES ('backup', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                  SQL_VALUES(SQL_NUMBER(object_number(vm, "Id")),
                                             SQL_NUMBER(repository_id), sql_text(backup_id),
                                             sql_text(object_text(request->in, "BackupType")),
                                             sql_text(object_text(request->in, "Principal")),
                                             SQL_NUMBER(now_usec), sql_number_or_null(node_id),
                                             sql_number_or_null(
                                                             object_number(request->in, "RetryOf")),
                                             SQL_NUMBER(object_number(request->in, "RetryNumber"))),
                                  NULL, ret_id);
                if (r != -EEXIST)
                        return r;
                if (strcmp(statement_refused_by(), "backup_jobs_one_active") == 0)
                        return refuse_busy(database, request, vm);
                if (strcmp(statement_refused_by(), "backup_jobs_retry_once") == 0)
                        return store_refuse(request, r, BUS_ERROR_EXISTS,
                                            "Job %" PRIu64 " has been tried again already",
                                            object_number(request->in, "RetryOf"));
        }
        return r;
}

static int insert_disks(MYSQL *database, uint64_t job_id, uint64_t vm_id, uint64_t repository_id,
                        const json_t *plan)
{
        const json_t *disk;
        size_t i;
        int r = 0;

        json_array_foreach (plan, i, disk)
                if (r >= 0)
                        r = statement_run(
                                        database,
                                        "INSERT INTO backup_disks (job_id, vm_context_id, "
                                        "repository_id,"
                                        " disk_key, state, backup_type, reason, capacity_bytes,"
                                        " backing_uuid, parent_id, source_uri)"
                                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                        SQL_VALUES(SQL_NUMBER(job_id), SQL_NUMBER(vm_id),
                                                   SQL_NUMBER(repository_id),
                                                   SQL_NUMBER(object_number(disk, "Key")),
                                                   sql_text(object_text(disk, "State")),
                                                   sql_text(object_text(disk, "BackupType")),
                                                   sql_text(object_text(disk, "Reason")),
                                                   SQL_NUMBER(object_number(disk, "CapacityBytes")),
                                                   sql_text(object_text(disk, "BackingUuid")),
                                                   sql_number_or_null(
                                                                   object_number(disk, "ParentId")),
                                                   sql_text(object_text(disk, "SourceUri"))),
                                        NULL, NULL);
        return r;
}

int job_insert_first_event(MYSQL *database, const StoreRequest *request, uint64_t job_id)
{
        return statement_run(
                        database,
                        "INSERT INTO job_events (event_id, job_id, at_usec, principal, to_state,"
                        " reason) VALUES (?, ?, ?, ?, 'queued', ?)",
                        SQL_VALUES(sql_text(object_text(request->in, "EventId")),
                                   SQL_NUMBER(job_id),
                                   SQL_NUMBER(object_number(request->in, "NowUSec")),
                                   sql_text(object_text(request->in, "Principal")),
                                   sql_text(object_text(request->in, "Node") ? JOB_ASKED_AT_NODE
                                                                             : "asked for")),
                        NULL, NULL);
}

int job_find_made(MYSQL *database, const StoreRequest *request, uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database, "SELECT job_id AS Id FROM job_events WHERE event_id = ?",
                          SQL_VALUES(sql_text(object_text(request->in, "EventId"))), &row);
        if (r < 0)
                return r == -ENODATA ? 0 : r;
        *ret_id = object_number(row, "Id");
        return 1;
}

/* The caller's key is the event's id: what it was used for before must be what is asked for now. */
static int check_same(MYSQL *database, StoreRequest *request, uint64_t job_id)
{
        CLEANUP(json_decrefp) json_t *vm = NULL, *row = NULL;
        uint64_t repository_id = 0;
        int r;

        if (!json_is_true(json_object_get(request->in, "IsIdempotent")))
                return 0;
        r = vm_find(database, request, object_text(request->in, "Vm"), &vm);
        if (r >= 0)
                r = find_repository(database, request, &repository_id);
        if (r >= 0)
                r = statement_row(database,
                                  "SELECT id AS Id FROM backup_jobs WHERE id = ? AND vm_context_id"
                                  " = ? AND repository_id = ? AND backup_type = ?",
                                  SQL_VALUES(SQL_NUMBER(job_id),
                                             SQL_NUMBER(object_number(vm, "Id")),
                                             SQL_NUMBER(repository_id),
                                             sql_text(object_text(request->in, "BackupType"))),
                                  &row);
        return r == -ENODATA ? store_refuse(request, -EBADRQC, BUS_ERROR_KEY_REUSED,
                                            "Option idempotency_key was used for job %" PRIu64
                                            ", which was another request",
                                            job_id)
                             : r;
}

int job_answer(MYSQL *database, StoreRequest *request, uint64_t id)
{
        json_t *job;
        int r = job_load(database, id, &job);

        return r < 0 ? r : store_answer(request, job);
}

int store_job_find(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t job_id = 0;
        int r;

        r = job_find_made(database, request, &job_id);
        if (r <= 0)
                return r < 0 ? r : store_answer(request, json_object());
        r = check_same(database, request, job_id);
        return r < 0 ? r : job_answer(database, request, job_id);
}

int store_job_create(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *vm = NULL, *plan = NULL;
        uint64_t repository_id = 0, node_id = 0, vm_id, job_id = 0;
        int r;

        r = job_find_made(database, request, &job_id);
        if (r > 0)
                r = check_same(database, request, job_id);
        if (r != 0 || job_id > 0)
                return r < 0 ? r : job_answer(database, request, job_id);
        r = vm_find(database, request, object_text(request->in, "Vm"), &vm);
        if (r < 0)
                return r;
        vm_id = object_number(vm, "Id");
        r = find_repository(database, request, &repository_id);
        if (r >= 0 && !json_object_get(request->in, "Sources"))
                r = job_choose_node(database, request, vm_id, &node_id);
        if (r >= 0)
                r = make_plan(database, request, vm_id, repository_id, &plan);
        if (r >= 0)
                r = insert_job(database, request, vm, repository_id, node_id, &job_id);
        if (r >= 0)
                r = insert_disks(database, job_id, vm_id, repository_id, plan);
        if (r >= 0)
                r = job_insert_first_event(database, request, job_id);
        if (r >= 0)
                r = job_answer(database, request, job_id);
        return r;
}
