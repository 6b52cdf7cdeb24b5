#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-migrate is killed before, in and after each of its statements, and MariaDB is killed under
# it: the next run must always end with the same tables, the same rights and every row once.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"

export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/faults
mkdir "$SENDENSE_FAULT_POINT_DIR"

# All that must be the same: tables, rights, rows made by migrations, and how much of each is done.
state() {
    schema_dump
    mariadb_sql sendense -e "SHOW GRANTS FOR nobody@localhost; SELECT id, name, path FROM backup_repositories;
        SELECT number, name, sha256, statements, statements_done FROM schema_migrations" | LC_ALL=C sort
}

mariadb_start "$TEST_TMP/db" || exit 1
migrate_config 300ms 60s # a busy server is slow, and no loss
: >"$SENDENSE_FAULT_POINT_DIR/hits"
migrate_now=$migrate_faulty
require "the program with fault points works" migrate
want=$(state)
hits=$(cut -d' ' -f1,2 "$SENDENSE_FAULT_POINT_DIR/hits")
rm "$SENDENSE_FAULT_POINT_DIR/hits"
migrate_now=$migrate_program
ok "there are enough places to die at" test "$(wc -l <<<"$hits")" -ge 40
n_statements=$(grep -c '^migrate.statement.before ' <<<"$hits")

n=0
bad=
while read -r point hit; do
    # Before a statement is the same as after the count of the one before it; one table is like another.
    case $point:$hit in
    migrate.statement.before:1 | migrate.grant.after:[159]) ;;
    migrate.statement.before:* | migrate.grant.after:*) continue ;;
    esac
    migrate_forget
    # The shell's own remark about the killed program is of no interest.
    { migrate_now=$migrate_faulty SENDENSE_FAULT_POINT=$point:$hit:kill migrate; } 2>/dev/null
    rc=$?
    [ "$rc" -eq 137 ] || bad+=$'\n'"$point:$hit was not killed but ended with $rc: $(<"$migrate_log")"
    migrate || bad+=$'\n'"the run after $point:$hit failed: $(<"$migrate_log")"
    [ "$(state)" = "$want" ] || bad+=$'\n'"after $point:$hit: $(diff <(echo "$want") <(state))"
    n=$((n + 1))
done <<<"$hits"
is "$bad" "" "killed at each of $n places, the next run ends the same"

# The same with a dying server; the program is held between the statement and its count.
# A server that is killed takes a moment to come back, so every third statement must do.
bad=
for ((hit = 1; hit <= n_statements; hit += 3)); do
    migrate_forget
    # Started directly, so that $! is the program itself.
    SENDENSE_FAULT_POINT=migrate.statement.after:$hit:stop "$migrate_faulty" --config="$TEST_TMP/hub.conf" \
        >"$migrate_log" 2>&1 &
    pid=$!
    eventually 30 grep -q '^State:.*stopped' "/proc/$pid/status" || bad+=$'\n'"$hit: was not held"
    mariadb_kill
    kill -CONT "$pid"
    wait "$pid"
    rc=$?
    [ "$rc" -eq 75 ] || bad+=$'\n'"$hit: ended with $rc when the server died: $(<"$migrate_log")"
    mariadb_start "$TEST_TMP/db" || break
    migrate || bad+=$'\n'"$hit: the next run failed: $(<"$migrate_log")"
    [ "$(state)" = "$want" ] || bad+=$'\n'"$hit: $(diff <(echo "$want") <(state))"
done
is "$bad" "" "when the server dies it says 75, and the next run ends the same"

# A server that freezes in the middle of a run.
migrate_forget
migrate_config 300ms 2s 3s
SENDENSE_FAULT_POINT=migrate.statement.before:5:stop "$migrate_faulty" --config="$TEST_TMP/hub.conf" \
    >"$migrate_log" 2>&1 &
pid=$!
ok "held before a statement" eventually 30 grep -q '^State:.*stopped' "/proc/$pid/status"
mariadb_freeze
kill -CONT "$pid"
start=${EPOCHREALTIME/[.,]/}
wait "$pid"
is "$?" 75 "a server that freezes under it is a reason to try again"
ok "and is noticed soon" test $((${EPOCHREALTIME/[.,]/} - start)) -lt 10000000
like "$(<"$migrate_log")" "0001-create-catalog\.sql, line [0-9]+, failed: .*does not answer|0001-create-catalog\.sql, line [0-9]+, failed: .*handshake" \
    "the line says where it was"
mariadb_thaw
migrate
is "$(state)" "$want" "and the next run ends the same"

# A statement that takes longer than every time limit is no fault while the server is alive.
migrate_forget
migrate_config
SENDENSE_FAULT_POINT=migrate.statement.before:9:stop "$migrate_faulty" --config="$TEST_TMP/hub.conf" \
    >"$migrate_log" 2>&1 &
pid=$!
ok "held before a statement" eventually 30 grep -q '^State:.*stopped' "/proc/$pid/status"
mkfifo "$TEST_TMP/hold"
mariadb --no-defaults --socket="$mariadb_socket" -N --unbuffered <"$TEST_TMP/hold" >"$TEST_TMP/held" &
holder=$!
exec 8>"$TEST_TMP/hold"
echo "BACKUP STAGE START; BACKUP STAGE BLOCK_DDL; SELECT 'held';" >&8
ok "definitions are blocked" eventually 30 test -s "$TEST_TMP/held"
kill -CONT "$pid"
ok "it waits behind them" eventually 30 sh -c "mariadb --no-defaults --socket='$mariadb_socket' -N -e 'SHOW PROCESSLIST' | grep -q 'Waiting for backup lock'"
exec 8>&-
wait "$holder"
wait "$pid"
is "$?" 0 "and goes on" || diag "$(<"$migrate_log")"
done_testing
