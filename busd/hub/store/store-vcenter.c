/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of vmware_credentials (see store-vcenter.h).
 */
#include "store/store-vcenter.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"
#include "store/store-vm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define VCENTER_COLUMNS                                                                    \
        "c.id AS Id, c.name AS Name, c.host AS Host, c.port AS Port, c.user_name AS User," \
        " LOWER(HEX(c.certificate_sha256)) AS CertificateSha256, c.node_id AS NodeId,"     \
        " (SELECT n.name FROM nodes n WHERE n.id = c.node_id) AS Node,"                    \
        " c.created_usec AS CreatedUSec, c.changed_usec AS ChangedUSec"
#define VCENTER_PASSWORD ", HEX(c.password_sealed) AS PasswordSealed"
#define VCENTER_VMS \
        ", (SELECT COUNT(*) FROM vm_replication_contexts v WHERE v.credential_id = c.id) AS Vms"
#define VCENTER_WANTED                                                          \
        " FROM vmware_credentials c WHERE c.name = ? OR CAST(c.id AS CHAR) = ?" \
        " ORDER BY c.name <> ? LIMIT 1 FOR UPDATE"

enum {
        NAMED_MAX = 5, /* VMs that a refusal names */
};

static int find(MYSQL *database, StoreRequest *request, const char *sql, json_t **ret_row)
{
        const char *wanted = object_text(request->in, "Vcenter");
        int r;

        r = statement_row(database, sql,
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)),
                          ret_row);
        return r == -ENODATA ? store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                            "There is no vCenter '%.100s'", wanted)
                             : r;
}

int vcenter_find(MYSQL *database, StoreRequest *request, json_t **ret_row)
{
        return find(database, request, "SELECT " VCENTER_COLUMNS VCENTER_PASSWORD VCENTER_WANTED,
                    ret_row);
}

/* 0 when none is asked for: any that is reachable. */
static int find_node(MYSQL *database, StoreRequest *request, uint64_t *ret_id)
{
        const char *wanted = object_text(request->in, "Node");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        *ret_id = 0;
        if (!wanted)
                return 0;
        r = statement_row(database,
                          "SELECT n.id AS Id FROM nodes n WHERE n.removed_usec IS NULL"
                          " AND (n.name = ? OR CAST(n.id AS CHAR) = ?)"
                          " ORDER BY n.name <> ? LIMIT 1 FOR UPDATE",
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no node '%.100s'", wanted);
        if (r >= 0)
                *ret_id = object_number(row, "Id");
        return r;
}

int store_vcenter_add(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *in = request->in;
        uint64_t node, id;
        int r;

        r = find_node(database, request, &node);
        if (r >= 0)
                r = statement_run(database,
                                  "INSERT INTO vmware_credentials (name, host, port, user_name,"
                                  " password_sealed, certificate_sha256, node_id, created_usec,"
                                  " changed_usec) VALUES (?, ?, ?, ?, UNHEX(?), UNHEX(?), ?, ?, ?)",
                                  SQL_VALUES(sql_text(object_text(in, "Name")),
                                             sql_text(object_text(in, "Host")),
                                             SQL_NUMBER(object_number(in, "Port")),
                                             sql_text(object_text(in, "User")),
                                             sql_text(object_text(in, "PasswordSealed")),
                                             sql_text(object_text(in, "CertificateSha256")),
                                             sql_number_or_null(node),
                                             SQL_NUMBER(object_number(in, "NowUSec")),
                                             SQL_NUMBER(object_number(in, "NowUSec"))),
                                  NULL, &id);
        if (r == -EEXIST)
                return store_refuse(request, r, BUS_ERROR_EXISTS,
                                    "There is a vCenter named %s already", object_text(in, "Name"));
        return r < 0 ? r : store_answer(request, json_pack("{s:I}", "Id", (json_int_t) id));
}

int store_vcenter_list(MYSQL *database, void *userdata)
{
        json_t *rows;
        int r;

        r = statement_rows(database,
                           "SELECT " VCENTER_COLUMNS VCENTER_VMS
                           " FROM vmware_credentials c ORDER BY c.name",
                           NULL, 0, &rows);
        return r < 0 ? r : store_answer(userdata, json_pack("{s:o}", "Vcenters", rows));
}

int store_vcenter_get(MYSQL *database, void *userdata)
{
        json_t *row;
        int r = vcenter_find(database, userdata, &row);

        return r < 0 ? r : store_answer(userdata, row);
}

int store_vcenter_show(MYSQL *database, void *userdata)
{
        json_t *row;
        int r;

        r = find(database, userdata, "SELECT " VCENTER_COLUMNS VCENTER_VMS VCENTER_WANTED, &row);
        return r < 0 ? r : store_answer(userdata, row);
}

int store_vcenter_rotate(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *in = request->in;
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = vcenter_find(database, request, &row);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE vmware_credentials SET password_sealed = UNHEX(?),"
                                  " user_name = COALESCE(?, user_name), certificate_sha256 ="
                                  " COALESCE(UNHEX(?), certificate_sha256), changed_usec = ?"
                                  " WHERE id = ?",
                                  SQL_VALUES(sql_text(object_text(in, "PasswordSealed")),
                                             sql_text(object_text(in, "User")),
                                             sql_text(object_text(in, "CertificateSha256")),
                                             SQL_NUMBER(object_number(in, "NowUSec")),
                                             SQL_NUMBER(object_number(row, "Id"))),
                                  NULL, NULL);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:O, s:O}", "Id", json_object_get(row, "Id"),
                                              "Name", json_object_get(row, "Name")));
}

