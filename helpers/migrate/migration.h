/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The migrations that are built into this program, made from the files of sql/ by sql/embed.
 * Number 0 makes the table with the books; 1 and up are the ones that are recorded there.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Migration {
        uint32_t number; /* equals its place in the table */
        const char *name; /* of the file, without number and suffix */
        const char *text;
} Migration;

extern const Migration migrations[];
extern const size_t n_migrations;

enum {
        MIGRATION_SHA256_SIZE = 65, /* hex digits and the end */
};

/* The SHA-256 of the file as `sha256sum` prints it. */
void migration_sha256(const Migration *migration, char ret_hex[static MIGRATION_SHA256_SIZE]);

/* How many statements it has, or -EINVAL with *ret_line and *ret_error (static) when a statement is
 * not one that a migration may use (see sql-rule.h). */
int migration_count(const Migration *migration, unsigned *ret_line, const char **ret_error);
