/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a node gets its key (see store_node_enrol() in store-node.h). A token is good for one key; asked again with that key,
 * because an answer was lost, it gives the answer from before until it expires.
 */
#include "store/store-node.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ENROL_COLUMNS                                                          \
        "n.id AS Id, n.name AS Name, n.is_local AS IsLocal,"                   \
        " n.reverse_port AS ReversePort, n.public_key AS PublicKey,"           \
        " n.token_expires_usec AS ExpiresUSec, n.token_used_usec AS UsedUSec," \
        " HEX(n.token_sealed) AS TokenSealed"

static int answer(StoreRequest *request, const json_t *row, const char *sealed, bool is_again)
{
        return store_answer(request,
                            json_pack("{s:O, s:O, s:O, s:b, s:b, s:s}", "Id",
                                      json_object_get(row, "Id"), "Name",
                                      json_object_get(row, "Name"), "ReversePort",
                                      json_object_get(row, "ReversePort"), "IsAgain", is_again,
                                      "HadKey", json_object_get(row, "PublicKey") != NULL,
                                      "TokenSealed", sealed));
}

static int find_by_token(MYSQL *database, StoreRequest *request, const char *token,
                         json_t **ret_row)
{
        int r;

        r = statement_row(database,
                          "SELECT " ENROL_COLUMNS " FROM nodes n WHERE n.token_key = ? FOR UPDATE",
                          SQL_VALUES(sql_text(token)), ret_row);
        return r == -ENODATA ? store_refuse(request, -ENOANO, BUS_ERROR_TOKEN_INVALID,
                                            "No node waits with this token: a newer one was made, "
                                            "or its node was removed. 'sendensectl node rotate "
                                            "NAME' at the hub makes another")
                             : r;
}

static int find_local(MYSQL *database, StoreRequest *request, const char *name, json_t **ret_row)
{
        int r;

        r = statement_row(database,
                          "SELECT " ENROL_COLUMNS " FROM nodes n WHERE n.live_name = ? FOR UPDATE",
                          SQL_VALUES(sql_text(name)), ret_row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no node '%.100s'", name);
        if (r >= 0 && object_number(*ret_row, "IsLocal") == 0) {
                json_decref(TAKE(*ret_row));
                return store_refuse(request, -EINVAL, BUS_ERROR_INVALID_ARGUMENT,
                                    "Node %.100s is on another machine, and needs its token", name);
        }
        return r;
}

static int refuse_token(StoreRequest *request, const json_t *row, const char *why)
{
        return store_refuse(
                        request, -ENOANO, BUS_ERROR_TOKEN_INVALID,
                        "The token of node %s %s; 'sendensectl node rotate %s' at the hub makes "
                        "another",
                        object_text(row, "Name"), why, object_text(row, "Name"));
}

static int enrol(MYSQL *database, StoreRequest *request, const json_t *row, const char *key)
{
        const char *sealed = object_text(request->in, "TokenSealed");
        uint64_t now_usec = object_number(request->in, "NowUSec");
        int r;

        r = statement_run(database,
                          "UPDATE nodes SET public_key = ?, token_sealed = UNHEX(?),"
                          " enrolled_usec = ?, token_used_usec = ? WHERE id = ?",
                          SQL_VALUES(sql_text(key), sql_text(sealed), SQL_NUMBER(now_usec),
                                     sql_number_or_null(key ? now_usec : 0),
                                     SQL_NUMBER(object_number(row, "Id"))),
                          NULL, NULL);
        return r < 0 ? r : answer(request, row, sealed, false);
}

int store_node_enrol(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *token = object_text(request->in, "TokenKey"),
                   *key = object_text(request->in, "PublicKey");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = token ? find_by_token(database, request, token, &row)
                  : find_local(database, request, object_text(request->in, "Node"), &row);
        if (r < 0)
                return r;
        if (!token)
                return enrol(database, request, row, NULL);
        if (object_number(row, "ExpiresUSec") <= object_number(request->in, "NowUSec"))
                return refuse_token(request, row, "has expired");
        if (object_number(row, "UsedUSec") > 0 && strcmp(object_text(row, "PublicKey"), key) == 0)
                return answer(request, row, object_text(row, "TokenSealed"), true);
        if (object_number(row, "UsedUSec") > 0)
                return refuse_token(request, row, "was used, by another key");
        r = node_refuse_known_key(database, request, key, object_number(row, "Id"));
        return r < 0 ? r : enrol(database, request, row, key);
}
