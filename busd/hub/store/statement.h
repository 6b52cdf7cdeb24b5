/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One prepared statement from its text to its rows. Every value goes as a parameter; rows come back as
 * JSON objects keyed by the columns' aliases. Used by store-*.c, in the worker's thread; errors are
 * those of database_errno_of().
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef struct st_mysql MYSQL;

enum {
        STATEMENT_VALUES_MAX = 40,
        STATEMENT_COLUMNS_MAX = 64,
        STATEMENT_ROWS_MAX = 20000,
        STATEMENT_NAME_SIZE = 65, /* of a constraint */
        STATEMENT_SAID_SIZE = 512, /* of an error of MariaDB, its longest */
        STATEMENT_TEXT_MAX = 1 << 20, /* bytes of one value that comes back */
};

typedef enum SqlType {
        SQL_TYPE_NULL,
        SQL_TYPE_NUMBER,
        SQL_TYPE_TEXT,
        SQL_TYPE_MAX,
        SQL_TYPE_INVALID = -22,
} SqlType;

typedef struct SqlValue {
        SqlType type;
        uint64_t number;
        const char *text; /* borrowed for the call */
} SqlValue;

#define SQL_NUMBER(x) ((SqlValue){ .type = SQL_TYPE_NUMBER, .number = (x) })
#define SQL_NULL      ((SqlValue){ .type = SQL_TYPE_NULL })

/* NULL becomes SQL's. */
SqlValue sql_text(const char *text);
/* 0 becomes SQL's NULL: for ids and times, of which none is 0. */
SqlValue sql_number_or_null(uint64_t number);

#define SQL_VALUES(...) \
        ((const SqlValue[]){ __VA_ARGS__ }), sizeof((SqlValue[]){ __VA_ARGS__ }) / sizeof(SqlValue)

/* For statements without rows. Outputs may be NULL; affected counts rows that were changed. */
int statement_run(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                  uint64_t *ret_affected, uint64_t *ret_insert_id);

/* For those with rows: an array of objects, NULL columns left out. Integers become integers (-ERANGE
 * beyond INT64_MAX), all else text. -E2BIG beyond STATEMENT_ROWS_MAX or STATEMENT_TEXT_MAX. */
int statement_rows(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                   json_t **ret_rows);

/* The first row, -ENODATA when there is none. */
int statement_row(MYSQL *database, const char *sql, const SqlValue *values, size_t n_values,
                  json_t **ret_row);

/* What MariaDB said when it refused this thread's last statement; "" when it did not. */
const char *statement_said(void);

/* The UNIQUE key, foreign key or CHECK that refused this thread's last statement; "" when none did.
 * MariaDB says it in its message only. */
const char *statement_refused_by(void);
