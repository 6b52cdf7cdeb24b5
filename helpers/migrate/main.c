/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sendense-migrate: makes the hub's database and user in MariaDB and brings the tables to this
 * version. Started as root by sendense-migrate.service before the hub, or by hand. Doing it twice is
 * harmless; dying in the middle is mended by the next run.
 * Exit status: 0 done or nothing to do, 64 wrong command line, 65 the database is newer or not what
 * was applied, 75 MariaDB is away or busy, 77 not root, 78 wrong config, 1 anything else.
 */
#include "apply.h"
#include "books.h"
#include "build-id.h"
#include "cleanup.h"
#include "grants.h"
#include "hub-config.h"
#include "log.h"
#include "program.h"
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <mysql.h>

enum {
        /* Another run may be in a long ALTER TABLE, and does then what we came for; or it was stopped, and
         * MariaDB goes on with that ALTER TABLE and keeps the lock. A server that dies meanwhile is noticed. */
        LOCK_WAIT_SEC = 86400,
};

static bool arg_status = false;
static bool arg_json = false;

static const ProgramSwitch switches[] = {
        { "status", &arg_status },
        { "json", &arg_json },
        {},
};

static const Program program = {
        .name = "sendense-migrate",
        .help = "sendense-migrate [OPTIONS...]\n\n"
                "Makes the hub's database and user in MariaDB and brings its tables to\n"
                "this version. Harmless when there is nothing to do.\n\n"
                "  -h --help         Show this help\n"
                "     --version      Show version, git commit and build id\n"
                "     --config=FILE  Read FILE and FILE.d/*.conf instead of\n"
                "                    " HUB_CONFIG_FILE "\n"
                "     --status       Show what is applied and what is missing, and change\n"
                "                    nothing\n"
                "     --json         The same as JSON\n\n"
                "See sendense-migrate(8).\n",
        .switches = switches,
};

/* As program_parse(). */
static int parse_argv(int argc, char *argv[], const char **ret_config)
{
        int r = program_parse(&program, argc, argv, ret_config);

        if (r > 0 && arg_json && !arg_status) {
                (void) fprintf(stderr, "sendense-migrate: --json goes with --status\n");
                return -EINVAL;
        }
        return r;
}

static int exit_status(int r)
{
        switch (r) {
        case -ENOTCONN:
        case -ETIMEDOUT:
        case -EAGAIN:
        case -EBUSY:
        case -ENOSPC:
                return EX_TEMPFAIL;
        case -EUCLEAN:
                return EX_DATAERR;
        default:
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
}

static int load_config(HubConfig *config, const char *path)
{
        _cleanup_free_ char *error = NULL;
        int r;

        r = hub_config_load_named(config, path, &error);
        if (r < 0)
                return log_event(LOG_ERR, r, NULL, MESSAGE_CONFIG_INVALID, "%s",
                                 error ?: strerror(-r));
        return 0;
}

static int lock(Server *server)
{
        int r = server_lock(server, 0);

        if (r == 0) {
                log_info("Another sendense-migrate is at work, waiting for it");
                r = server_lock(server, LOCK_WAIT_SEC);
        }
        if (r < 0)
                return log_event(LOG_ERR, r, NULL, MESSAGE_MIGRATION_FAILED, "Cannot lock: %s",
                                 server->error);
        if (r == 0)
                return log_event(LOG_ERR, -EBUSY, NULL, MESSAGE_MIGRATION_FAILED,
                                 "Another sendense-migrate is still at work, giving up for now");
        return 0;
}

static int read_books(Server *server, Record **ret_records, size_t *ret_n_records)
{
        int r = books_read(server, ret_records, ret_n_records);

        return r < 0 ? log_event(LOG_ERR, r, NULL, MESSAGE_MIGRATION_FAILED,
                                 "Cannot read what was applied: %s", server->error)
                     : 0;
}

/* No database and no table are states like others: everything is missing. */
static int show_status(Server *server)
{
        _cleanup_free_ Record *records = NULL;
        size_t n_records = 0;
        Plan plan;
        int r;

        r = server_runf(server, "USE `%s`", server->config->database_name);
        if (r >= 0)
                r = books_read(server, &records, &n_records);
        if (r < 0 && r != -ENOENT)
                return log_error(r, "Cannot read what was applied: %s", server->error);

        plan_make(&plan, migrations, n_migrations, records, n_records, build_version());
        r = status_print(&plan, records, n_records, server->config->database_name, build_version(),
                         arg_json);
        if (r < 0)
                return log_error(r, "Cannot print the status: %m");
        return *plan.error ? -EUCLEAN : 0;
}

static int migrate(Server *server)
{
        _cleanup_free_ Record *records = NULL;
        size_t n_records;
        Plan plan;
        int r, changed;

        r = lock(server);
        if (r >= 0)
                r = apply_prepare(server);
        if (r >= 0)
                r = read_books(server, &records, &n_records);
        if (r < 0)
                return r;

        plan_make(&plan, migrations, n_migrations, records, n_records, build_version());
        if (*plan.error)
                return log_event(LOG_ERR, -EUCLEAN, NULL, MESSAGE_MIGRATION_FAILED, "Refused: %s",
                                 plan.error);
        if (plan.outcome == PLAN_APPLY) {
                r = apply_plan(server, &plan, build_version());
                if (r < 0)
                        return r;
        }
        changed = grants_apply(server);
        if (changed < 0)
                return changed;

        if (plan.outcome == PLAN_NOTHING && !changed)
                log_info("Nothing to do: the database %s has schema %" PRIu32,
                         server->config->database_name, plan.found);
        else
                log_info("The database %s has schema %zu", server->config->database_name,
                         n_migrations - 1);
        return 0;
}

static int run(const HubConfig *config)
{
        CLEANUP(server_done) Server server = {};
        int r;

        r = apply_check();
        if (r < 0)
                return r;
        r = server_connect(&server, config);
        if (r < 0)
                return log_event(LOG_ERR, r, NULL, MESSAGE_MIGRATION_FAILED, "%s; %s", server.error,
                                 r == -EACCES ? "root@localhost must log in by the unix socket: "
                                                "ALTER USER root@localhost IDENTIFIED VIA "
                                                "unix_socket, or add OR unix_socket to what it has"
                                              : "is mariadb.service running?");
        return arg_status ? show_status(&server) : migrate(&server);
}

int main(int argc, char *argv[])
{
        CLEANUP(hub_config_done) HubConfig config = {};
        const char *path = NULL;
        int r;

        r = parse_argv(argc, argv, &path);
        if (r <= 0)
                return r < 0 ? EX_USAGE : EXIT_SUCCESS;

        log_open(program.name);
        if (geteuid() != 0) {
                (void) log_error(0, "sendense-migrate must run as root, whom MariaDB knows by its "
                                    "unix socket");
                return EX_NOPERM;
        }
        r = load_config(&config, path);
        if (r < 0)
                return r == -ENOMEM ? EXIT_FAILURE : EX_CONFIG;
        log_set_level(config.log_level);

        if (mysql_library_init(0, NULL, NULL) != 0) {
                (void) log_oom();
                return EXIT_FAILURE;
        }
        r = run(&config);
        mysql_library_end();
        return exit_status(r);
}
