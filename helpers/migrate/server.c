/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Statements without a deadline, but not without an end (see server.h).
 */
#include "server.h"

#include "cleanup.h"
#include "database.h"
#include "hub-config.h"
#include "parse.h"
#include "text.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include <mysql.h>

#define SERVER_ADMINISTRATOR "root"

enum {
        /* Somebody dumps the database, and holds its tables: that ends, and so does an ALTER TABLE of a
         * run that was stopped. Giving up would leave the hub without its database until a hand comes. */
        TABLE_LOCK_WAIT_SEC = 86400,
        ROW_LOCK_WAIT_SEC = 3600,
        /* In a row. One may be slow on a machine that is busy with our ALTER TABLE. */
        KNOCKS_MISSED_MAX = 3,
};

static void free_result_p(MYSQL_RES **rows)
{
        if (*rows)
                mysql_free_result(*rows);
}

void server_done(Server *server)
{
        server->mysql = database_close(server->mysql);
}

int server_connect(Server *server, const HubConfig *config)
{
        int r;

        server->config = config;
        r = database_connect(config, SERVER_ADMINISTRATOR, NULL, &server->mysql, server->error,
                             sizeof(server->error));
        if (r < 0)
                return r;
        return server_runf(server,
                           "SET SESSION lock_wait_timeout = %d, innodb_lock_wait_timeout = %d",
                           TABLE_LOCK_WAIT_SEC, ROW_LOCK_WAIT_SEC);
}

static int complain(Server *server)
{
        (void) snprintf(server->error, sizeof(server->error), "MariaDB says: %s (error %u)",
                        mysql_error(server->mysql), mysql_errno(server->mysql));
        return database_errno(server->mysql);
}

/* A second connection, because the first one is busy. */
static int server_knock(Server *server)
{
        MYSQL *mysql;
        int r;

        r = database_connect(server->config, SERVER_ADMINISTRATOR, NULL, &mysql, server->error,
                             sizeof(server->error));
        if (r < 0)
                return r;
        (void) database_close(mysql);
        return 0;
}

static int server_wait(Server *server)
{
        struct pollfd fd = { .fd = mysql_get_socket(server->mysql), .events = POLLIN };
        unsigned n_missed = 0;
        int r;

        for (;;) {
                r = poll(&fd, 1, (int) (server->config->database_probe_usec / USEC_PER_MSEC));
                if (r > 0)
                        return 0;
                if (r < 0 && errno != EINTR) {
                        r = -errno;
                        (void) snprintf(server->error, sizeof(server->error),
                                        "Cannot wait for MariaDB: %s", strerror(-r));
                        return r;
                }
                if (r == 0) {
                        r = server_knock(server);
                        n_missed = r < 0 ? n_missed + 1 : 0;
                        if (n_missed >= KNOCKS_MISSED_MAX)
                                return r;
                }
        }
}

int server_run(Server *server, const char *text, size_t length)
{
        int r;

        if (mysql_send_query(server->mysql, text, length) != 0)
                return complain(server);
        r = server_wait(server);
        if (r < 0)
                return r;
        if (mysql_read_query_result(server->mysql) != 0)
                return complain(server);
        return 0;
}

__attribute__((format(printf, 2, 0))) static int server_vrun(Server *server, const char *format,
                                                             va_list ap)
{
        _cleanup_free_ char *text = text_vformat(format, ap);

        if (!text) {
                (void) snprintf(server->error, sizeof(server->error), "Out of memory");
                return -ENOMEM;
        }
        return server_run(server, text, strlen(text));
}

int server_runf(Server *server, const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = server_vrun(server, format, ap);
        va_end(ap);
        return r;
}

__attribute__((format(printf, 3, 0))) static int server_vselect(Server *server,
                                                                MYSQL_RES **ret_rows,
                                                                const char *format, va_list ap)
{
        MYSQL_RES *rows;
        int r;

        r = server_vrun(server, format, ap);
        if (r < 0)
                return r;
        rows = mysql_store_result(server->mysql);
        if (!rows)
                return complain(server);
        *ret_rows = rows;
        return 0;
}

int server_select(Server *server, MYSQL_RES **ret_rows, const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = server_vselect(server, ret_rows, format, ap);
        va_end(ap);
        return r;
}

int server_number(Server *server, uint64_t *ret_number, const char *format, ...)
{
        CLEANUP(free_result_p) MYSQL_RES *rows = NULL;
        uint64_t number = 0;
        MYSQL_ROW row;
        va_list ap;
        int r;

        va_start(ap, format);
        r = server_vselect(server, &rows, format, ap);
        va_end(ap);
        if (r < 0)
                return r;

        row = mysql_fetch_row(rows);
        if (row && row[0]) {
                r = parse_uint64(row[0], 0, UINT64_MAX, &number);
                if (r < 0) {
                        (void) snprintf(server->error, sizeof(server->error),
                                        "MariaDB answers '%s' where a number is due", row[0]);
                        return r;
                }
        }
        *ret_number = number;
        return 0;
}

int server_lock(Server *server, unsigned wait_sec)
{
        uint64_t got;
        int r;

        r = server_number(server, &got, "SELECT GET_LOCK('sendense-migrate.%s', %u)",
                          server->config->database_name, wait_sec);
        return r < 0 ? r : got == 1;
}
