/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes an SQL file apart into statements. Knows MariaDB's comments, strings and quoted names, so
 * that a semicolon in them ends nothing. No DELIMITER and no executable comments: a migration needs
 * neither. Pure.
 */
#pragma once

#include <stddef.h>

typedef struct SqlCursor {
        const char *next;
        unsigned line; /* of next, from 1 */
} SqlCursor;

typedef struct SqlStatement {
        const char *text; /* borrowed; from its first word up to its semicolon */
        size_t length;
        unsigned line; /* of its first word */
} SqlStatement;

/* 1 and the next statement, 0 at the end, -EINVAL with *ret_error (static) when the text cannot be
 * taken apart; cursor->line is then the place. */
int sql_split_next(SqlCursor *cursor, SqlStatement *ret_statement, const char **ret_error);

/* The end of the comment, string, quoted name or single character that begins at text. NULL with
 * *ret_error (static) when it has no end or is not allowed. text must not be at its end. */
const char *sql_token_end(const char *text, const char **ret_error);

/* Whether a comment or a blank begins at text. */
int sql_is_gap(const char *text);
