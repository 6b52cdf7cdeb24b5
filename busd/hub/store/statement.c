/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Prepared statements (see statement.h).
 */
#include "store/statement.h"

#include "cleanup.h"
#include "database.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <mysql.h>

typedef struct Column {
        const char *name;
        bool is_number;
        unsigned long long number;
        char *text;
        unsigned long length;
        my_bool is_null;
} Column;

static void stmt_close_p(MYSQL_STMT **statement)
{
        if (*statement)
                (void) mysql_stmt_close(*statement);
}

SqlValue sql_text(const char *text)
{
        return (SqlValue){ .type = text ? SQL_TYPE_TEXT : SQL_TYPE_NULL, .text = text };
}

SqlValue sql_number_or_null(uint64_t number)
{
        return (SqlValue){ .type = number > 0 ? SQL_TYPE_NUMBER : SQL_TYPE_NULL, .number = number };
}

/* Of the thread's last failed statement: closing a statement clears the connection's error. */
static _Thread_local char refused_by[STATEMENT_NAME_SIZE], said[STATEMENT_SAID_SIZE];

/* "Duplicate entry '5' for key 'backup_jobs_one_active'", "CONSTRAINT `vm_disks_capacity` failed for …";
 * the value before may hold anything, so the last place counts. */
static void note_refusal(const char *message)
{
        static const char *const marks[] = { "for key '", "CONSTRAINT `" };
        const char *name = NULL;

        for (size_t i = 0; i < ELEMENTSOF(marks); i++) {
                size_t n = strlen(marks[i]);

                for (const char *p = strstr(message, marks[i]); p; p = strstr(p + n, marks[i]))
                        if (!name || p + n > name)
                                name = p + n;
        }
        (void) snprintf(refused_by, sizeof(refused_by), "%.*s",
                        name ? (int) strcspn(name, "'`") : 0, name ?: "");
}

const char *statement_said(void)
{
        return said;
}

const char *statement_refused_by(void)
{
        return refused_by;
}

static int error_of(MYSQL_STMT *statement)
{
        int r = database_errno_of(mysql_stmt_errno(statement));

        (void) snprintf(said, sizeof(said), "%s", mysql_stmt_error(statement));
        note_refusal(said);

        return r < 0 ? r : -EIO;
}

static void bind_value(MYSQL_BIND *bind, const SqlValue *value)
{
        switch (value->type) {
        case SQL_TYPE_NUMBER:
                bind->buffer_type = MYSQL_TYPE_LONGLONG;
                bind->buffer = (void *) &value->number;
                bind->is_unsigned = 1;
                break;
        case SQL_TYPE_TEXT:
                bind->buffer_type = MYSQL_TYPE_STRING;
                bind->buffer = (void *) value->text;
                bind->buffer_length = strlen(value->text);
                break;
        case SQL_TYPE_NULL:
        case SQL_TYPE_MAX:
        case SQL_TYPE_INVALID:
        default:
                bind->buffer_type = MYSQL_TYPE_NULL;
        }
}

static int execute(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                   MYSQL_STMT **ret_statement)
{
        CLEANUP(stmt_close_p) MYSQL_STMT *statement = mysql_stmt_init(database);
        MYSQL_BIND binds[STATEMENT_VALUES_MAX] = {};
        const my_bool yes = 1;

        *refused_by = *said = '\0';
        if (!statement)
                return -ENOMEM;
        if (mysql_stmt_attr_set(statement, STMT_ATTR_UPDATE_MAX_LENGTH, &yes) != 0 ||
            mysql_stmt_prepare(statement, sql, strlen(sql)) != 0)
                return error_of(statement);
        if (n_values > STATEMENT_VALUES_MAX || mysql_stmt_param_count(statement) != n_values)
                return -E2BIG;
        for (size_t i = 0; i < n_values; i++)
                bind_value(binds + i, values + i);
        if ((n_values > 0 && mysql_stmt_bind_param(statement, binds) != 0) ||
            mysql_stmt_execute(statement) != 0)
                return error_of(statement);
        *ret_statement = TAKE(statement);
        return 0;
}

int statement_run(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                  uint64_t *ret_affected, uint64_t *ret_insert_id)
{
        CLEANUP(stmt_close_p) MYSQL_STMT *statement = NULL;
        int r;

        r = execute(database, sql, values, n_values, &statement);
        if (r < 0)
                return r;
        if (ret_affected)
                *ret_affected = mysql_stmt_affected_rows(statement);
        if (ret_insert_id)
                *ret_insert_id = mysql_stmt_insert_id(statement);
        return 0;
}

