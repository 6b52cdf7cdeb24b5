#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub's database worker against a server that is well: transactions, order, bounds, deadlocks, and a
# schema that changes under it.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store.bash"
nodes() { mariadb_sql sendense -e "SELECT name FROM nodes ORDER BY id" | paste -sd' '; }

mariadb_start "$TEST_TMP/db" || exit 1
# Longer than what waits here on purpose.
migrate_config 300ms 20s
newest=$(sed -nE 's/^#define SQL_SCHEMA_NEWEST UINT32_C\(([0-9]+)\)/\1/p' "$SENDENSE_BUILD/busd/hub/store/sql-schema.h")

# Before the first migration there is neither user nor database.
store_start
expect 30 "^status schema-older 0 .*Access denied.*sendense-migrate\.service makes the database sendense and the user nobody" \
    "a server that does not know us yet is told from one that is gone"
store_say "run SELECT 1"
expect 30 "^refused run SELECT 1: ENOTCONN" "work is refused meanwhile"
store_say probe
expect 30 "^probed: EACCES, schema-older" "a probe says the same"
require "the migrations apply" migrate
expect 30 "^status ready $newest \$" "it is ready by itself ($newest)"

# Transactions.
insert="INSERT INTO nodes (name, reverse_port, created_usec) VALUES"
store_say "run $insert ('a', 1, 1), ('b', 2, 1)"
expect 30 "^done run .*: ok, 1 attempts" "work is done"
is "$(nodes)" "a b" "and committed"
store_say "spoil $insert ('c', 3, 1)"
expect 30 "^done spoil .*: EINVAL, 1 attempts" "work that fails gives its error"
is "$(nodes)" "a b" "and is rolled back"
store_say "run $insert ('a', 3, 1)"
expect 30 "^done run .*: EEXIST, 1 attempts" "a UNIQUE constraint is -EEXIST"
store_say "run $insert ('c', 0, 1)"
expect 30 "^done run .*: EINVAL, 1 attempts" "a CHECK is -EINVAL"
store_say "run DROP TABLE nodes"
expect 30 "^done run .*: EACCES, 1 attempts" "what the user may not do is -EACCES"
store_say "again"
expect 30 "^done again: EAGAIN, 5 attempts" "a transaction is tried five times and no more"
ok "the connection survived all of it" test "$(grep -c '^status' "$store_log")" -le 2

# A bounded queue, in order.
store_say "run SELECT SLEEP(1.5)"
store_say fill
expect 30 "^full: 1023 more, then EBUSY" "the queue has a bound"
store_say probe
expect 30 "^refused probe: EBUSY" "for probes too"
expect 30 "^filled: 1023 answered, 0 wrong" "all are answered, in the order they came"
store_say probe
expect 30 "^probed: ok, ready" "and there is room again"

# A real deadlock, in which the other side is the heavier one.
mariadb_sql sendense -e "INSERT INTO nodes (name, reverse_port, created_usec) SELECT CONCAT('n', seq), seq, 1 FROM seq_10_to_60"
mkfifo "$TEST_TMP/other"
mariadb --no-defaults --socket="$mariadb_socket" -N --unbuffered sendense <"$TEST_TMP/other" >"$TEST_TMP/other.out" 2>&1 9>&- &
other=$!
exec 8>"$TEST_TMP/other"
echo "START TRANSACTION; UPDATE nodes SET created_usec = 5 WHERE id > 1; SELECT 'locked';" >&8
ok "somebody else holds a row" eventually 30 grep -q locked "$TEST_TMP/other.out"
store_say both
ok "the work waits for it" eventually 30 sh -c \
    "mariadb --no-defaults --socket='$mariadb_socket' -N -e 'SELECT trx_state FROM information_schema.INNODB_TRX' | grep -q 'LOCK WAIT'"
echo "UPDATE nodes SET created_usec = 5 WHERE id = 1; SELECT 'both'; COMMIT;" >&8
ok "the other one wins" eventually 30 grep -q both "$TEST_TMP/other.out"
exec 8>&-
wait "$other"
expect 30 "^done both: ok, [2-5] attempts" "the loser of a deadlock is run again, and succeeds"
is "$(mariadb_sql sendense -e 'SELECT created_usec FROM nodes WHERE id <= 2' | paste -sd' ')" "6 6" "with the effect of one run"

# The schema changes under a running hub.
store_now
mariadb_sql sendense -e "INSERT INTO schema_migrations VALUES ($((newest + 1)), 'x', REPEAT('a', 64), 1, 1, '9.8.7', 1, 1)"
expect 30 "^status schema-newer $((newest + 1)) .*schema $((newest + 1)) of version 9\.8\.7, this hub knows schema $newest and is version" \
    "a newer schema is refused, and both versions named"
store_say "run SELECT 1"
expect 30 "^refused run SELECT 1: ENOTCONN" "no work on it"
store_now
mariadb_sql sendense -e "DELETE FROM schema_migrations WHERE number > $newest"
expect 30 "^status ready $newest" "it is looked at again"
store_now
mariadb_sql sendense -e "UPDATE schema_migrations SET statements_done = 0, finished_usec = NULL WHERE number = $newest"
expect 30 "^status schema-older $((newest - 1)) .*schema $((newest - 1)), this hub needs schema $newest" "a half migration is an older schema"
store_now
require "it is migrated" migrate
expect 30 "^status ready $newest" "and used again"

store_say gap
expect 30 "^gap: [0-9]+ ms" "the loop answers"
ok "the loop was never held up" test "$(sed -nE 's/^gap: ([0-9]+) ms/\1/p' "$store_log")" -lt 1400
store_say "run SELECT SLEEP(9)"
store_say "run SELECT 2"
store_say free
expect 30 "^after its end: ECANCELED, ECANCELED" "who comes after its end is told"
expect 30 "^freed: [0-9]+ ms" "it can be ended"
wait "$store_pid"
is "$?" 0 "and leaves with success"
ok "in the middle of a query, at once" test "$(sed -nE 's/^freed: ([0-9]+) ms/\1/p' "$store_log")" -lt 5000
is "$(grep -cE '^done run SELECT (SLEEP\(9\)|2): ECANCELED' "$store_log")" 2 "what was open is cancelled"
done_testing
