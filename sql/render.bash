# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Writes down what a migrated database looks like: sql/schema.sql and docs/DB_SCHEMA.md. Sourced by
# sql/update-schema, which writes them, and by tests/sql/schema.sh, which compares. Needs mariadb_sql of
# tests/sql/mariadb.bash and schema_dump of tests/sql/migrate.bash.

render_schema() {
    cat <<'X'
-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What the migrations make, as MariaDB shows it. Written by sql/update-schema, compared by
-- `tests/run sql`, and never run: sendense-migrate runs the files with numbers.

X
    schema_dump
}

render_query() { # SQL
    mariadb_sql information_schema -e "$1" | sed 's/\\\\/\\/g'
}

render_columns() { # TABLE
    echo '| column | type | what it is |'
    echo '|---|---|---|'
    render_query "SELECT CONCAT('| \`', COLUMN_NAME, '\` | ', REPLACE(REGEXP_REPLACE(COLUMN_TYPE, '\\\\((3|5|10|20)\\\\) ', ' '), '\\'', ''),
        IF(IS_NULLABLE = 'YES', ', NULL', ''), IF(EXTRA LIKE 'auto%', ', auto', ''), IF(EXTRA LIKE 'VIRTUAL%', ', computed', ''),
        ' | ', COLUMN_COMMENT, ' |')
        FROM COLUMNS WHERE TABLE_SCHEMA = 'sendense' AND TABLE_NAME = '$1' ORDER BY ORDINAL_POSITION"
}

render_keys() { # TABLE
    echo
    render_query "SELECT CONCAT('- ', IF(INDEX_NAME = 'PRIMARY', 'primary key', IF(NON_UNIQUE, 'index', 'unique')), ' (',
        GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR ', '), ')')
        FROM STATISTICS WHERE TABLE_SCHEMA = 'sendense' AND TABLE_NAME = '$1' AND INDEX_NAME NOT IN
        (SELECT CONSTRAINT_NAME FROM REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'sendense')
        GROUP BY INDEX_NAME, NON_UNIQUE ORDER BY INDEX_NAME <> 'PRIMARY', NON_UNIQUE, INDEX_NAME"
    render_query "SELECT CONCAT('- (', GROUP_CONCAT(COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', '), ') refers to ',
        REFERENCED_TABLE_NAME, ' (', GROUP_CONCAT(REFERENCED_COLUMN_NAME ORDER BY ORDINAL_POSITION SEPARATOR ', '), ')')
        FROM KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = 'sendense' AND TABLE_NAME = '$1' AND REFERENCED_TABLE_NAME IS NOT NULL
        GROUP BY CONSTRAINT_NAME, REFERENCED_TABLE_NAME ORDER BY CONSTRAINT_NAME"
    render_query "SELECT CONCAT('- check \`', REPLACE(CHECK_CLAUSE, '\`', ''), '\`') FROM CHECK_CONSTRAINTS
        WHERE CONSTRAINT_SCHEMA = 'sendense' AND TABLE_NAME = '$1' ORDER BY CONSTRAINT_NAME"
}

render_rights() { # TABLE
    local rights
    rights=$(render_query "SELECT LOWER(GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY PRIVILEGE_TYPE SEPARATOR ', ')) FROM TABLE_PRIVILEGES
        WHERE TABLE_SCHEMA = 'sendense' AND TABLE_NAME = '$1'")
    printf '\nThe hub may: %s.\n' "$rights"
}

render_page() {
    local table
    cat <<'X'
# The hub's database

Made by `sql/update-schema` from a migrated database and compared with one by `tests/run sql`; edit
the migrations in `sql/`, not this page.

MariaDB, reached over its unix socket. `sendense-migrate` makes the database `sendense` and its user, who
logs in by `unix_socket` and may change rows, never tables. All tables are InnoDB and compare byte by
byte, trailing blanks included (`utf8mb4_nopad_bin`).

- Times end in `_usec`: microseconds since 1970, UTC, the unit of the journal and the bus. They depend on no
  session's time zone. To read them: `SELECT FROM_UNIXTIME(created_usec / 1e6) FROM backup_jobs`.
- Sizes end in `_bytes`, and are what they say.
- What ends in `_sealed` is ciphertext: a nonce of 24 bytes, then libsodium's secretbox. The key is not in the
  database.
- Words in `enum` columns are those of the bus, the API and the journal.
- A row with a `unit` holds the machine's `boot_id` from before the unit was started, and its `invocation_id`
  once systemd has told it.

`sendense-migrate --status` shows which migrations are applied.
X
    for table in $(mariadb_sql sendense -e 'SHOW TABLES'); do
        printf '\n## %s\n\n%s.\n\n' "$table" \
            "$(render_query "SELECT TABLE_COMMENT FROM TABLES WHERE TABLE_SCHEMA = 'sendense' AND TABLE_NAME = '$table'")"
        render_columns "$table"
        render_keys "$table"
        render_rights "$table"
    done
}
