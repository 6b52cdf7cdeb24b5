/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which statements a migration may use. MariaDB commits each definition by itself, so a migration
 * that was interrupted runs its last definition again: it must say IF NOT EXISTS or the like. A data
 * statement is committed together with the count of what is done, so it runs once and is free. Pure;
 * asked before anything is applied, and by a test for every file.
 */
#pragma once

#include "sql-split.h"

typedef enum SqlKind {
        SQL_DEFINITION, /* commits by itself; harmless to repeat */
        SQL_DATA, /* runs in a transaction */
        SQL_KIND_MAX,
        SQL_KIND_INVALID = -22,
} SqlKind;

/* 0, or -EINVAL with *ret_error (static) saying what would be right. */
int sql_rule_check(const SqlStatement *statement, SqlKind *ret_kind, const char **ret_error);
