#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-migrate as an operator meets it: from nothing, again, at the same time, and refusing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"

newest=$(sed -nE 's/^#define SQL_SCHEMA_NEWEST UINT32_C\(([0-9]+)\)/\1/p' "$SENDENSE_BUILD/busd/hub/store/sql-schema.h")
version=$("$migrate_program" --version | awk '{ print $2 }')
books() { mariadb_sql sendense -e "$1"; }

mariadb_start "$TEST_TMP/db" || exit 1
migrate_config

# --status before there is anything.
migrate --status
is "$?" 0 "--status works without a database"
like "$(<"$migrate_log")" '^0001 +missing' "and says what is missing"

migrate
is "$?" 0 "from nothing to the newest schema" || diag "$(<"$migrate_log")"
is "$(grep -c 'Applied 00' "$migrate_log")" "$newest" "one line for each migration"
is "$(books 'SELECT COUNT(*) FROM schema_migrations WHERE statements_done = statements AND finished_usec >= started_usec')" \
    "$newest" "each is recorded as whole"
is "$(books 'SELECT id, name, path FROM backup_repositories')" $'1\tlocal\t/var/lib/sendense/repository' \
    "the default repository is there"
is "$(books "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'sendense'")" \
    utf8mb4_nopad_bin "the database compares byte by byte"

mariadb_sql -e "SET GLOBAL general_log = ON"
migrate
is "$?" 0 "a second run succeeds"
mariadb_sql -e "SET GLOBAL general_log = OFF"
like "$(<"$migrate_log")" "Nothing to do: the database sendense has schema $newest" "it says that nothing was to do"
is "$(grep -cE '(Query|Execute).*(CREATE|ALTER|DROP|INSERT|UPDATE|DELETE|GRANT|REVOKE) ' "$mariadb_dir/general.log")" 0 \
    "it sent nothing that writes"
ok "the server saw it ask, though" grep -q "Query.*GET_LOCK" "$mariadb_dir/general.log"

migrate --status --json
is "$(jq -r '[.state, .schema, .schema_expected, .database, (.migrations | length), .migrations[0].state] | @csv' "$migrate_log")" \
    "\"current\",$newest,$newest,\"sendense\",$newest,\"applied\"" "--status --json tells programs the same"

# Two at the same time, from nothing.
migrate_forget
"$migrate_program" --config="$TEST_TMP/hub.conf" >"$TEST_TMP/first.log" 2>&1 &
first=$!
migrate
second_rc=$?
wait "$first"
is "$? $second_rc" "0 0" "two at the same time both succeed"
is "$(cat "$TEST_TMP/first.log" "$migrate_log" | grep -c 'Applied 0001')" 1 "and only one of them did it" ||
    diag "$(cat "$TEST_TMP/first.log" "$migrate_log")"

# Somebody else holds the lock: it waits, says so, and goes on when the lock is free.
mkfifo "$TEST_TMP/hold"
mariadb --no-defaults --socket="$mariadb_socket" -N --unbuffered <"$TEST_TMP/hold" >"$TEST_TMP/held" &
holder=$!
exec 8>"$TEST_TMP/hold"
echo "SELECT GET_LOCK('sendense-migrate.sendense', 0);" >&8
ok "a lock is held" eventually 30 test -s "$TEST_TMP/held"
"$migrate_program" --config="$TEST_TMP/hub.conf" >"$TEST_TMP/first.log" 2>&1 8>&- &
first=$!
ok "a run says that it waits for another" eventually 30 grep -q "Another sendense-migrate is at work" "$TEST_TMP/first.log"
ok "and it does wait" kill -0 "$first"
exec 8>&-
wait "$holder"
wait "$first"
is "$?" 0 "it goes on when the other has ended"

# Somebody holds a table for longer than a query of the hub may wait: it waits, too.
echo "LOCK TABLES sendense.schema_migrations WRITE; SELECT 'locked';" >"$TEST_TMP/table.sql"
mkfifo "$TEST_TMP/table"
mariadb --no-defaults --socket="$mariadb_socket" -N --unbuffered <"$TEST_TMP/table" >"$TEST_TMP/table.held" &
holder=$!
exec 8>"$TEST_TMP/table"
cat "$TEST_TMP/table.sql" >&8
ok "a table is locked" eventually 30 test -s "$TEST_TMP/table.held"
"$migrate_program" --config="$TEST_TMP/hub.conf" >"$TEST_TMP/first.log" 2>&1 8>&- &
first=$!
waits() { mariadb_sql -N -e 'SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE "%metadata lock%" AND TIME >= 3' | grep -qx 1; }
ok "it waits for a locked table, longer than QueryTimeoutSec=" eventually 20 waits
# Meanwhile it knocks at a second connection. Somebody else opens once, says nothing, and ends when he is left.
mv "$mariadb_socket" "$mariadb_socket.away"
socat "UNIX-LISTEN:$mariadb_socket,unlink-close=0" SYSTEM:"echo knock >'$TEST_TMP/knock'; cat >/dev/null" 8>&- &
mute=$!
ok "a knock at the server is not answered" eventually 20 test -s "$TEST_TMP/knock"
mv "$mariadb_socket.away" "$mariadb_socket"
wait "$mute"
ok "and is forgiven" kill -0 "$first"
exec 8>&-
wait "$holder"
wait "$first"
is "$?" 0 "and goes on when it is free"

