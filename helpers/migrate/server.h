/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection of sendense-migrate, as MariaDB's root. A statement may take as long as it likes
 * while the server is alive; a server that is frozen or gone is noticed by knocking at its door.
 * Every fault sets server->error to one line; nothing in here logs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct HubConfig HubConfig;
typedef struct st_mysql MYSQL;
typedef struct st_mysql_res MYSQL_RES;

enum {
        SERVER_ERROR_SIZE = 512,
};

typedef struct Server {
        MYSQL *mysql;
        const HubConfig *config; /* borrowed */
        char error[SERVER_ERROR_SIZE];
} Server;

void server_done(Server *server);

/* server must be zeroed. Negative errno as database_connect(). */
int server_connect(Server *server, const HubConfig *config);

/* Runs one statement that gives no rows. Negative errno, among them those of database_errno_of(). */
int server_run(Server *server, const char *text, size_t length);
int server_runf(Server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Runs one statement and hands over its rows, for mysql_free_result(). */
int server_select(Server *server, MYSQL_RES **ret_rows, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* The first column of the first row as a number; no row or NULL is 0. */
int server_number(Server *server, uint64_t *ret_number, const char *format, ...)
                __attribute__((format(printf, 3, 4)));

/* Waits until this run is the only one for this database, at most wait_sec. Positive: got it. 0:
 * somebody else still has it. The lock goes with the connection. */
int server_lock(Server *server, unsigned wait_sec);
