/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a decision about old backups is made of (see store-policy-run.h).
 */
#include "store/store-policy-run.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "policy/policy-match.h"
#include "store/statement.h"
#include "store/store-backup.h"
#include "store/store-policy.h"
#include "store/store-request.h"
#include "store/store-verify.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

int policy_vms(MYSQL *database, const json_t *policy, json_t **ret_vms)
{
        CLEANUP(json_decrefp) json_t *rows = NULL, *vms = json_array();
        json_t *vm;
        size_t i;
        int r;

        if (!vms)
                return -ENOMEM;
        r = statement_rows(database,
                           "SELECT id AS Vm, context_id AS ContextId, instance_uuid AS"
                           " InstanceUuid, vm_name AS Name, vm_path AS Path,"
                           " credential_id AS CredentialId FROM vm_replication_contexts"
                           " ORDER BY vm_name, id",
                           NULL, 0, &rows);
        json_array_foreach (rows, i, vm)
                if (policy_matches(json_object_get(policy, "Match"),
                                   json_object_get(policy, "Except"), vm) &&
                    json_array_append(vms, vm) < 0)
                        return -ENOMEM;
        if (r >= 0)
                *ret_vms = TAKE(vms);
        return r;
}

/* One that was made without a disk is partial when another backup there has that disk: of a disk that none has, nothing is lost. */
static int read_backups(MYSQL *database, uint64_t vm, uint64_t repository, json_t **ret_rows)
{
        json_t *rows = NULL;
        int r;

        r = statement_rows(database,
                           "SELECT j.id AS Job, j.backup_id AS BackupId,"
                           " j.created_usec AS CreatedUSec,"
                           " CAST(COALESCE(SUM(" STORED_BYTES "), 0) AS UNSIGNED) AS SizeBytes,"
                           " EXISTS (SELECT 1 FROM backup_disks x"
                           "  JOIN backup_disks o ON o.vm_context_id = x.vm_context_id"
                           "   AND o.disk_key = x.disk_key AND o.state = 'completed'"
                           "  JOIN backup_jobs k ON k.id = o.job_id"
                           "   AND k.repository_id = j.repository_id AND k.job_type = 'backup'"
                           "   AND k.state = 'completed' AND k.deleted_usec IS NULL"
                           "  WHERE x.job_id = j.id AND x.state = 'excluded') AS IsPartial"
                           " FROM backup_jobs j LEFT JOIN backup_disks b ON b.job_id = j.id"
                           "  AND b.state = 'completed'"
                           " WHERE j.vm_context_id = ? AND j.repository_id = ?"
                           " AND j.job_type = 'backup' AND j.state = 'completed'"
                           " AND j.deleted_usec IS NULL GROUP BY j.id"
                           " ORDER BY j.created_usec DESC, j.id DESC",
                           SQL_VALUES(SQL_NUMBER(vm), SQL_NUMBER(repository)), &rows);
        if (r >= 0)
                r = backups_add_health(database, rows);
        if (r >= 0)
                *ret_rows = rows;
        else
                json_decref(rows);
        return r;
}

/* Deletions that ended half-way: what is left of them is still owed. */
static int count_owed(MYSQL *database, uint64_t vm, uint64_t *ret_n)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT COUNT(*) AS Owed FROM obligations o"
                          " JOIN backup_jobs j ON j.id = o.job_id"
                          " WHERE o.state = 'open' AND j.job_type = 'delete'"
                          " AND j.vm_context_id = ?",
                          SQL_VALUES(SQL_NUMBER(vm)), &row);
        if (r >= 0)
                *ret_n = object_number(row, "Owed");
        return r;
}

/* All that keep backups of this VM: what one of them needs stays. */
static int add_policies(json_t *vm, const json_t *policies)
{
        json_t *list = json_array(), *policy;
        size_t i;

        json_array_foreach (policies, i, policy)
                if (policy_matches(json_object_get(policy, "Match"),
                                   json_object_get(policy, "Except"), vm) &&
                    json_array_append(list, policy) < 0) {
                        json_decref(list);
                        return -ENOMEM;
                }
        return json_object_set_new(vm, "Policies", list) < 0 ? -ENOMEM : 0;
}

