#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the migrations make, compared with everything that speaks of it: the golden schema, the page for
# people, the words of lib, the folder of the files, and the rights of the hub's user.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$SENDENSE_SRC/sql/render.bash"

mariadb_start "$TEST_TMP/db" || exit 1
migrate_config
require "the migrations apply" migrate

is "$(diff "$SENDENSE_SRC/sql/schema.sql" <(render_schema))" "" "sql/schema.sql is what they make (else: sql/update-schema)"
is "$(diff "$SENDENSE_SRC/docs/DB_SCHEMA.md" <(render_page))" "" "docs/DB_SCHEMA.md is true (else: sql/update-schema)"

migrate --status --json
is "$(jq -r '.migrations[] | "\(.number | tostring | "000" + . | .[-4:])-\(.name).sql"' "$migrate_log")" \
    "$(cd "$SENDENSE_SRC/sql" && printf '%s\n' 0*.sql | grep -v '^0000-')" "the program holds every file of sql/ and no other"
is "$(mariadb_sql sendense -e 'SELECT sha256, CONCAT(LPAD(number, 4, 0), "-", name, ".sql") FROM schema_migrations ORDER BY number' | tr '\t' ' ')" \
    "$(cd "$SENDENSE_SRC/sql" && sha256sum 0*.sql | grep -v ' 0000-' | tr -s ' ')" "word for word"

# The build refuses files that the books could not tell apart.
embed() { # FILE...: what sql/embed says of these names
    (cd "$TEST_TMP" && touch "$@" && "$SENDENSE_SRC/sql/embed" table "$@" >/dev/null) 2>&1
}
is "$(embed 0000-a.sql 0001-b.sql 0002-c.sql)" "" "names and numbers of their own are taken"
is "$(embed 0000-a.sql 0001-b.sql 0002-b.sql)" "sql/embed: 0002-b.sql: there is another migration with this name" \
    "a name that comes twice is refused"
is "$(embed 0000-a.sql 0001-b.sql 0001-c.sql)" "sql/embed: 0001-c.sql: expected number 0002" "so is a number"

# Words, both ways: every column with words is one of these, or one of the three that belong to SQL alone.
words=$("$SENDENSE_BUILD/tests/sql/print-words")
is "$(mariadb_sql -e "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME, ' ', REPLACE(REGEXP_REPLACE(COLUMN_TYPE, '^(enum|set)\\\\(|\\\\)\$', ''), '\\'', ''))
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'sendense' AND DATA_TYPE IN ('enum', 'set')" | LC_ALL=C sort |
    grep -v -e '^api_tokens.roles ' -e '^obligations.state ')" \
    "$(grep -v '^final ' <<<"$words" | LC_ALL=C sort)" "the words of the columns are the words of lib"
final=$(sed -n 's/^final //p' <<<"$words" | sed "s/.*/'&'/" | paste -sd,)
is "$(mariadb_sql sendense -e 'SHOW CREATE TABLE backup_jobs' | grep -oF "in ($final)" | wc -l)" 2 \
    "the final states are those of lib where SQL knows them"
