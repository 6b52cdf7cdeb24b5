/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One way to connect, and one list of what MariaDB's error numbers mean to us (see database.h).
 */
#include "database.h"

#include "cleanup.h"
#include "hub-config.h"
#include "parse.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

int database_errno_of(unsigned number)
{
        switch (number) {
        case 0:
                return 0;
        case ER_LOCK_DEADLOCK:
        case ER_LOCK_WAIT_TIMEOUT:
                return -EAGAIN;
        case CR_CONNECTION_ERROR:
        case CR_CONN_HOST_ERROR:
        case CR_SERVER_GONE_ERROR:
        case CR_SERVER_LOST:
        case ER_SERVER_SHUTDOWN:
        case ER_CONNECTION_KILLED:
        case ER_CON_COUNT_ERROR:
        case ER_TOO_MANY_USER_CONNECTIONS:
                return -ENOTCONN;
        case ER_ACCESS_DENIED_ERROR:
        case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        case ER_DBACCESS_DENIED_ERROR:
        case ER_TABLEACCESS_DENIED_ERROR:
        case ER_COLUMNACCESS_DENIED_ERROR:
        case ER_SPECIFIC_ACCESS_DENIED_ERROR:
                return -EACCES;
        case ER_BAD_DB_ERROR:
        case ER_NO_SUCH_TABLE:
                return -ENOENT;
        case ER_DUP_ENTRY:
        case ER_DUP_ENTRY_WITH_KEY_NAME:
                return -EEXIST;
        case ER_NO_REFERENCED_ROW:
        case ER_NO_REFERENCED_ROW_2:
        case ER_ROW_IS_REFERENCED:
        case ER_ROW_IS_REFERENCED_2:
        case ER_BAD_NULL_ERROR:
        case ER_NO_DEFAULT_FOR_FIELD:
        case ER_DATA_TOO_LONG:
        case ER_WARN_DATA_OUT_OF_RANGE:
        case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
        case WARN_DATA_TRUNCATED:
        case ER_DATA_OUT_OF_RANGE:
        case ER_TRUNCATED_WRONG_VALUE:
        case ER_INVALID_CHARACTER_STRING:
        case ER_CONSTRAINT_FAILED:
                return -EINVAL;
        case ER_DISK_FULL:
        case ER_RECORD_FILE_FULL:
                return -ENOSPC;
        case CR_OUT_OF_MEMORY:
        case ER_OUTOFMEMORY:
        case ER_OUT_OF_RESOURCES:
                return -ENOMEM;
        default:
                return -EIO;
        }
}

int database_errno(MYSQL *mysql)
{
        return database_errno_of(mysql_errno(mysql));
}

MYSQL *database_close(MYSQL *mysql)
{
        if (mysql)
                mysql_close(mysql);
        return NULL;
}

DEFINE_CLEANUP(MYSQL *, database_close)

static unsigned seconds_of(uint64_t usec)
{
        return (unsigned) ((usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

static int set_options(MYSQL *mysql, const HubConfig *config)
{
        unsigned connect_sec = seconds_of(config->database_connect_timeout_usec),
                 query_sec = seconds_of(config->database_query_timeout_usec), off = 0,
                 protocol = MYSQL_PROTOCOL_SOCKET;

        if (mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_sec) ||
            mysql_optionsv(mysql, MYSQL_OPT_READ_TIMEOUT, &query_sec) ||
            mysql_optionsv(mysql, MYSQL_OPT_WRITE_TIMEOUT, &query_sec) ||
            mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol) ||
            mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &off) ||
            mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4"))
                return -EINVAL;
        return 0;
}

/* Waiting for a lock ends before the connection's time limit does, so that it is told from a server
 * that is gone. A recursive query ends where its rows do, or where it says: MariaDB's own bound, 1000
 * levels, cuts it with a warning and no error, and a chain may have more layers. */
static int set_session(MYSQL *mysql, const HubConfig *config)
{
        _cleanup_free_ char *query = NULL;
        unsigned lock_sec = seconds_of(config->database_query_timeout_usec) / 2;

        if (lock_sec == 0)
                lock_sec = 1;
        if (asprintf(&query,
                     "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,"
                     "NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE', time_zone = '+00:00',"
                     " innodb_lock_wait_timeout = %u, lock_wait_timeout = %u,"
                     " max_recursive_iterations = 4294967295",
                     lock_sec, lock_sec) < 0) {
                query = NULL;
                return -ENOMEM;
        }
        return database_query_timeout(mysql, query, config->database_connect_timeout_usec);
}

static int complain(MYSQL *mysql, int r, const HubConfig *config, char *error, size_t size)
{
        (void) snprintf(error, size, "MariaDB at %s: %s", config->database_socket,
                        r == -ETIMEDOUT ? "does not answer" : mysql_error(mysql));
        return r;
}

int database_connect(const HubConfig *config, const char *user, const char *database,
                     MYSQL **ret_mysql, char *error, size_t error_size)
{
        CLEANUP(database_close_p) MYSQL *mysql = NULL;
        int r;

        mysql = mysql_init(NULL);
        if (!mysql) {
                (void) snprintf(error, error_size, "Out of memory");
                return -ENOMEM;
        }
        r = set_options(mysql, config);
        if (r < 0) {
                (void) snprintf(error, error_size,
                                "The MariaDB client library refuses an option: %s",
                                mysql_error(mysql));
                return r;
        }
        if (!mysql_real_connect(mysql, NULL, user, NULL, database, 0, config->database_socket, 0))
                return complain(mysql, database_errno(mysql), config, error, error_size);
        r = set_session(mysql, config);
        if (r < 0)
                return complain(mysql, r, config, error, error_size);

        *ret_mysql = TAKE(mysql);
        return 0;
}

int database_query_timeout(MYSQL *mysql, const char *query, uint64_t timeout_usec)
{
        struct pollfd fd = { .events = POLLIN };
        uint64_t msec = (timeout_usec + 999) / 1000;
        int r;

        if (mysql_send_query(mysql, query, strlen(query)) != 0)
                return database_errno(mysql);

        fd.fd = mysql_get_socket(mysql);
        do
                r = poll(&fd, 1, msec > INT_MAX ? INT_MAX : (int) msec);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        if (r == 0)
                return -ETIMEDOUT;

        return mysql_read_query_result(mysql) != 0 ? database_errno(mysql) : 0;
}