# A table of somebody else's whose name would be half a statement for MariaDB's administrator.
root_login() { mariadb_sql -N -e "SELECT Priv FROM mysql.global_priv WHERE User = 'root' AND Host = 'localhost'"; }
before=$(root_login)
mariadb_sql -e "CREATE TABLE sendense.\`job_events\`\` TO root@localhost IDENTIFIED BY 'x'#\` (a INT)"
migrate
is "$?" 0 "a table with a hostile name does not matter"
like "$(<"$migrate_log")" "1 tables whose names are none of ours" "and is told"
is "$(root_login)" "$before" "root logs in as before"
mariadb_sql -e "DROP TABLE sendense.\`job_events\`\` TO root@localhost IDENTIFIED BY 'x'#\`"

# A table with the name of one of ours in capitals is not ours, and does not stand in its way.
mariadb_sql -e "CREATE TABLE sendense.JOB_EVENTS (a INT); GRANT SELECT, DELETE ON sendense.JOB_EVENTS TO nobody@localhost;
    REVOKE INSERT ON sendense.job_events FROM nobody@localhost"
migrate
is "$?" 0 "a table with our name in capitals does not matter"
like "$(<"$migrate_log")" "1 tables whose names are none of ours" "and is told"
grants_on() { mariadb_sql -N -e "SHOW GRANTS FOR nobody@localhost" | sed -n "s/^GRANT \(.*\) ON .*\`$1\`.*/\1/p"; }
is "$(grants_on job_events)" "SELECT, INSERT" "the rights on ours are put right"
is "$(grants_on JOB_EVENTS)" "SELECT, DELETE" "and on the other left alone"
mariadb_sql -e "DROP TABLE sendense.JOB_EVENTS"

# MariaDB's root has a password: the line says what is wanted.
mariadb_sql -e "ALTER USER root@localhost IDENTIFIED BY 'pw'"
migrate
is "$?" 1 "a root with a password is no reason to try again"
like "$(<"$migrate_log")" "root@localhost must log in by the unix socket: ALTER USER root@localhost IDENTIFIED VIA unix_socket" \
    "and the remedy is told"
like "$(sed -n '/^\.SH EXIT/,/^\.B 64/p' "$SENDENSE_SRC/docs/man/sendense-migrate.8")" 'root@localhost$' "the man page has this status"
like "$(<"$SENDENSE_SRC/docs/TROUBLESHOOTING.md")" '"root@localhost must log in by the unix socket"' "and the other page the line"
mariadb --no-defaults --socket="$mariadb_socket" --user=root --password=pw \
    -e "UPDATE mysql.global_priv SET Priv = '$before' WHERE User = 'root' AND Host = 'localhost'; FLUSH PRIVILEGES"

# A newer database: refused, both versions named, nothing touched.
books "INSERT INTO schema_migrations VALUES ($((newest + 1)), 'from-the-future', REPEAT('a', 64), 2, 1, '9.8.7', 1, NULL)"
before=$(schema_dump)
migrate
is "$?" 65 "a newer database is refused"
like "$(<"$migrate_log")" "schema $((newest + 1)) of version 9\.8\.7.*knows schema $newest and is version $version" "both versions are named"
migrate --status
is "$?" 65 "--status says it by its status too"
like "$(<"$migrate_log")" "^$(printf %04d $((newest + 1))) +newer +1/2 +9\.8\.7" "and in its table"
is "$(schema_dump)" "$before" "nothing was changed"
books "DELETE FROM schema_migrations WHERE number > $newest"

# A released file that was changed afterwards, as the database sees it.
books "UPDATE schema_migrations SET sha256 = REPEAT('b', 64) WHERE number = 2"
migrate
is "$?" 65 "a changed migration is refused"
like "$(<"$migrate_log")" "0002-create-jobs\.sql is not the 0002-create-jobs\.sql that version $version applied" "the file is named"
migrate --status --json
is "$(jq -r '.state + " " + .migrations[1].state' "$migrate_log")" "changed changed" "--status knows which"
books "DELETE FROM schema_migrations WHERE number = 2"
migrate
is "$?" 65 "a gap in the books is refused"
like "$(<"$migrate_log")" "has migration 0003 but not 0002" "and named"

