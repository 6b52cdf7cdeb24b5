/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table schema_migrations: what was applied, and how far. Written by this program alone. The
 * database must have been chosen on the connection.
 */
#pragma once

#include "plan.h"
#include "server.h"

/* All rows in order; *ret_records is for free(). No such table: -ENOENT. */
int books_read(Server *server, Record **ret_records, size_t *ret_n_records);

/* Writes down that a migration is begun, which it must not have been before. */
int books_begin(Server *server, const Migration *migration, const char *sha256, unsigned statements,
                const char *program_version);

/* Writes down how many of its statements are done. -EUCLEAN: it was never begun. */
int books_count(Server *server, uint32_t number, unsigned statements_done);
