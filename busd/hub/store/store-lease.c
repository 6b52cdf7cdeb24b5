/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of port_leases (see store-lease.h).
 */
#include "store/store-lease.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static int refuse_taken(StoreRequest *request, const json_t *lease)
{
        if (strcmp(statement_refused_by(), "PRIMARY") == 0)
                return store_refuse(request, -EEXIST, BUS_ERROR_PORT_TAKEN,
                                    "Port %" PRIu64 " is leased to another export already",
                                    object_number(lease, "Port"));
        return store_refuse(request, -EEXIST, BUS_ERROR_EXISTS,
                            "Another lease has the export %s or the unit %s already",
                            object_text(lease, "ExportName"), object_text(lease, "Unit"));
}

static int take(MYSQL *database, StoreRequest *request, const json_t *lease)
{
        int r;

        r = statement_run(
                        database,
                        "INSERT INTO port_leases (port, job_id, backup_disk_id, export_name, unit,"
                        " boot_id, leased_usec) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        SQL_VALUES(SQL_NUMBER(object_number(lease, "Port")),
                                   SQL_NUMBER(object_number(request->in, "Job")),
                                   SQL_NUMBER(object_number(lease, "DiskId")),
                                   sql_text(object_text(lease, "ExportName")),
                                   sql_text(object_text(lease, "Unit")),
                                   sql_text(object_text(lease, "BootId")),
                                   SQL_NUMBER(object_number(request->in, "NowUSec"))),
                        NULL, NULL);
        return r == -EEXIST ? refuse_taken(request, lease) : r;
}

/* All that the disks had go first: two disks may change their ports. */
int store_lease_take(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *leases = json_object_get(request->in, "Leases"), *lease;
        size_t i;
        int r = 0;

        json_array_foreach (leases, i, lease)
                if (r >= 0)
                        r = statement_run(database,
                                          "DELETE FROM port_leases WHERE job_id = ?"
                                          " AND backup_disk_id = ?",
                                          SQL_VALUES(SQL_NUMBER(object_number(request->in, "Job")),
                                                     SQL_NUMBER(object_number(lease, "DiskId"))),
                                          NULL, NULL);
        json_array_foreach (leases, i, lease)
                if (r >= 0)
                        r = take(database, request, lease);
        return r < 0 ? r : store_answer(request, json_object());
}

int store_lease_set_invocation(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        int r;

        r = statement_run(database,
                          "UPDATE port_leases SET invocation_id = ? WHERE port = ? AND job_id = ?",
                          SQL_VALUES(sql_text(object_text(request->in, "InvocationId")),
                                     SQL_NUMBER(object_number(request->in, "Port")),
                                     SQL_NUMBER(object_number(request->in, "Job"))),
                          NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}

int store_lease_free(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        uint64_t port = object_number(request->in, "Port");
        int r;

        r = statement_run(database,
                          "DELETE FROM port_leases WHERE job_id = ? AND (? = 0 OR port = ?)",
                          SQL_VALUES(SQL_NUMBER(object_number(request->in, "Job")),
                                     SQL_NUMBER(port), SQL_NUMBER(port)),
                          NULL, NULL);
        return r < 0 ? r : store_answer(request, json_object());
}

int store_lease_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *rows;
        int r;

        r = statement_rows(
                        database,
                        "SELECT l.port AS Port, l.job_id AS Job, b.disk_key AS DiskKey,"
                        " l.export_name AS ExportName, l.unit AS Unit, l.leased_usec AS LeasedUSec"
                        " FROM port_leases l JOIN backup_disks b ON b.id = l.backup_disk_id"
                        " WHERE l.port > ? ORDER BY l.port LIMIT ?",
                        SQL_VALUES(SQL_NUMBER(object_number(request->in, "After")),
                                   SQL_NUMBER(store_limit_or_all(request))),
                        &rows);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Leases", rows));
}
