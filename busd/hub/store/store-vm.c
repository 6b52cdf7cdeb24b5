/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of vm_replication_contexts and vm_disks (see store-vm.h).
 */
#include "store/store-vm.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "names.h"
#include "parse.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VM_COLUMNS                                                                \
        "v.id AS Id, v.context_id AS ContextId, v.instance_uuid AS InstanceUuid," \
        " v.vm_name AS Name, v.vm_path AS Path, v.created_usec AS CreatedUSec,"   \
        " v.credential_id AS CredentialId,"                                       \
        " (SELECT c.name FROM vmware_credentials c WHERE c.id = v.credential_id)" \
        "  AS Vcenter,"                                                           \
        " (SELECT COUNT(*) FROM vm_disks d WHERE d.vm_context_id = v.id AND d.present) AS Disks"

#define LAST_BACKUP                                                                        \
        ", (SELECT j.backup_id FROM backup_jobs j WHERE j.vm_context_id = v.id"            \
        "  AND j.job_type = 'backup' AND j.state = 'completed' AND j.deleted_usec IS NULL" \
        "  ORDER BY j.created_usec DESC, j.id DESC LIMIT 1)"                               \
        "  AS LastBackup,"                                                                 \
        " (SELECT j.finished_usec FROM backup_jobs j WHERE j.vm_context_id = v.id"         \
        "  AND j.job_type = 'backup' AND j.state = 'completed' AND j.deleted_usec IS NULL" \
        "  ORDER BY j.created_usec DESC, j.id DESC LIMIT 1)"                               \
        "  AS LastBackupUSec"

enum {
        NAMESAKES_MAX = 5, /* that a refusal names */
};

/* Names the contexts that a name could mean. */
static int refuse_ambiguous(StoreRequest *request, const char *vm, const json_t *rows)
{
        char ids[512] = "";
        size_t i, n = 0;
        json_t *row;

        json_array_foreach (rows, i, row)
                if (n < sizeof(ids))
                        n += (size_t) snprintf(ids + n, sizeof(ids) - n, "%s%s", i > 0 ? ", " : "",
                                               object_text(row, "ContextId"));
        return store_refuse(request, -EINVAL, BUS_ERROR_INVALID_ARGUMENT,
                            "Several VMs are named %.100s; say which by its context id: %s%s", vm,
                            ids, json_array_size(rows) >= NAMESAKES_MAX ? ", …" : "");
}

int vm_find(MYSQL *database, StoreRequest *request, const char *vm, json_t **ret_row)
{
        CLEANUP(json_decrefp) json_t *rows = NULL;
        int r;

        r = statement_rows(database,
                           "SELECT " VM_COLUMNS LAST_BACKUP " FROM vm_replication_contexts v"
                           " WHERE v.context_id = ? OR v.instance_uuid = LOWER(?)",
                           SQL_VALUES(sql_text(vm), sql_text(vm)), &rows);
        if (r >= 0 && json_array_size(rows) == 0) {
                json_decref(TAKE(rows));
                r = statement_rows(database,
                                   "SELECT " VM_COLUMNS LAST_BACKUP
                                   " FROM vm_replication_contexts v"
                                   " WHERE v.vm_name = ? ORDER BY v.id LIMIT ?",
                                   SQL_VALUES(sql_text(vm), SQL_NUMBER(NAMESAKES_MAX)), &rows);
        }
        if (r < 0)
                return r;
        if (json_array_size(rows) > 1)
                return refuse_ambiguous(request, vm, rows);
        if (json_array_size(rows) == 0)
                return store_refuse(
                                request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                "There is no VM '%.100s'; sendensectl vm list shows those there "
                                "are",
                                vm);
        *ret_row = json_incref(json_array_get(rows, 0));
        return 0;
}

int vm_disks(MYSQL *database, uint64_t vm_id, json_t **ret_disks)
{
        return statement_rows(database,
                              "SELECT d.id AS Id, d.disk_key AS `Key`, d.unit_number AS UnitNumber,"
                              " d.controller AS Controller, d.capacity_bytes AS CapacityBytes,"
                              " d.backing_uuid AS BackingUuid, d.change_id AS ChangeId"
                              " FROM vm_disks d WHERE d.vm_context_id = ? AND d.present"
                              " ORDER BY d.disk_key",
                              SQL_VALUES(SQL_NUMBER(vm_id)), ret_disks);
}

