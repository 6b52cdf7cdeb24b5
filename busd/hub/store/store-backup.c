/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A backup is its job (see store-backup.h).
 */
#include "store/store-backup.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-job.h"
#include "store/store-request.h"
#include "store/store-verify.h"

#include <errno.h>

int store_backup_get(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *wanted = object_text(request->in, "BackupId");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT j.id AS Id, r.path AS Path FROM backup_jobs j"
                          " JOIN backup_repositories r ON r.id = j.repository_id"
                          " WHERE j.backup_id = ? AND j.job_type = 'backup'"
                          " ORDER BY j.id DESC LIMIT 1",
                          SQL_VALUES(sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no backup '%.100s'", wanted);
        if (r < 0)
                return r;
        if (json_object_set(request->in, "Id", json_object_get(row, "Id")) < 0)
                return -ENOMEM;
        r = store_job_get(database, request);
        if (r >= 0)
                r = backup_add_damage(database, object_number(row, "Id"), request->out);
        if (r < 0)
                return r;
        return json_object_set(request->out, "RepositoryPath", json_object_get(row, "Path")) < 0
                               ? -ENOMEM
                               : 0;
}
