/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rows of api_tokens (see store-token.h).
 */
#include "store/store-token.h"

#include "bus/bus-error.h"
#include "cleanup.h"
#include "store/statement.h"
#include "store/store-request.h"

#include <errno.h>
#include <string.h>

int store_token_create(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const json_t *in = request->in;
        uint64_t id;
        int r;

        r = statement_run(database,
                          "INSERT INTO api_tokens (name, token_sha256, roles, created_by,"
                          " created_usec, expires_usec) VALUES (?, UNHEX(?), ?, ?, ?, ?)",
                          SQL_VALUES(sql_text(object_text(in, "Name")),
                                     sql_text(object_text(in, "Sha256")),
                                     sql_text(object_text(in, "Roles")),
                                     sql_text(object_text(in, "Principal")),
                                     SQL_NUMBER(object_number(in, "NowUSec")),
                                     sql_number_or_null(object_number(in, "ExpiresUSec"))),
                          NULL, &id);
        if (r == -EEXIST && strcmp(statement_refused_by(), "api_tokens_name") == 0)
                return store_refuse(request, r, BUS_ERROR_EXISTS,
                                    "There is, or was, a token named %s; take another name",
                                    object_text(in, "Name"));
        if (r == -EEXIST)
                return store_refuse(request, r, BUS_ERROR_EXISTS,
                                    "This token is known already; make a new one");
        return r < 0 ? r : store_answer(request, json_pack("{s:I}", "Id", (json_int_t) id));
}

int store_token_list(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *tokens;
        int r;

        r = statement_rows(database,
                           "SELECT id AS Id, name AS Name, roles AS Roles,"
                           " CASE WHEN revoked_usec IS NOT NULL THEN 'revoked'"
                           "  WHEN expires_usec <= ? THEN 'expired' ELSE 'valid' END AS State,"
                           " created_by AS CreatedBy, created_usec AS CreatedUSec,"
                           " expires_usec AS ExpiresUSec, revoked_usec AS RevokedUSec"
                           " FROM api_tokens ORDER BY name",
                           SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec"))), &tokens);
        return r < 0 ? r : store_answer(request, json_pack("{s:o}", "Tokens", tokens));
}

int store_token_revoke(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        const char *wanted = object_text(request->in, "Token");
        CLEANUP(json_decrefp) json_t *row = NULL;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id, name AS Name FROM api_tokens"
                          " WHERE name = ? OR CAST(id AS CHAR) = ? ORDER BY name <> ? LIMIT 1"
                          " FOR UPDATE",
                          SQL_VALUES(sql_text(wanted), sql_text(wanted), sql_text(wanted)), &row);
        if (r == -ENODATA)
                return store_refuse(request, -ENOENT, BUS_ERROR_NOT_FOUND,
                                    "There is no token '%.100s'", wanted);
        if (r >= 0)
                r = statement_run(database,
                                  "UPDATE api_tokens SET revoked_usec = ?"
                                  " WHERE id = ? AND revoked_usec IS NULL",
                                  SQL_VALUES(SQL_NUMBER(object_number(request->in, "NowUSec")),
                                             SQL_NUMBER(object_number(row, "Id"))),
                                  NULL, NULL);
        return r < 0 ? r : store_answer(request, json_incref(row));
}

int store_token_find(MYSQL *database, void *userdata)
{
        StoreRequest *request = userdata;
        json_t *row;
        int r;

        r = statement_row(database,
                          "SELECT id AS Id, name AS Name, roles AS Roles,"
                          " expires_usec AS ExpiresUSec FROM api_tokens"
                          " WHERE token_sha256 = UNHEX(?) AND revoked_usec IS NULL"
                          " AND (expires_usec IS NULL OR expires_usec > ?)",
                          SQL_VALUES(sql_text(object_text(request->in, "Sha256")),
                                     SQL_NUMBER(object_number(request->in, "NowUSec"))),
                          &row);
        return r == -ENODATA ? store_refuse(request, -ELIBACC, BUS_ERROR_UNAUTHORIZED,
                                            "This token is unknown, was revoked or has expired")
               : r < 0       ? r
                             : store_answer(request, row);
}
