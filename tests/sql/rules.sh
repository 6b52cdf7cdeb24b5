#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every form of definition that sql-rule.c allows is run twice on a server: the second time must be
# accepted and change nothing. The forms are read from the source, so that a new one cannot be forgotten.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"

# What follows each form to make it a whole statement on the tables below.
declare -A rest=(
    ['CREATE TABLE IF NOT EXISTS']='n (a INT)'
    ['CREATE INDEX IF NOT EXISTS']='n ON t (c)'
    ['CREATE UNIQUE INDEX IF NOT EXISTS']='n ON t (c)'
    ['CREATE OR REPLACE VIEW']='n AS SELECT a FROM t'
    ['DROP TABLE IF EXISTS']='old'
    ['DROP INDEX IF EXISTS']='by_b ON t'
    ['DROP VIEW IF EXISTS']='v'
    ['ADD COLUMN IF NOT EXISTS']='n INT'
    ['ADD INDEX IF NOT EXISTS']='n (c)'
    ['ADD UNIQUE INDEX IF NOT EXISTS']='n (c)'
    ['ADD CONSTRAINT IF NOT EXISTS * CHECK']='(c > 0)'
    ['ADD CONSTRAINT * FOREIGN KEY IF NOT EXISTS']='(c) REFERENCES u (a)'
    ['DROP COLUMN IF EXISTS']='d'
    ['DROP INDEX IF EXISTS alter']='by_b'
    ['DROP FOREIGN KEY IF EXISTS']='to_u'
    ['DROP CONSTRAINT IF EXISTS']='positive'
    ['MODIFY COLUMN']='c BIGINT NOT NULL'
    ['CHANGE COLUMN IF EXISTS']='c n BIGINT'
    ['RENAME COLUMN IF EXISTS']='c TO n'
    ['RENAME INDEX IF EXISTS']='by_b TO n'
    ['ALTER COLUMN']='c SET DEFAULT 7'
)

mariadb_start "$TEST_TMP/db" || exit 1

rule_forms() { sed -nE 's/^ *\{ "([A-Z *]+)", SQL_DEFINITION \},/\1/p' "$SENDENSE_SRC/helpers/migrate/sql-rule.c"; }
rule_alterations() { sed -n '/alterations\[\] = {/,/^};/s/^ *"\(.*\)",/\1/p' "$SENDENSE_SRC/helpers/migrate/sql-rule.c"; }

try() { # NAME STATEMENT
    local once twice
    mariadb_sql -e "DROP DATABASE IF EXISTS r; CREATE DATABASE r; USE r; CREATE TABLE u (a INT PRIMARY KEY);
        CREATE TABLE old (a INT); CREATE TABLE t (a INT PRIMARY KEY, b INT, c INT, d INT, KEY by_b (b),
        CONSTRAINT positive CHECK (a > 0), CONSTRAINT to_u FOREIGN KEY (b) REFERENCES u (a), KEY by_both (b, c));
        CREATE VIEW v AS SELECT 1"
    local before
    before=$(schema_dump r)
    once=$(mariadb_sql r -e "$2" 2>&1) || { fail "$1" "$2" "$once"; return; }
    once=$(schema_dump r)
    twice=$(mariadb_sql r -e "$2" 2>&1) || { fail "$1: the second time" "$2" "$twice"; return; }
    if [ "$once" = "$before" ]; then
        fail "$1" "$2 changed nothing, so this test shows nothing"
    else
        is "$(schema_dump r)" "$once" "$1"
    fi
}

n=0
while IFS= read -r form; do
    try "$form" "$form ${rest[$form]:?}"
    n=$((n + 1))
done < <(rule_forms)
while IFS= read -r form; do
    key=$form
    [ -z "${rest["$form alter"]+x}" ] || key="$form alter"
    try "ALTER TABLE t $form" "ALTER TABLE t ${form/\*/n} ${rest[$key]:?}"
    n=$((n + 1))
done < <(rule_alterations)
is "$n" "${#rest[@]}" "all forms of the source were tried"
done_testing
