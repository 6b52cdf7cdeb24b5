/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of nodes (see store-node.h).
 */
#include "store/store-node.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define NODE_COLUMNS                                                                        \
        "n.id AS Id, n.name AS Name, n.is_local AS IsLocal, n.reverse_port AS ReversePort," \
        " n.public_key AS PublicKey, n.created_usec AS CreatedUSec,"                        \
        " n.enrolled_usec AS EnrolledUSec,"                                                 \
        " IF(n.token_used_usec IS NULL, n.token_expires_usec, NULL) AS TokenExpiresUSec"

enum {
        NAMED_MAX = 5, /* jobs and debts that a refusal names */
};

static uint64_t input(const StoreRequest *request, const char *key)
{
        return object_number(request->in, key);
}

static int find_node(MYSQL *database, StoreRequest *request, json_t **ret_row)
{
        const char *wanted = object_text(request->in, "Node");
        int r;

        r = statement_row(database,
                          "SELECT " NODE_COLUMNS " FROM nodes n WHERE n.removed_usec IS NULL"
                          " AND (n.name = ? OR CAST(n.id AS CHAR) = ?)"
                          " ORDER BY n.name <> ? LIMIT 1 FOR UPDATE",
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)),
                          ret_row);
        return r == -ENODATA ? store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                            "There is no node '%.100s'", wanted)
                             : r;
}

int node_refuse_known_key(MYSQL *database, StoreRequest *request, const char *key,
                          uint64_t may_have_id)
{
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT n.name AS Name FROM nodes n"
                          " WHERE n.token_key = ? OR (n.public_key = ? AND n.id <> ?) LIMIT 1",
                          SQL_VALUES(sql_text(key), sql_text(key), SQL_NUMBER(may_have_id)), &row);
        if (r == -ENODATA)
                return 0;
        return r < 0 ? r
                     : store_refuse(request, -EEXIST, BUS_ERROR_EXISTS,
                                    "This key is known already, as one of node %s; each needs a "
                                    "new one",
                                    object_text(row, "Name"));
}

static int find_port(MYSQL *database, StoreRequest *request, uint64_t *ret_port)
{
        uint64_t first = input(request, "FirstPort"), last = input(request, "LastPort");
        CLEANUP(json_decrefp) json_t *rows = NULL;
        const json_t *row;
        size_t i;
        int r;

        r = statement_rows(
                        database,
                        "SELECT n.live_port AS Port FROM nodes n WHERE n.live_port BETWEEN ? AND ?"
                        " ORDER BY n.live_port FOR UPDATE",
                        SQL_VALUES(SQL_NUMBER(first), SQL_NUMBER(last)), &rows);
        if (r < 0)
                return r;
        *ret_port = first;
        json_array_foreach (rows, i, row)
                if (object_number(row, "Port") == *ret_port)
                        (*ret_port)++;
        if (*ret_port <= last)
                return 0;
        return store_refuse(request, -EADDRNOTAVAIL, BUS_ERROR_PORTS_EXHAUSTED,
                            "All reverse ports, %" PRIu64 " to %" PRIu64
                            ", belong to nodes; remove one, or widen [Tunnel] ReversePorts=",
                            first, last);
}

static int refuse_taken(StoreRequest *request, uint64_t port)
{
        if (strcmp(statement_refused_by(), "nodes_live_name") == 0)
                return store_refuse(request, -EEXIST, BUS_ERROR_EXISTS,
                                    "There is a node named %s already",
                                    object_text(request->in, "Name"));
        if (strcmp(statement_refused_by(), "nodes_live_port") == 0)
                return store_refuse(request, -EEXIST, BUS_ERROR_EXISTS,
                                    "Port %" PRIu64 " is another node's", port);
        return store_refuse(request, -EEXIST, BUS_ERROR_EXISTS, "This key is known already");
}

int store_node_add(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *token = object_text(request->in, "TokenKey");
        uint64_t port = input(request, "ReversePort"), id;
        int r = token ? node_refuse_known_key(database, request, token, 0) : 0;

        if (r >= 0 && port == 0)
                r = find_port(database, request, &port);
        if (r >= 0)
                r = statement_run(database,
                                  "INSERT INTO nodes (name, is_local, reverse_port, token_key,"
                                  " token_expires_usec, created_usec) VALUES (?, ?, ?, ?, ?, ?)",
                                  SQL_VALUES(sql_text(object_text(request->in, "Name")),
                                             SQL_NUMBER(token ? 0 : 1), SQL_NUMBER(port),
                                             sql_text(token),
                                             sql_number_or_null(input(request, "ExpiresUSec")),
                                             SQL_NUMBER(input(request, "NowUSec"))),
                                  NULL, &id);
        if (r == -EEXIST && !*request->error_name)
                return refuse_taken(request, port);
        return r < 0 ? r : store_answer(request, json_pack("{s:I}", "Id", (json_int_t) id));
}