/* "a, b, …" */
static int refuse_used(StoreRequest *request, const json_t *vcenter, const json_t *rows)
{
        char vms[512] = "";
        const json_t *row;
        size_t i, n = 0;

        json_array_foreach (rows, i, row)
                if (n < sizeof(vms))
                        n += (size_t) snprintf(vms + n, sizeof(vms) - n, "%s%s", i > 0 ? ", " : "",
                                               i < NAMED_MAX ? object_text(row, "ContextId") : "…");
        return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                            "VMs of vCenter %s are known: %s; force the removal, and they can be "
                            "backed up only after another vCenter shows them",
                            object_text(vcenter, "Name"), vms);
}

static int free_vms(MYSQL *database, StoreRequest *request, const json_t *vcenter,
                    uint64_t *ret_n_vms)
{
        bool force = json_is_true(json_object_get(request->in, "Force"));
        uint64_t id = object_number(vcenter, "Id");
        CLEANUP(json_decrefp) json_t *rows = NULL;
        int r;

        r = statement_rows(database,
                           "SELECT v.context_id AS ContextId FROM vm_replication_contexts v"
                           " WHERE v.credential_id = ? ORDER BY v.id LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(id), SQL_NUMBER(NAMED_MAX + 1)), &rows);
        if (r >= 0 && !force && json_array_size(rows) > 0)
                return refuse_used(request, vcenter, rows);
        return r < 0 ? r
                     : statement_run(database,
                                     "UPDATE vm_replication_contexts SET credential_id = NULL"
                                     " WHERE credential_id = ?",
                                     SQL_VALUES(SQL_NUMBER(id)), ret_n_vms, NULL);
}

int store_vcenter_remove(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *row = NULL;
        uint64_t n_vms = 0;
        int r;

        r = vcenter_find(database, request, &row);
        if (r >= 0)
                r = free_vms(database, request, row, &n_vms);
        if (r >= 0)
                r = statement_run(database, "DELETE FROM vmware_credentials WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(row, "Id"))), NULL, NULL);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:O, s:O, s:I}", "Id", json_object_get(row, "Id"),
                                              "Name", json_object_get(row, "Name"), "Vms",
                                              (json_int_t) n_vms));
}

int store_vcenter_of_vm(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        CLEANUP(json_decrefp) json_t *vm = NULL, *vcenter = NULL, *node = NULL;
        uint64_t id;
        int r;

        r = vm_find(database, request, object_text(request->in, "Vm"), &vm);
        if (r < 0)
                return r;
        id = object_number(vm, "CredentialId");
        if (id == 0)
                return store_refuse(request, -EPERM, BUS_ERROR_NOT_ALLOWED,
                                    "%.100s is of no vCenter; sendensectl vm discover VCENTER "
                                    "--enter enters the VMs of one",
                                    object_text(vm, "Name"));
        r = statement_row(database,
                          "SELECT " VCENTER_COLUMNS VCENTER_PASSWORD
                          " FROM vmware_credentials c WHERE c.id = ?",
                          SQL_VALUES(SQL_NUMBER(id)), &vcenter);
        if (r >= 0)
                r = statement_row(database,
                                  "SELECT COALESCE(v.node_id, c.node_id) AS NodeId"
                                  " FROM vm_replication_contexts v"
                                  " JOIN vmware_credentials c ON c.id = v.credential_id"
                                  " WHERE v.id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(vm, "Id"))), &node);
        return r < 0 ? r
                     : store_answer(request,
                                    json_pack("{s:O, s:O, s:O, s:O*}", "InstanceUuid",
                                              json_object_get(vm, "InstanceUuid"), "Name",
                                              json_object_get(vm, "Name"), "Vcenter", vcenter,
                                              "NodeId", json_object_get(node, "NodeId")));
}

static int enter(MYSQL *database, StoreRequest *request, json_t *vm, json_t **ret_row)
{
        StoreRequest inner = { .in = vm };
        int r;

        if (json_object_set(vm, "CredentialId", json_object_get(request->in, "CredentialId")) < 0 ||
            json_object_set(vm, "NowUSec", json_object_get(request->in, "NowUSec")) < 0)
                return -ENOMEM;
        r = store_vm_set(database, &inner);
        if (r < 0 && *inner.error_name)
                return store_refuse(request, r, inner.error_name, "%.100s: %s",
                                    object_text(vm, "Name"), inner.error_text);
        *ret_row = inner.out;
        return r;
}

static int find_context(MYSQL *database, const json_t *vm, json_t **ret_row)
{
        return statement_row(database,
                             "SELECT context_id AS ContextId FROM vm_replication_contexts"
                             " WHERE instance_uuid = ?",
                             SQL_VALUES(sql_text(object_text(vm, "InstanceUuid"))), ret_row);
}

int store_vcenter_vms(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        bool is_entering = json_is_true(json_object_get(request->in, "Enter"));
        CLEANUP(json_decrefp) json_t *contexts = json_object();
        json_t *vm;
        size_t i;

        if (!contexts)
                return -ENOMEM;
        json_array_foreach (json_object_get(request->in, "Vms"), i, vm) {
                CLEANUP(json_decrefp) json_t *row = NULL;
                int r = is_entering ? enter(database, request, vm, &row)
                                    : find_context(database, vm, &row);

                if (r == -ENODATA)
                        continue;
                if (r < 0)
                        return r;
                if (json_object_set(contexts, object_text(vm, "InstanceUuid"),
                                    json_object_get(row, "ContextId")) < 0)
                        return -ENOMEM;
        }
        return store_answer(request, json_pack("{s:O}", "Contexts", contexts));
}