policy=$SENDENSE_SRC/deploy/polkit/com.sendense.hub.policy
if [ -e "$policy" ]; then
    is "$(mariadb_sql -e "SELECT TRIM(')' FROM REPLACE(REPLACE(COLUMN_TYPE, '\\'', ''), 'set(', '')) FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = 'sendense' AND TABLE_NAME = 'api_tokens' AND COLUMN_NAME = 'roles'" | tr , '\n' | LC_ALL=C sort)" \
        "$(sed -nE 's/.*<action id="com\.sendense\.hub\.([a-z]+)".*/\1/p' "$policy" | LC_ALL=C sort)" "the roles are the polkit actions"
else
    skip "the roles are the polkit actions" "there is no $policy"
fi

# Every table has what the design asks of all.
bad=$(mariadb_sql -e "SELECT TABLE_NAME, ENGINE, TABLE_COLLATION FROM information_schema.TABLES
    WHERE TABLE_SCHEMA = 'sendense' AND (ENGINE <> 'InnoDB' OR TABLE_COLLATION <> 'utf8mb4_nopad_bin' OR TABLE_COMMENT = '')")
is "$bad" "" "every table is InnoDB, compares byte by byte and says what it is for"
bad=$(mariadb_sql -e "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'sendense'
    AND ((COLUMN_NAME REGEXP '_(usec|bytes)\$' OR COLUMN_NAME REGEXP '(^|_)id\$' AND DATA_TYPE LIKE '%int')
    AND COLUMN_TYPE <> 'bigint(20) unsigned' OR DATA_TYPE IN ('datetime', 'timestamp', 'float', 'double', 'text', 'blob'))")
is "$bad" "" "times, sizes and numbers of rows are BIGINT UNSIGNED"
bad=$(mariadb_sql -e "SELECT c.TABLE_NAME, c.COLUMN_NAME FROM information_schema.COLUMNS c LEFT JOIN information_schema.KEY_COLUMN_USAGE k
    ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME AND k.COLUMN_NAME = c.COLUMN_NAME AND k.REFERENCED_TABLE_NAME IS NOT NULL
    WHERE c.TABLE_SCHEMA = 'sendense' AND c.COLUMN_NAME LIKE '%\\_id' AND c.DATA_TYPE = 'bigint' AND c.EXTRA = '' AND k.TABLE_NAME IS NULL")
is "$bad" "" "every column that names a row of another table is a foreign key"

# What the hub's user may.
as_hub() { mariadb_as_nobody mariadb --no-defaults --socket="$mariadb_socket" -NB -u nobody sendense -e "$1" </dev/null; }
n_tables=$(mariadb_sql sendense -e 'SHOW TABLES' | wc -l)
bad=
for table in $(mariadb_sql sendense -e 'SHOW TABLES'); do
    as_hub "SELECT * FROM $table LIMIT 1" >/dev/null || bad+=" $table"
    for statement in "ALTER TABLE $table ADD x INT" "DROP TABLE $table" "TRUNCATE $table" "CREATE INDEX x ON $table (id)" \
        "CREATE TRIGGER x BEFORE DELETE ON $table FOR EACH ROW SET @a = 1"; do
        out=$(as_hub "$statement" 2>&1)
        [[ $out == *denied* ]] || bad+=$'\n'"$statement: $out"
    done
done
is "$bad" "" "the hub can read all $n_tables tables and change the form of none"
bad=
for statement in "CREATE TABLE x (id INT)" "CREATE DATABASE x" "CREATE USER x" "GRANT SELECT ON sendense.nodes TO root@localhost" \
    "SELECT * FROM mysql.global_priv" "UPDATE schema_migrations SET statements = 1" "DELETE FROM schema_migrations" \
    "INSERT INTO schema_migrations (number) VALUES (9)" "UPDATE job_events SET reason = ''" "DELETE FROM job_events" \
    "SELECT 1 INTO OUTFILE '/tmp/x'" "SET GLOBAL general_log = 1" "KILL 1" "SELECT * FROM mysql.user"; do
    out=$(as_hub "$statement" 2>&1)
    [[ $out == *denied* || $out == *"don't have"* || $out == *"not owner"* || $out == *"Unknown thread"* ]] || bad+=$'\n'"$statement: $out"
done
is "$bad" "" "it can do nothing else, and cannot rewrite history or the books"
ok "it can write, change and delete rows" as_hub "START TRANSACTION;
    INSERT INTO nodes (name, reverse_port, created_usec) VALUES ('n', 9081, 1); UPDATE nodes SET name = 'm'; DELETE FROM nodes; COMMIT"
mariadb_sql -e "GRANT INDEX, UPDATE ON sendense.job_events TO nobody@localhost; REVOKE DELETE ON sendense.nodes FROM nobody@localhost"
migrate
like "$(<"$migrate_log")" "Set the rights of the user nobody on 2 tables" "rights that were changed by hand are put right"
ok "what was taken is back" as_hub "DELETE FROM nodes"
not_ok "what was given is gone" as_hub "UPDATE job_events SET reason = ''"
mariadb_sql -e "GRANT RELOAD ON *.* TO nobody@localhost"
migrate
like "$(<"$migrate_log")" "user nobody has 1 rights that the hub does not need" "rights wider than that are named, and left alone"
done_testing
