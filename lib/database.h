/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to MariaDB over its unix socket, set up the one way that all our SQL relies on:
 * strict mode, UTC, no option files, time limits on everything. Used by the hub's database worker
 * and by sendense-migrate; never in an event loop's thread, because every call here may wait.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct HubConfig HubConfig;
typedef struct st_mysql MYSQL;

/* user is the database's name for whoever runs this program (unix_socket authentication). database
 * may be NULL. 0, or a negative errno with error set to one line: what failed and MariaDB's reason.
 * Takes at most config's connect timeout for each of its two steps. */
int database_connect(const HubConfig *config, const char *user, const char *database,
                     MYSQL **ret_mysql, char *error, size_t error_size);

/* Closes; takes NULL; returns NULL. */
MYSQL *database_close(MYSQL *mysql);

/* Sends a query and waits for the beginning of its answer, at most timeout_usec: a server that is
 * stopped in the middle is noticed by this time limit, not by the connection's longer one. After
 * -ETIMEDOUT the connection is good for nothing but database_close(). Negative errno. */
int database_query_timeout(MYSQL *mysql, const char *query, uint64_t timeout_usec);

/* The outcome of the last failed call on mysql, as database_errno_of() says. */
int database_errno(MYSQL *mysql);

/* MariaDB's error numbers as ours. Pure.
 * -EAGAIN: rolled back by a deadlock or a lock's time limit, may be run again
 * -ENOTCONN: the connection is gone or was refused; unknown whether the last statement took effect
 * -EACCES: the user may not, -ENOENT: no such database or table, -EEXIST: a UNIQUE constraint
 * -EINVAL: another constraint or a value that does not fit, -ENOSPC: the disk is full
 * -ENOMEM, and -EIO for everything else */
int database_errno_of(unsigned number);
