/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the hub may do with each table (see grants.h).
 */
#include "grants.h"

#include "cleanup.h"
#include "fault-point.h"
#include "hub-config.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include <mysql.h>

enum {
        RIGHTS_SIZE = 512,
};

/* In the order of their names, as the query below gives them. */
#define RIGHTS_DEFAULT "DELETE,INSERT,SELECT,UPDATE"

static const struct {
        const char *table;
        const char *rights;
} exceptions[] = {
        { "schema_migrations", "SELECT" }, /* the books of sendense-migrate */
        { "job_events", "INSERT,SELECT" }, /* history is not rewritten */
};

static void free_result_p(MYSQL_RES **rows)
{
        if (*rows)
                mysql_free_result(*rows);
}

static int complain(const Server *server, int r, const char *what)
{
        return log_event(LOG_ERR, r, NULL, MESSAGE_MIGRATION_FAILED, "Cannot %s: %s", what,
                         server->error);
}

static const char *rights_for(const char *table)
{
        for (size_t i = 0; i < ELEMENTSOF(exceptions); i++)
                if (strcmp(exceptions[i].table, table) == 0)
                        return exceptions[i].rights;
        return RIGHTS_DEFAULT;
}

static bool has_word(const char *list, const char *word, size_t n)
{
        for (const char *at = list; *at;) {
                size_t length = strcspn(at, ",");

                if (length == n && strncmp(at, word, n) == 0)
                        return true;
                at += length;
                at += *at == ',';
        }
        return false;
}

/* The words of list that other does not have. */
static void words_beyond(const char *list, const char *other, char ret_words[static RIGHTS_SIZE])
{
        size_t used = 0;

        ret_words[0] = '\0';
        for (const char *at = list; *at;) {
                size_t n = strcspn(at, ",");

                if (!has_word(other, at, n) && used + n + 2 < RIGHTS_SIZE) {
                        if (used > 0)
                                ret_words[used++] = ',';
                        memcpy(ret_words + used, at, n);
                        used += n;
                        ret_words[used] = '\0';
                }
                at += n;
                at += *at == ',';
        }
}

/* The form of our names. Others may make tables in the database whose names would be more than a name
 * in a statement that MariaDB's administrator runs. BINARY, because the names of information_schema compare
 * without case, and JOBS is not jobs. */
#define OWN_TABLE_NAME "^[a-z0-9_]+\\\\z"

/* Gives before it takes, so that a running hub never stands without. */
static int grant_table(Server *server, const char *table, const char *has)
{
        const char *wanted = rights_for(table);
        const HubConfig *config = server->config;
        char missing[RIGHTS_SIZE], extra[RIGHTS_SIZE];
        int r = 0;

        words_beyond(wanted, has, missing);
        words_beyond(has, wanted, extra);
        if (*missing)
                r = server_runf(server, "GRANT %s ON `%s`.`%s` TO '%s'@'localhost'", missing,
                                config->database_name, table, config->database_user);
        if (r >= 0 && *extra)
                r = server_runf(server, "REVOKE %s ON `%s`.`%s` FROM '%s'@'localhost'", extra,
                                config->database_name, table, config->database_user);
        fault_point("migrate.grant.after");
        return r < 0 ? complain(server, r, "grant rights") : *missing || *extra;
}

static int grant_tables(Server *server)
{
        CLEANUP(free_result_p) MYSQL_RES *rows = NULL;
        const HubConfig *config = server->config;
        unsigned n_changed = 0;
        MYSQL_ROW row;
        int r;

        r = server_select(
                        server, &rows,
                        "SELECT t.TABLE_NAME, COALESCE(GROUP_CONCAT(p.PRIVILEGE_TYPE ORDER BY "
                        "p.PRIVILEGE_TYPE), '') FROM information_schema.TABLES t LEFT JOIN "
                        "information_schema.TABLE_PRIVILEGES p ON p.TABLE_SCHEMA = t.TABLE_SCHEMA "
                        "AND BINARY p.TABLE_NAME = t.TABLE_NAME AND p.GRANTEE = "
                        "'\\'%s\\'@\\'localhost\\'' "
                        "WHERE t.TABLE_SCHEMA = '%s' AND BINARY t.TABLE_NAME REGEXP "
                        "'" OWN_TABLE_NAME "' GROUP BY t.TABLE_NAME ORDER BY 1",
                        config->database_user, config->database_name);
        if (r < 0)
                return complain(server, r, "read the rights of the hub's user");
        while ((row = mysql_fetch_row(rows))) {
                r = grant_table(server, row[0], row[1]);
                if (r < 0)
                        return r;
                n_changed += r > 0;
        }
        if (n_changed > 0)
                log_info("Set the rights of the user %s on %u tables", config->database_user,
                         n_changed);
        return n_changed > 0;
}

