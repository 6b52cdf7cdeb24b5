/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What can be said about a migration without a database (see migration.h). Pure.
 */
#include "migration.h"

#include "sql-rule.h"
#include "sql-split.h"

#include <sodium.h>
#include <string.h>

void migration_sha256(const Migration *migration, char ret_hex[static MIGRATION_SHA256_SIZE])
{
        unsigned char hash[crypto_hash_sha256_BYTES];

        (void) crypto_hash_sha256(hash, (const unsigned char *) migration->text,
                                  strlen(migration->text));
        (void) sodium_bin2hex(ret_hex, MIGRATION_SHA256_SIZE, hash, sizeof(hash));
}

int migration_count(const Migration *migration, unsigned *ret_line, const char **ret_error)
{
        SqlCursor cursor = { .next = migration->text, .line = 1 };
        SqlStatement statement;
        SqlKind kind;
        int r, n = 0;

        while ((r = sql_split_next(&cursor, &statement, ret_error)) > 0) {
                r = sql_rule_check(&statement, &kind, ret_error);
                if (r < 0) {
                        *ret_line = statement.line;
                        return r;
                }
                n++;
        }
        if (r < 0)
                *ret_line = cursor.line;
        return r < 0 ? r : n;
}
