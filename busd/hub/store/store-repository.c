/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of backup_repositories (see store-repository.h).
 */
#include "store/store-repository.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
        NAMED_MAX = 5, /* policies that a refusal names */
};

int store_repository_add(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *name = object_text(request->in, "Name"),
                   *path = object_text(request->in, "Path");
        uint64_t id;
        int r;

        r = statement_run(database,
                          "INSERT INTO backup_repositories (name, path, created_usec) VALUES (?, "
                          "?, ?)",
                          SQL_VALUES(sql_text(name), sql_text(path),
                                     SQL_NUMBER(object_number(request->in, "NowUSec"))),
                          NULL, &id);
        if (r == -EEXIST) {
                if (strcmp(statement_refused_by(), "backup_repositories_path") == 0)
                        return store_refuse(request, r, BUS_ERROR_EXISTS,
                                            "%s is a repository already; two in one folder would "
                                            "overwrite each other",
                                            path);
                return store_refuse(request, r, BUS_ERROR_EXISTS,
                                    "There is a repository named %s already", name);
        }
        if (r == -EINVAL && strcmp(statement_refused_by(), "backup_repositories_path_form") == 0)
                return store_refuse(
                                request, r, BUS_ERROR_INVALID_ARGUMENT,
                                "%.500s is no path of a repository: it must be absolute, without "
                                "'.', '..', empty parts and control characters",
                                path);
        return r < 0 ? r : store_answer(request, json_pack("{s:I}", "Id", (json_int_t) id));
}

int store_repository_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *rows;
        int r;

        r = statement_rows(database,
                           "SELECT r.id AS Id, r.name AS Name, r.path AS Path,"
                           " r.repository_uuid AS RepositoryUuid, r.created_usec AS CreatedUSec,"
                           " (SELECT COUNT(*) FROM backup_jobs j WHERE j.repository_id = r.id"
                           "  AND j.job_type = 'backup' AND j.state = 'completed'"
                           "  AND j.deleted_usec IS NULL) AS Backups"
                           " FROM backup_repositories r WHERE r.id > ? ORDER BY r.id LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(object_number(request->in, "After")),
                                      SQL_NUMBER(store_limit_or_all(request))),
                           &rows);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Repositories", rows));
}

static int refuse_used(StoreRequest *request, const char *name, uint64_t n_backups, uint64_t n_jobs)
{
        if (n_backups > 0)
                return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                                    "Repository %s holds %" PRIu64
                                    " backups; delete them first, or keep it",
                                    name, n_backups);
        return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                            "Repository %s is part of the history of %" PRIu64
                            " jobs, which would lose their place; it can be left unused",
                            name, n_jobs);
}

/* "a, b, …" */
static int refuse_named(StoreRequest *request, const char *name, const json_t *rows)
{
        char policies[512] = "";
        const json_t *row;
        size_t i, n = 0;

        json_array_foreach (rows, i, row)
                if (n < sizeof(policies))
                        n += (size_t) snprintf(policies + n, sizeof(policies) - n, "%s%s",
                                               i > 0 ? ", " : "",
                                               i < NAMED_MAX ? object_text(row, "Name") : "…");
        return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                            "Repository %s is the one of policies: %s; set another for them, or "
                            "remove them first",
                            name, policies);
}

/* Policies that were removed are history, which has to stay once they have run. */
static int free_policies(MYSQL *database, StoreRequest *request, const char *name, uint64_t id)
{
        CLEANUP(json_decrefp) json_t *rows = NULL, *history = NULL;
        int r;

        r = statement_rows(database,
                           "SELECT p.name AS Name FROM policies p WHERE p.repository_id = ?"
                           " AND p.removed_usec IS NULL ORDER BY p.name LIMIT ?",
                           SQL_VALUES(SQL_NUMBER(id), SQL_NUMBER(NAMED_MAX + 1)), &rows);
        if (r >= 0 && json_array_size(rows) > 0)
                return refuse_named(request, name, rows);
        if (r >= 0)
                r = statement_row(database,
                                  "SELECT COUNT(*) AS Runs FROM policy_runs u"
                                  " JOIN policies p ON p.id = u.policy_id"
                                  " WHERE p.repository_id = ?",
                                  SQL_VALUES(SQL_NUMBER(id)), &history);
        if (r >= 0 && object_number(history, "Runs") > 0)
                return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                                    "Repository %s is part of the history of %" PRIu64
                                    " runs of policies that were removed, which would lose their "
                                    "place; it can be left unused",
                                    name, object_number(history, "Runs"));
        return r < 0 ? r
                     : statement_run(database, "DELETE FROM policies WHERE repository_id = ?",
                                     SQL_VALUES(SQL_NUMBER(id)), NULL, NULL);
}

int store_repository_remove(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *wanted = object_text(request->in, "Repository");
        CLEANUP(json_decrefp) json_t *row = NULL;
        uint64_t n_jobs;
        int r;

        r = statement_row(database,
                          "SELECT r.id AS Id, r.name AS Name,"
                          " (SELECT COUNT(*) FROM backup_jobs j WHERE j.repository_id = r.id) AS "
                          "Jobs,"
                          " (SELECT COUNT(*) FROM backup_jobs j WHERE j.repository_id = r.id"
                          "  AND j.job_type = 'backup' AND j.state = 'completed'"
                          "  AND j.deleted_usec IS NULL) AS Backups"
                          " FROM backup_repositories r WHERE r.name = ? OR CAST(r.id AS CHAR) = ?"
                          " ORDER BY r.name <> ? LIMIT 1 FOR UPDATE",
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no repository '%s'", wanted);
        if (r < 0)
                return r;
        n_jobs = object_number(row, "Jobs");
        if (n_jobs > 0)
                return refuse_used(request, object_text(row, "Name"), object_number(row, "Backups"),
                                   n_jobs);
        r = free_policies(database, request, object_text(row, "Name"), object_number(row, "Id"));
        if (r >= 0)
                r = statement_run(database, "DELETE FROM backup_repositories WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(row, "Id"))), NULL, NULL);
        return r < 0 ? r
                     : store_answer(request, json_pack("{s:O}", "Id", json_object_get(row, "Id")));
}

int store_repository_set_uuid(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *uuid = object_text(request->in, "RepositoryUuid");
        int r;

        r = statement_run(database,
                          "UPDATE backup_repositories SET repository_uuid = ?"
                          " WHERE id = ? AND repository_uuid IS NULL",
                          SQL_VALUES(sql_text(uuid), SQL_NUMBER(object_number(request->in, "Id"))),
                          NULL, NULL);
        if (r == -EEXIST)
                return store_refuse(request, r, BUS_ERROR_EXISTS,
                                    "Another repository of this hub has the marker %s: this folder "
                                    "is the same one, or a copy of it",
                                    uuid);
        return r < 0 ? r : store_answer(request, json_object());
}