static bool type_is_number(enum enum_field_types type)
{
        return type == MYSQL_TYPE_TINY || type == MYSQL_TYPE_SHORT || type == MYSQL_TYPE_LONG ||
               type == MYSQL_TYPE_LONGLONG || type == MYSQL_TYPE_INT24;
}

static int bind_column(const MYSQL_FIELD *field, Column *column, MYSQL_BIND *bind)
{
        *column = (Column){
                .name = field->name,
                .is_number = type_is_number(field->type),
        };
        bind->is_null = &column->is_null;
        bind->length = &column->length;
        if (column->is_number) {
                bind->buffer_type = MYSQL_TYPE_LONGLONG;
                bind->buffer = &column->number;
                bind->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
                return 0;
        }
        if (field->max_length > STATEMENT_TEXT_MAX)
                return -E2BIG;
        column->text = malloc(field->max_length + 1);
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer = column->text;
        bind->buffer_length = field->max_length + 1;
        return column->text ? 0 : -ENOMEM;
}

static json_t *column_value(const Column *column)
{
        if (column->is_number)
                return json_integer((json_int_t) column->number);
        return json_stringn(column->text, column->length);
}

static int fetch_row(Column *columns, unsigned n_columns, json_t *rows)
{
        CLEANUP(json_decrefp) json_t *row = json_object();

        for (unsigned i = 0; i < n_columns; i++) {
                if (columns[i].is_null)
                        continue;
                if (columns[i].is_number && columns[i].number > INT64_MAX)
                        return -ERANGE;
                if (json_object_set_new(row, columns[i].name, column_value(columns + i)) < 0)
                        return -ENOMEM;
        }
        return json_array_append(rows, row) < 0 ? -ENOMEM : 0;
}

static int fetch_all(MYSQL_STMT *statement, Column *columns, unsigned n_columns, json_t *rows)
{
        int r = 0, status;

        if (mysql_stmt_num_rows(statement) > STATEMENT_ROWS_MAX)
                return -E2BIG;
        while (r >= 0 && (status = mysql_stmt_fetch(statement)) != MYSQL_NO_DATA) {
                if (status == MYSQL_DATA_TRUNCATED)
                        return -EOVERFLOW;
                if (status != 0)
                        return error_of(statement);
                r = fetch_row(columns, n_columns, rows);
        }
        return r;
}

static int read_rows(MYSQL_STMT *statement, MYSQL_RES *fields, json_t *rows)
{
        unsigned n = mysql_num_fields(fields);
        _cleanup_free_ MYSQL_BIND *binds = calloc(n, sizeof(MYSQL_BIND));
        _cleanup_free_ Column *columns = calloc(n, sizeof(Column));
        int r = binds && columns ? 0 : -ENOMEM;

        for (unsigned i = 0; r >= 0 && i < n; i++)
                r = bind_column(mysql_fetch_field_direct(fields, i), columns + i, binds + i);
        if (r >= 0)
                r = mysql_stmt_bind_result(statement, binds) != 0 ? error_of(statement) : 0;
        if (r >= 0)
                r = fetch_all(statement, columns, n, rows);
        for (unsigned i = 0; columns && i < n; i++)
                free(columns[i].text);
        return r;
}

int statement_rows(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                   json_t **ret_rows)
{
        CLEANUP(stmt_close_p) MYSQL_STMT *statement = NULL;
        CLEANUP(json_decrefp) json_t *rows = json_array();
        MYSQL_RES *fields;
        int r;

        if (!rows)
                return -ENOMEM;
        r = execute(database, sql, values, n_values, &statement);
        if (r < 0)
                return r;
        if (mysql_stmt_store_result(statement) != 0)
                return error_of(statement);
        fields = mysql_stmt_result_metadata(statement);
        if (!fields)
                return -ENOMEM;
        r = mysql_num_fields(fields) > STATEMENT_COLUMNS_MAX ? -E2BIG
                                                             : read_rows(statement, fields, rows);
        mysql_free_result(fields);
        if (r < 0)
                return r;
        *ret_rows = TAKE(rows);
        return 0;
}

int statement_row(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                  json_t **ret_row)
{
        CLEANUP(json_decrefp) json_t *rows = NULL;
        int r;

        r = statement_rows(database, sql, values, n_values, &rows);
        if (r < 0)
                return r;
        if (json_array_size(rows) == 0)
                return -ENODATA;
        *ret_row = json_incref(json_array_get(rows, 0));
        return 0;
}