static int look_at_vm(MYSQL *database, json_t *vm, const json_t *place, const json_t *policies)
{
        json_t *backups = NULL;
        uint64_t owed = 0;
        int r;

        r = read_backups(database, object_number(vm, "Vm"), object_number(place, "RepositoryId"),
                         &backups);
        if (r >= 0 && json_object_set_new(vm, "Backups", backups) < 0)
                r = -ENOMEM;
        if (r >= 0)
                r = count_owed(database, object_number(vm, "Vm"), &owed);
        if (r >= 0)
                r = add_policies(vm, policies);
        if (r >= 0 &&
            (json_object_set_new(vm, "Owed", json_integer((json_int_t) owed)) < 0 ||
             json_object_set(vm, "RepositoryId", json_object_get(place, "RepositoryId")) < 0 ||
             json_object_set(vm, "Repository", json_object_get(place, "Repository")) < 0))
                r = -ENOMEM;
        return r;
}

/* Of a run that began before the policy was changed the VM is looked at all the same. */
static int find_of_run(MYSQL *database, const StoreRequest *request, json_t **ret_place,
                       json_t **ret_vms)
{
        const json_t *in = request->in;
        int r;

        r = statement_row(database,
                          "SELECT r.id AS RepositoryId, r.name AS Repository FROM policy_runs u"
                          " JOIN policies p ON p.id = u.policy_id"
                          " JOIN backup_repositories r ON r.id = p.repository_id WHERE u.id = ?",
                          SQL_VALUES(SQL_NUMBER(object_number(in, "Run"))), ret_place);
        if (r >= 0)
                r = statement_rows(database,
                                   "SELECT c.id AS Vm, c.context_id AS ContextId,"
                                   " c.instance_uuid AS InstanceUuid, c.vm_name AS Name,"
                                   " c.vm_path AS Path, v.backup_job_id AS BackupJob"
                                   " FROM vm_replication_contexts c"
                                   " LEFT JOIN policy_run_vms v ON v.vm_context_id = c.id"
                                   "  AND v.run_id = ? WHERE c.id = ?",
                                   SQL_VALUES(SQL_NUMBER(object_number(in, "Run")),
                                              SQL_NUMBER(object_number(in, "Vm"))),
                                   ret_vms);
        return r;
}

static int keep_vm(json_t *vms, const char *wanted)
{
        for (size_t i = json_array_size(vms); i-- > 0;) {
                const json_t *vm = json_array_get(vms, i);

                if (strcmp(object_text(vm, "Name"), wanted) != 0 &&
                    strcmp(object_text(vm, "ContextId"), wanted) != 0 &&
                    strcasecmp(object_text(vm, "InstanceUuid"), wanted) != 0)
                        (void) json_array_remove(vms, i);
        }
        return json_array_size(vms) > 0 ? 0 : -ENOENT;
}

static int find_of_policy(MYSQL *database, StoreRequest *request, json_t **ret_place,
                          json_t **ret_vms)
{
        const char *vm = object_text(request->in, "Vm");
        int r;

        r = policy_find(database, request, object_text(request->in, "Policy"), ret_place);
        if (r >= 0)
                r = policy_vms(database, *ret_place, ret_vms);
        if (r < 0 || !vm || keep_vm(*ret_vms, vm) >= 0)
                return r;
        return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                            "Policy %s is not for a VM '%.100s'",
                            object_text(request->in, "Policy"), vm);
}

int store_policy_look(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *place = NULL, *vms = NULL, *policies = NULL;
        json_t *vm;
        size_t i;
        int r;

        r = object_number(request->in, "Run") > 0 ? find_of_run(database, request, &place, &vms)
                                                  : find_of_policy(database, request, &place, &vms);
        if (r >= 0)
                r = policy_rows(database, object_number(place, "RepositoryId"), &policies);
        json_array_foreach (vms, i, vm)
                if (r >= 0)
                        r = look_at_vm(database, vm, place, policies);
        return r < 0 ? r : store_answer(request, json_pack("{s:O}", "Vms", vms));
}