static int warn_of_strange_tables(Server *server)
{
        const HubConfig *config = server->config;
        uint64_t n;
        int r;

        r = server_number(server, &n,
                          "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = "
                          "'%s' AND BINARY TABLE_NAME NOT REGEXP '" OWN_TABLE_NAME "'",
                          config->database_name);
        if (r < 0)
                return complain(server, r, "look for tables that are not ours");
        if (n > 0)
                (void) log_warning(0,
                                   "The database %s has %" PRIu64 " tables whose names are none of "
                                   "ours; the user %s gets no rights on them",
                                   config->database_name, n, config->database_user);
        return 0;
}

/* Rights wider than a table are none of our making, and are left to whoever gave them. */
static int warn_of_wide_rights(Server *server)
{
        const HubConfig *config = server->config;
        uint64_t n;
        int r;

        r = server_number(server, &n,
                          "SELECT (SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE "
                          "GRANTEE = '\\'%s\\'@\\'localhost\\'' AND PRIVILEGE_TYPE <> 'USAGE') + "
                          "(SELECT COUNT(*) FROM information_schema.SCHEMA_PRIVILEGES WHERE "
                          "GRANTEE = "
                          "'\\'%s\\'@\\'localhost\\'')",
                          config->database_user, config->database_user);
        if (r < 0)
                return complain(server, r, "read the rights of the hub's user");
        if (n > 0)
                (void) log_warning(0,
                                   "MariaDB's user %s has %" PRIu64 " rights that the hub does not "
                                   "need; SHOW GRANTS FOR '%s'@'localhost' names them",
                                   config->database_user, n, config->database_user);
        return 0;
}

static int ensure_user(Server *server)
{
        const char *user = server->config->database_user;
        uint64_t exists, by_socket;
        int r;

        r = server_number(server, &exists,
                          "SELECT COUNT(*) FROM mysql.global_priv WHERE Host = 'localhost' AND "
                          "User = '%s'",
                          user);
        if (r >= 0)
                r = server_number(
                                server, &by_socket,
                                "SELECT COUNT(*) FROM mysql.global_priv WHERE Host = 'localhost' "
                                "AND User = '%s' AND JSON_VALUE(Priv, '$.plugin') = 'unix_socket'",
                                user);
        if (r < 0)
                return complain(server, r, "look for the hub's user");
        if (exists && !by_socket)
                return log_event(LOG_ERR, -EUCLEAN, NULL, MESSAGE_MIGRATION_FAILED,
                                 "MariaDB has a user %s that does not log in by unix_socket; drop "
                                 "it "
                                 "(DROP USER '%s'@'localhost'), or set another User= in [Database]",
                                 user, user);
        if (exists)
                return 0;

        fault_point("migrate.user.before");
        r = server_runf(server,
                        "CREATE USER IF NOT EXISTS '%s'@'localhost' IDENTIFIED VIA unix_socket",
                        user);
        fault_point("migrate.user.after");
        if (r < 0)
                return complain(server, r, "make the hub's user");
        log_info("Made the user %s, who logs in by unix_socket", user);
        return 1;
}

int grants_apply(Server *server)
{
        int made, changed, r;

        made = ensure_user(server);
        if (made < 0)
                return made;
        changed = grant_tables(server);
        if (changed < 0)
                return changed;
        r = warn_of_strange_tables(server);
        if (r >= 0)
                r = warn_of_wide_rights(server);
        return r < 0 ? r : made || changed;
}