static int answer_node(StoreRequest *request, const json_t *row)
{
        return store_answer(request, json_pack("{s:O, s:O}", "Id", json_object_get(row, "Id"),
                                               "Name", json_object_get(row, "Name")));
}

int store_node_rotate(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *token = object_text(request->in, "TokenKey");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = find_node(database, request, &row);
        if (r >= 0 && object_number(row, "IsLocal") > 0)
                return store_refuse(request, -EINVAL, BUS_ERROR_INVALID_ARGUMENT,
                                    "Node %s is on the hub's own machine and needs no token; "
                                    "enrol it there again",
                                    object_text(row, "Name"));
        if (r >= 0)
                r = node_refuse_known_key(database, request, token, 0);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE nodes SET token_key = ?, token_expires_usec = ?,"
                                  " token_used_usec = NULL WHERE id = ?",
                                  SQL_VALUES(sql_text(token),
                                             SQL_NUMBER(input(request, "ExpiresUSec")),
                                             SQL_NUMBER(object_number(row, "Id"))),
                                  NULL, NULL);
        return r < 0 ? r : answer_node(request, row);
}

/* "5, 7, …" of the rows' texts. */
static void join(const json_t *rows, char *ret_text, size_t size)
{
        const json_t *row;
        size_t i, n = 0;

        json_array_foreach (rows, i, row)
                if (n < size)
                        n += (size_t) snprintf(ret_text + n, size - n, "%s%s", i > 0 ? ", " : "",
                                               i < NAMED_MAX ? object_text(row, "What") : "…");
}

static int refuse_used(MYSQL *database, StoreRequest *request, const json_t *node)
{
        static const struct {
                const char *sql, *words, *remedy;
        } uses[] = {
                { "SELECT CAST(j.id AS CHAR) AS What FROM backup_jobs j WHERE j.node_id = ?"
                  " AND j.state NOT IN ('completed', 'failed', 'cancelled') ORDER BY j.id LIMIT ?",
                  "is at work for job", "cancel what should not be waited for" },
                { "SELECT CONCAT(o.kind, ' ', LEFT(o.subject, 60), ' of job ', o.job_id) AS What"
                  " FROM obligations o WHERE o.node_id = ? AND o.state = 'open'"
                  " ORDER BY o.id LIMIT ?",
                  "still has to undo", "sendensectl cleanup tries now" },
        };
        char what[512] = "";

        for (size_t i = 0; i < ELEMENTSOF(uses); i++) {
                CLEANUP(json_decrefp) json_t *rows = NULL;
                int r = statement_rows(database, uses[i].sql,
                                       SQL_VALUES(SQL_NUMBER(object_number(node, "Id")),
                                                  SQL_NUMBER(NAMED_MAX + 1)),
                                       &rows);

                if (r < 0)
                        return r;
                if (json_array_size(rows) == 0)
                        continue;
                join(rows, what, sizeof(what));
                return store_refuse(request, -EBUSY, BUS_ERROR_BUSY,
                                    "Node %s %s %s; %s, or force the removal",
                                    object_text(node, "Name"), uses[i].words, what, uses[i].remedy);
        }
        return 0;
}

int store_node_remove(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        bool force = json_is_true(json_object_get(request->in, "Force"));
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = find_node(database, request, &row);
        if (r >= 0 && !force)
                r = refuse_used(database, request, row);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE vm_replication_contexts SET node_id = NULL WHERE node_id "
                                  "= ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(row, "Id"))), NULL, NULL);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE vmware_credentials SET node_id = NULL WHERE node_id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(row, "Id"))), NULL, NULL);
        if (r >= 0)
                r = statement_run(database, "UPDATE policies SET node_id = NULL WHERE node_id = ?",
                                  SQL_VALUES(SQL_NUMBER(object_number(row, "Id"))), NULL, NULL);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE nodes SET removed_usec = ?, public_key = NULL,"
                                  " token_sealed = NULL, token_key = NULL,"
                                  " token_expires_usec = NULL, token_used_usec = NULL WHERE id = ?",
                                  SQL_VALUES(SQL_NUMBER(input(request, "NowUSec")),
                                             SQL_NUMBER(object_number(row, "Id"))),
                                  NULL, NULL);
        return r < 0 ? r : answer_node(request, row);
}

int store_node_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *rows;
        int r;

        r = statement_rows(database,
                           "SELECT " NODE_COLUMNS
                           " FROM nodes n WHERE n.removed_usec IS NULL ORDER BY n.name",
                           NULL, 0, &rows);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Nodes", rows));
}

int store_node_links(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *rows;
        int r;

        r = statement_rows(database,
                           "SELECT n.id AS Id, n.name AS Name, n.is_local AS IsLocal,"
                           " n.reverse_port AS ReversePort, HEX(n.token_sealed) AS TokenSealed"
                           " FROM nodes n WHERE n.removed_usec IS NULL ORDER BY n.name",
                           NULL, 0, &rows);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Nodes", rows));
}

int store_node_get(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *row;
        int r;

        r = find_node(database, request, &row);
        return r < 0 ? r : store_answer(request, row);
}