int store_vm_get(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *row = NULL, *disks = NULL;
        int r;

        r = vm_find(database, request, object_text(request->in, "Vm"), &row);
        if (r < 0)
                return r;
        r = vm_disks(database, object_number(row, "Id"), &disks);
        if (r < 0 || json_object_set_new(row, "Disks", disks) < 0) {
                json_decref(row);
                return r < 0 ? r : -ENOMEM;
        }
        return store_answer(request, row);
}

int store_vm_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t after = object_number(request->in, "After");
        json_t *rows;
        int r;

        r = statement_rows(database,
                           "SELECT " VM_COLUMNS LAST_BACKUP " FROM vm_replication_contexts v"
                           " WHERE ? = 0 OR v.id < ? ORDER BY v.id DESC LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(after), SQL_NUMBER(after),
                                      SQL_NUMBER(store_limit(request))),
                           &rows);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Vms", rows));
}

/* The second after the last one that a VM of such a name has in its context id: those of a length that begin alike differ in
 * nothing else. */
static int find_second(MYSQL *database, const char *context_id, uint64_t *ret_sec)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT MAX(TIMESTAMPDIFF(SECOND, '1970-01-01',"
                          " STR_TO_DATE(RIGHT(v.context_id, 15), '%Y%m%d-%H%i%S'))) + 1 AS Free"
                          " FROM vm_replication_contexts v WHERE v.context_id BETWEEN ?"
                          " AND CONCAT(LEFT(?, CHAR_LENGTH(?) - 15), '99999999-999999')"
                          " AND CHAR_LENGTH(v.context_id) = CHAR_LENGTH(?) FOR UPDATE",
                          SQL_VALUES(sql_text(context_id), sql_text(context_id),
                                     sql_text(context_id), sql_text(context_id)),
                          &row);
        if (r >= 0)
                *ret_sec = object_number(row, "Free");
        return r;
}

static int insert_context(MYSQL *database, const StoreRequest *request, const char *context_id,
                          uint64_t *ret_id)
{
        return statement_run(
                        database,
                        "INSERT INTO vm_replication_contexts"
                        " (context_id, instance_uuid, vm_name, vm_path, created_usec,"
                        " credential_id, host_ref) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        SQL_VALUES(sql_text(context_id),
                                   sql_text(object_text(request->in, "InstanceUuid")),
                                   sql_text(object_text(request->in, "Name")),
                                   sql_text(object_text(request->in, "Path")),
                                   SQL_NUMBER(object_number(request->in, "NowUSec")),
                                   sql_number_or_null(object_number(request->in, "CredentialId")),
                                   sql_text(object_text(request->in, "Host"))),
                        NULL, ret_id);
}

/* Two VMs of one name have two context ids, which differ by the second: however many come at once, each has one of its own. */
static int insert_vm(MYSQL *database, StoreRequest *request, uint64_t *ret_id)
{
        uint64_t sec = object_number(request->in, "NowUSec") / USEC_PER_SEC;
        const char *name = object_text(request->in, "Name");
        char context_id[CONTEXT_ID_SIZE];
        int r;

        r = context_id_format(name, (int64_t) sec, context_id);
        if (r >= 0)
                r = insert_context(database, request, context_id, ret_id);
        if (r == -EEXIST &&
            strcmp(statement_refused_by(), "vm_replication_contexts_context_id") == 0) {
                r = find_second(database, context_id, &sec);
                if (r >= 0)
                        r = context_id_format(name, (int64_t) sec, context_id);
                if (r >= 0)
                        r = insert_context(database, request, context_id, ret_id);
        }
        if (r == -EINVAL &&
            strcmp(statement_refused_by(), "vm_replication_contexts_uuid_form") == 0)
                return store_refuse(request, r, BUS_ERROR_INVALID_ARGUMENT,
                                    "instance_uuid must be a UUID in lower case, such as "
                                    "50112233-4455-6677-8899-aabbccddeeff");
        return r != -EEXIST ? r
                            : store_refuse(request, r, BUS_ERROR_EXISTS,
                                           "Another VM of such a name, or this very one, was "
                                           "entered in this moment; try again");
}

