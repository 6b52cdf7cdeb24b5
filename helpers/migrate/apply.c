/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The work of sendense-migrate (see apply.h).
 */
#include "apply.h"

#include "books.h"
#include "fault-point.h"
#include "hub-config.h"
#include "log.h"
#include "sql-rule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

int apply_check(void)
{
        for (size_t i = 0; i < n_migrations; i++) {
                const char *why;
                unsigned line;

                if (migration_count(&migrations[i], &line, &why) < 0)
                        return log_event(LOG_ERR, -EBADMSG, NULL, MESSAGE_MIGRATION_FAILED,
                                         "%04" PRIu32 "-%s.sql:%u: %s; nothing was applied",
                                         migrations[i].number, migrations[i].name, line, why);
        }
        return 0;
}

static int complain(const Server *server, int r, const char *what)
{
        return log_event(LOG_ERR, r, NULL, MESSAGE_MIGRATION_FAILED, "Cannot %s: %s", what,
                         server->error);
}

static int complain_at(const Server *server, int r, const Migration *migration, unsigned line)
{
        return log_event(LOG_ERR, r, NULL, MESSAGE_MIGRATION_FAILED,
                         "Migration %04" PRIu32 "-%s.sql, line %u, failed: %s; the next start goes "
                         "on at this statement",
                         migration->number, migration->name, line, server->error);
}

/* One statement and its count. A data statement and its count are one transaction. */
static int run_statement(Server *server, const SqlStatement *statement, const Migration *migration,
                         unsigned count)
{
        SqlKind kind;
        const char *why;
        int r;

        r = sql_rule_check(statement, &kind, &why);
        if (r >= 0 && kind == SQL_DATA)
                r = server_runf(server, "START TRANSACTION");
        if (r >= 0)
                r = server_run(server, statement->text, statement->length);
        fault_point("migrate.statement.after");
        if (r >= 0 && migration->number > 0)
                r = books_count(server, migration->number, count);
        if (r >= 0 && kind == SQL_DATA)
                r = server_runf(server, "COMMIT");
        fault_point("migrate.count.after");
        return r;
}

/* Runs the statements behind the first n_done of a migration whose form was checked before. */
static int run_migration(Server *server, const Migration *migration, unsigned n_done)
{
        SqlCursor cursor = { .next = migration->text, .line = 1 };
        SqlStatement statement;
        const char *why;
        unsigned count = 0;
        int r;

        while ((r = sql_split_next(&cursor, &statement, &why)) > 0) {
                if (++count <= n_done)
                        continue;
                fault_point("migrate.statement.before");
                r = run_statement(server, &statement, migration, count);
                if (r < 0)
                        return complain_at(server, r, migration, statement.line);
        }
        return r;
}

/* CREATE TABLE IF NOT EXISTS would take somebody else's table of the same name for its own. */
static int refuse_strangers(Server *server)
{
        const char *name = server->config->database_name;
        uint64_t n_tables, n_books;
        int r;

        r = server_number(
                        server, &n_tables,
                        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '%s'",
                        name);
        if (r >= 0)
                r = server_number(server, &n_books,
                                  "SELECT COUNT(*) FROM information_schema.TABLES WHERE "
                                  "TABLE_SCHEMA = '%s' AND TABLE_NAME = 'schema_migrations'",
                                  name);
        if (r < 0)
                return complain(server, r, "look at the tables");
        if (n_tables > 0 && n_books == 0)
                return log_event(LOG_ERR, -EUCLEAN, NULL, MESSAGE_MIGRATION_FAILED,
                                 "The database %s holds %" PRIu64 " tables that are not from "
                                 "sendense-migrate; move them away, or set another Name= in "
                                 "[Database]",
                                 name, n_tables);
        return n_books > 0;
}

int apply_prepare(Server *server)
{
        const char *name = server->config->database_name;
        uint64_t exists;
        int r, has_books;

        has_books = refuse_strangers(server);
        if (has_books < 0)
                return has_books;

        r = server_number(
                        server, &exists,
                        "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '%s'",
                        name);
        if (r >= 0 && !exists) {
                fault_point("migrate.database.before");
                r = server_runf(server,
                                "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE "
                                "utf8mb4_nopad_bin",
                                name);
                fault_point("migrate.database.after");
        }
        if (r >= 0)
                r = server_runf(server, "USE `%s`", name);
        if (r < 0)
                return complain(server, r, "make the database");
        return has_books ? 0 : run_migration(server, &migrations[0], 0);
}

static int apply_migration(Server *server, const Migration *migration, bool begun, unsigned n_done,
                           const char *program_version)
{
        char sha256[MIGRATION_SHA256_SIZE];
        const char *why;
        unsigned line;
        int r, n;

        n = migration_count(migration, &line, &why);
        if (n < 0)
                return n;
        if (!begun) {
                migration_sha256(migration, sha256);
                r = books_begin(server, migration, sha256, (unsigned) n, program_version);
                if (r < 0)
                        return complain(server, r, "write to schema_migrations");
        }

        r = run_migration(server, migration, n_done);
        if (r < 0)
                return r;
        (void) log_event(LOG_INFO, 0, NULL, MESSAGE_MIGRATION_APPLIED,
                         "Applied %04" PRIu32
                         "-%s.sql, statements %u to %d: the database has schema "
                         "%" PRIu32,
                         migration->number, migration->name, n_done + 1, n, migration->number);
        return 0;
}

int apply_plan(Server *server, const Plan *plan, const char *program_version)
{
        unsigned n_done = plan->statements_done;
        bool begun = plan->begun;
        int r;

        for (size_t number = plan->first; number < n_migrations; number++) {
                r = apply_migration(server, &migrations[number], begun, n_done, program_version);
                if (r < 0)
                        return r;
                begun = false;
                n_done = 0;
        }
        return 0;
}