# A database of somebody else's, with a table of the same name.
migrate_forget
mariadb_sql -e "CREATE DATABASE sendense; CREATE TABLE sendense.backup_jobs (id INT)"
migrate
is "$?" 65 "tables of somebody else are refused"
like "$(<"$migrate_log")" "holds 1 tables that are not from sendense-migrate" "and it says why"

# The books are not what the program writes into them: a repeated name is not passed over, and neither is a row
# that is not there.
spoil_books() { # ASSIGNMENT: to what is inserted
    migrate_forget
    mariadb_sql -e "CREATE DATABASE sendense CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    books "$(<"$SENDENSE_SRC/sql/0000-create-migrations.sql")"
    books "CREATE TRIGGER spoil BEFORE INSERT ON schema_migrations FOR EACH ROW SET $1"
}
spoil_books "NEW.name = 'twice'"
migrate
is "$?" 1 "a name that is in the books already is a failure"
like "$(<"$migrate_log")" "Cannot write to schema_migrations: .*Duplicate entry 'twice'" "and told"
is "$(mariadb_sql -e "SHOW TABLES FROM sendense LIKE 'backup_jobs'")" "" "nothing of that migration was applied"
spoil_books "NEW.number = NEW.number + 1000"
migrate
is "$?" 65 "a row that is not there is a failure"
like "$(<"$migrate_log")" "0001-create-catalog\.sql, line [0-9]+, failed: schema_migrations has no row for number 1;" \
    "after one statement"

# A user of the same name who logs in by password.
migrate_forget
mariadb_sql -e "CREATE USER nobody@localhost IDENTIFIED BY 'pw'"
migrate
is "$?" 65 "a user with a password is refused"
like "$(<"$migrate_log")" "user nobody that does not log in by unix_socket" "and named"
migrate_forget

# Wrong command lines, configs, users.
migrate --jsn
is "$?" 64 "an unknown option is a usage error"
migrate extra
is "$?" 64 "so is an argument"
migrate --json
is "$?" 64 "--json alone too"
printf '[Database]\nUser=root\n' >"$TEST_TMP/bad.conf"
"$migrate_program" --config="$TEST_TMP/bad.conf" >"$migrate_log" 2>&1
is "$?" 78 "MariaDB's root as the hub's user is a wrong config"
like "$(<"$migrate_log")" 'bad\.conf:2: \[Database\] User=: .*administrator' "file, line and key are named"
"$migrate_program" --config="$TEST_TMP/none.conf" >"$migrate_log" 2>&1
is "$?" 78 "a config that is not there is wrong"
mariadb_as_nobody "$migrate_program" --config="$TEST_TMP/hub.conf" >"$migrate_log" 2>&1
is "$?" 77 "only root may"
like "$(<"$migrate_log")" "must run as root" "and it says so"

# The man page has what the program has.
man_page=$SENDENSE_SRC/docs/man/sendense-migrate.8
is "$(sed -n '/^\.SH OPTIONS/,/^\.SH EXIT/p' "$man_page" | sed 's/\\-/-/g' | grep -oE -- '--[a-z]+' | sort -u)" \
    "$("$migrate_program" --help | grep -oE -- '--[a-z]+' | sort -u)" "the man page has the options of --help"
is "$(sed -n '/^\.SH EXIT/,/^\.SH FILES/p' "$man_page" | sed -nE 's/^\.B ([0-9]+)$/\1/p' | paste -sd' ')" "0 1 64 65 75 77 78" \
    "and every exit status"
is "$(man -l --warnings "$man_page" 2>&1 >/dev/null)" "" "and is well-formed"
is "$(grep -cE '^Restart|^PartOf=mariadb' "$SENDENSE_SRC/units/sendense-migrate.service")" 1 \
    "the unit leaves the next attempt to MariaDB's next start"

# MariaDB frozen, gone.
migrate_config 300ms 2s 1s
mariadb_freeze
start=${EPOCHREALTIME/[.,]/}
migrate
is "$?" 75 "a frozen server is a reason to try again"
ok "and is noticed soon" test $((${EPOCHREALTIME/[.,]/} - start)) -lt 8000000
mariadb_thaw
mariadb_stop
migrate
is "$?" 75 "so is one that is not there"
like "$(<"$migrate_log")" "$mariadb_socket.*is mariadb.service running" "the socket and the remedy are named"
done_testing
