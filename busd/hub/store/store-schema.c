/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and judging the table that sendense-migrate keeps (see store-schema.h).
 */
#include "store-schema.h"

#include "cleanup.h"
#include "database.h"
#include "parse.h"

#include <errno.h>
#include <inttypes.h>

#include <mysql.h>

static void free_result_p(MYSQL_RES **rows)
{
        if (*rows)
                mysql_free_result(*rows);
}

static int number_of(const char *text, uint32_t *ret_number)
{
        uint64_t number;

        if (!text || parse_uint64(text, 0, UINT32_MAX, &number) < 0)
                return -EBADMSG;
        *ret_number = (uint32_t) number;
        return 0;
}

/* As text and not as a prepared statement: it has no parameters, it has one time limit as a whole, and
 * it must work on a connection whose state is unknown. */
int store_schema_read(MYSQL *mysql, uint64_t timeout_usec, StoreSchema *ret_schema)
{
        CLEANUP(free_result_p) MYSQL_RES *rows = NULL;
        StoreSchema schema = {};
        MYSQL_ROW row;
        int r;

        r = database_query_timeout(mysql,
                                   "SELECT (SELECT COALESCE(MAX(number), 0) FROM schema_migrations "
                                   "WHERE statements_done = statements), number, program_version "
                                   "FROM schema_migrations ORDER BY number DESC LIMIT 1",
                                   timeout_usec);
        if (r < 0)
                return r;
        rows = mysql_store_result(mysql);
        if (!rows)
                return database_errno(mysql);

        row = mysql_fetch_row(rows);
        if (row) {
                if (number_of(row[0], &schema.whole) < 0 || number_of(row[1], &schema.newest) < 0)
                        return -EBADMSG;
                (void) snprintf(schema.version, sizeof(schema.version), "%s", row[2] ?: "");
        }
        *ret_schema = schema;
        return 0;
}

void store_schema_judge(const StoreSchema *schema, const char *database_name, uint32_t expected,
                        const char *program_version, StoreStatus *ret_status)
{
        StoreStatus status = { .state = DATABASE_READY, .schema = schema->whole };

        if (schema->newest > expected) {
                status.state = DATABASE_SCHEMA_NEWER;
                status.schema = schema->newest;
                (void) snprintf(status.error, sizeof(status.error),
                                "The database %s has schema %" PRIu32
                                " of version %s, this hub knows "
                                "schema %" PRIu32 " and is version %s; install version %s or newer",
                                database_name, schema->newest, schema->version, expected,
                                program_version, schema->version);
        } else if (schema->whole < expected) {
                status.state = DATABASE_SCHEMA_OLDER;
                (void) snprintf(status.error, sizeof(status.error),
                                "The database %s has schema %" PRIu32
                                ", this hub needs schema %" PRIu32
                                "; restart sendense-migrate.service, the hub then goes on by "
                                "itself",
                                database_name, schema->whole, expected);
        }
        *ret_status = status;
}