static int update_vm(MYSQL *database, StoreRequest *request, uint64_t id)
{
        return statement_run(
                        database,
                        "UPDATE vm_replication_contexts SET vm_name = ?, vm_path = ?,"
                        " credential_id = COALESCE(?, credential_id),"
                        " host_ref = COALESCE(?, host_ref) WHERE id = ?",
                        SQL_VALUES(sql_text(object_text(request->in, "Name")),
                                   sql_text(object_text(request->in, "Path")),
                                   sql_number_or_null(object_number(request->in, "CredentialId")),
                                   sql_text(object_text(request->in, "Host")), SQL_NUMBER(id)),
                        NULL, NULL);
}

/* Another disk under the same key starts anew: its change id is of the other one. */
static int set_disk(MYSQL *database, uint64_t vm_id, const json_t *disk)
{
        return statement_run(
                        database,
                        "INSERT INTO vm_disks (vm_context_id, disk_key, unit_number, controller,"
                        " capacity_bytes, backing_uuid, present) VALUES (?, ?, ?, ?, ?, ?, 1)"
                        " ON DUPLICATE KEY UPDATE change_id = IF(backing_uuid <=> "
                        "VALUES(backing_uuid)"
                        "  AND capacity_bytes = VALUES(capacity_bytes), change_id, NULL),"
                        " unit_number = VALUES(unit_number), controller = VALUES(controller),"
                        " capacity_bytes = VALUES(capacity_bytes), backing_uuid = "
                        "VALUES(backing_uuid),"
                        " present = 1",
                        SQL_VALUES(SQL_NUMBER(vm_id), SQL_NUMBER(object_number(disk, "Key")),
                                   SQL_NUMBER(object_number(disk, "UnitNumber")),
                                   sql_text(object_text(disk, "Controller") ?: ""),
                                   SQL_NUMBER(object_number(disk, "CapacityBytes")),
                                   sql_text(object_text(disk, "BackingUuid"))),
                        NULL, NULL);
}

/* All are taken for gone first; those that come back are present, and of the others only those with
 * backups remain. */
static int set_disks(MYSQL *database, StoreRequest *request, uint64_t vm_id)
{
        const json_t *disk;
        size_t i;
        int r;

        r = statement_run(database, "UPDATE vm_disks SET present = 0 WHERE vm_context_id = ?",
                          SQL_VALUES(SQL_NUMBER(vm_id)), NULL, NULL);
        json_array_foreach (json_object_get(request->in, "Disks"), i, disk)
                if (r >= 0)
                        r = set_disk(database, vm_id, disk);
        if (r < 0)
                return r;
        return statement_run(database,
                             "DELETE FROM vm_disks WHERE vm_context_id = ? AND NOT present"
                             " AND NOT EXISTS (SELECT 1 FROM backup_disks b"
                             "  WHERE b.vm_context_id = vm_disks.vm_context_id"
                             "  AND b.disk_key = vm_disks.disk_key)",
                             SQL_VALUES(SQL_NUMBER(vm_id)), NULL, NULL);
}

int store_vm_set(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *row = NULL;
        uint64_t id = 0;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id FROM vm_replication_contexts WHERE instance_uuid = ?"
                          " FOR UPDATE",
                          SQL_VALUES(sql_text(object_text(request->in, "InstanceUuid"))), &row);
        if (r == -ENODATA)
                r = insert_vm(database, request, &id);
        else if (r >= 0) {
                id = object_number(row, "Id");
                r = update_vm(database, request, id);
        }
        if (r >= 0)
                r = set_disks(database, request, id);
        if (r < 0)
                return r;
        json_decref(TAKE(row));
        r = statement_row(
                        database,
                        "SELECT context_id AS ContextId FROM vm_replication_contexts WHERE id = ?",
                        SQL_VALUES(SQL_NUMBER(id)), &row);
        return r < 0 ? r : store_answer(request, TAKE(row));
}
