/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which node does a job (see store-job.h): the one that was asked for, the one of the VM, the one of its vCenter, or else of all
 * that answer the one with the fewest open jobs.
 */
#include "store/store-job.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <stdbool.h>

/* 0: any. */
static int wanted_node(MYSQL *database, StoreRequest *request, uint64_t vm_id, uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *vm = NULL;
        int r;

        r = statement_row(database,
                          "SELECT v.vm_name AS Name, v.credential_id AS CredentialId,"
                          " COALESCE(v.node_id, c.node_id) AS NodeId FROM vm_replication_contexts v"
                          " LEFT JOIN vmware_credentials c ON c.id = v.credential_id"
                          " WHERE v.id = ?",
                          SQL_VALUES(SQL_NUMBER(vm_id)), &vm);
        if (r < 0)
                return r;
        if (object_number(vm, "CredentialId") == 0)
                return store_refuse(
                                request, -EPERM, BUS_ERROR_NOT_ALLOWED,
                                "%.100s belongs to no vCenter that this hub knows, so no node "
                                "can read it; sendensectl vm discover VCENTER --enter enters "
                                "the VMs of one, and option sources names NBD URIs to read instead",
                                object_text(vm, "Name"));
        *ret_id = object_number(vm, "NodeId");
        return 0;
}

/* A node that the request names is wanted before all others. */
static int named_node(MYSQL *database, StoreRequest *request, uint64_t *id)
{
        const char *name = object_text(request->in, "Node");
        CLEANUP(json_decrefp) json_t *node = NULL;
        int r;

        if (!name)
                return 0;
        r = statement_row(database,
                          "SELECT id AS Id FROM nodes WHERE live_name = ?"
                          " OR (removed_usec IS NULL AND CAST(id AS CHAR) = ?)",
                          SQL_VALUES(sql_text(name), sql_text(name)), &node);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no node '%.100s'; sendensectl node list shows those "
                                    "there are",
                                    name);
        if (r >= 0)
                *id = object_number(node, "Id");
        return r;
}

static bool is_reachable(const StoreRequest *request, const json_t *node)
{
        const json_t *id;
        size_t i;

        json_array_foreach (json_object_get(request->in, "NodesReachable"), i, id)
                if (json_equal(id, json_object_get(node, "Id")))
                        return true;
        return false;
}

int job_choose_reachable(MYSQL *database, StoreRequest *request, uint64_t wanted, uint64_t *ret_id)
{
        CLEANUP(json_decrefp) json_t *nodes = NULL;
        const json_t *node;
        size_t i;
        int r;

        r = named_node(database, request, &wanted);
        if (r >= 0)
                r = statement_rows(database,
                                   "SELECT n.id AS Id, n.name AS Name, (SELECT COUNT(*)"
                                   "  FROM backup_jobs j WHERE j.node_id = n.id"
                                   "  AND j.active_vm_context_id IS NOT NULL) AS Open"
                                   " FROM nodes n WHERE n.removed_usec IS NULL"
                                   " AND n.enrolled_usec IS NOT NULL AND (? = 0 OR n.id = ?)"
                                   " ORDER BY Open, n.id",
                                   SQL_VALUES(SQL_NUMBER(wanted), SQL_NUMBER(wanted)), &nodes);
        if (r < 0)
                return r;
        json_array_foreach (nodes, i, node)
                if (is_reachable(request, node)) {
                        *ret_id = object_number(node, "Id");
                        return 0;
                }
        node = json_array_get(nodes, 0);
        if (!node)
                return store_refuse(
                                request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                wanted > 0 ? "The node for this VM is not enrolled; sendensectl "
                                             "node list shows how it stands"
                                           : "No node is enrolled that could reach the vCenter; "
                                             "sendensectl node add NAME begins that");
        return store_refuse(request, -EHOSTDOWN, BUS_ERROR_NODE_UNREACHABLE,
                            "Node %.80s does not answer%s; sendensectl node show %.80s says why",
                            object_text(node, "Name"),
                            wanted > 0 || json_array_size(nodes) == 1 ? "" : ", nor does any other",
                            object_text(node, "Name"));
}

int job_choose_node(MYSQL *database, StoreRequest *request, uint64_t vm_id, uint64_t *ret_id)
{
        uint64_t wanted = 0;
        int r = wanted_node(database, request, vm_id, &wanted);

        return r < 0 ? r : job_choose_reachable(database, request, wanted, ret_id);
}
