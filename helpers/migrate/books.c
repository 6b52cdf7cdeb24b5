/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and writing schema_migrations (see books.h).
 */
#include "books.h"

#include "cleanup.h"
#include "database.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <mysql.h>

#define NOW_USEC "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED)"

static void free_result_p(MYSQL_RES **rows)
{
        if (*rows)
                mysql_free_result(*rows);
}

static void stmt_close_p(MYSQL_STMT **statement)
{
        if (*statement)
                (void) mysql_stmt_close(*statement);
}

static int number_of(const char *text, uint32_t *ret_number)
{
        uint64_t number;
        int r;

        r = parse_uint64(text, 0, UINT32_MAX, &number);
        if (r >= 0)
                *ret_number = (uint32_t) number;
        return r;
}

static int record_of(MYSQL_ROW row, Record *ret_record)
{
        Record record = {};

        if (number_of(row[0], &record.number) < 0 || number_of(row[3], &record.statements) < 0 ||
            number_of(row[4], &record.statements_done) < 0)
                return -EBADMSG;
        (void) snprintf(record.name, sizeof(record.name), "%s", row[1]);
        (void) snprintf(record.sha256, sizeof(record.sha256), "%s", row[2]);
        (void) snprintf(record.program_version, sizeof(record.program_version), "%s", row[5]);
        *ret_record = record;
        return 0;
}

int books_read(Server *server, Record **ret_records, size_t *ret_n_records)
{
        CLEANUP(free_result_p) MYSQL_RES *rows = NULL;
        _cleanup_free_ Record *records = NULL;
        MYSQL_ROW row;
        size_t n = 0;
        int r;

        r = server_select(server, &rows,
                          "SELECT number, name, sha256, statements, statements_done, "
                          "program_version FROM schema_migrations ORDER BY number LIMIT %d",
                          RECORDS_MAX);
        if (r < 0)
                return r;
        records = calloc(mysql_num_rows(rows) + 1, sizeof(Record));
        if (!records)
                return -ENOMEM;
        while ((row = mysql_fetch_row(rows))) {
                r = record_of(row, &records[n++]);
                if (r < 0) {
                        (void) snprintf(server->error, sizeof(server->error),
                                        "schema_migrations holds something else than numbers");
                        return r;
                }
        }
        *ret_records = TAKE(records);
        *ret_n_records = n;
        return 0;
}

static int complain(Server *server, MYSQL_STMT *statement)
{
        (void) snprintf(server->error, sizeof(server->error), "MariaDB says: %s (error %u)",
                        mysql_stmt_error(statement), mysql_stmt_errno(statement));
        return database_errno_of(mysql_stmt_errno(statement));
}

int books_begin(Server *server, const Migration *migration, const char *sha256, unsigned statements,
                const char *program_version)
{
        static const char text[] =
                        "INSERT INTO schema_migrations (number, name, sha256, statements, "
                        " program_version, started_usec) "
                        "VALUES (?, ?, ?, ?, ?, " NOW_USEC ")";
        CLEANUP(stmt_close_p) MYSQL_STMT *statement = mysql_stmt_init(server->mysql);
        uint32_t number = migration->number;
        MYSQL_BIND values[] = {
                { .buffer_type = MYSQL_TYPE_LONG, .buffer = &number, .is_unsigned = 1 },
                { .buffer_type = MYSQL_TYPE_STRING,
                  .buffer = (char *) migration->name,
                  .buffer_length = strlen(migration->name) },
                { .buffer_type = MYSQL_TYPE_STRING,
                  .buffer = (char *) sha256,
                  .buffer_length = strlen(sha256) },
                { .buffer_type = MYSQL_TYPE_LONG, .buffer = &statements, .is_unsigned = 1 },
                { .buffer_type = MYSQL_TYPE_STRING,
                  .buffer = (char *) program_version,
                  .buffer_length = strlen(program_version) },
        };

        if (!statement)
                return -ENOMEM;
        if (mysql_stmt_prepare(statement, text, strlen(text)) != 0 ||
            mysql_stmt_bind_param(statement, values) != 0 || mysql_stmt_execute(statement) != 0)
                return complain(server, statement);
        return 0;
}

int books_count(Server *server, uint32_t number, unsigned statements_done)
{
        int r;

        r = server_runf(server,
                        "UPDATE schema_migrations SET statements_done = %u, finished_usec = "
                        "IF(statements = %u, " NOW_USEC ", NULL) WHERE number = %" PRIu32,
                        statements_done, statements_done, number);
        if (r < 0)
                return r;
        /* The count grows each time, so no changed row is no row. */
        if (mysql_affected_rows(server->mysql) != 1) {
                (void) snprintf(server->error, sizeof(server->error),
                                "schema_migrations has no row for number %" PRIu32, number);
                return -EUCLEAN;
        }
        return 0;
}
