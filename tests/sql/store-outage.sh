#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# MariaDB stopped, killed, frozen and started again under the hub's database worker: the loop goes on all
# the while, each loss is told once, and the worker is back within 5 s by itself.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store.bash"

mariadb_start "$TEST_TMP/db" || exit 1
# At first no probe comes in time, so that what is noticed is noticed by the socket alone.
migrate_config 60s 20s
require "the migrations apply" migrate
mariadb_stop

store_start
expect 30 "^status unreachable 0 MariaDB at $mariadb_socket: .*is mariadb\.service running" "a server that is not there is named with its remedy"
store_say probe
expect 30 "^probed: ENOTCONN, unreachable" "a probe says the same"
store_now
mariadb_start "$TEST_TMP/db" || exit 1
expect 30 "^status ready" "it is found when it comes"

store_now
mariadb_stop
expect 30 "^status unreachable" "a server that is stopped is noticed while idle, without a query"
store_say "run SELECT 1"
expect 30 "^refused run SELECT 1: ENOTCONN" "work is refused at once"
# The pauses between attempts grow to a second and not beyond: without that bound the 13th comes after three minutes, and with it after ten seconds.
socat UNIX-LISTEN:"$mariadb_socket",fork,unlink-early SYSTEM:"echo attempt >>$TEST_TMP/attempts" 2>/dev/null 9>&- &
counter=$!
at_end 'kill "$counter" 2>/dev/null || :'
attempts_are() { [ "$(wc -l <"$TEST_TMP/attempts")" -ge "$1" ]; }
ok "it goes on trying every second" eventually 60 attempts_are 13
kill "$counter"
store_now
mariadb_start "$TEST_TMP/db" || exit 1
expect 30 "^status ready" "it is back by itself after the start"
diag "after $store_msec ms"

store_say "run SELECT SLEEP(9)"
ok "a query runs" eventually 30 sh -c \
    "mariadb --no-defaults --socket='$mariadb_socket' -N -e 'SHOW PROCESSLIST' | grep -q 'SLEEP(9)'"
mariadb_kill
expect 30 "^done run SELECT SLEEP\(9\): ENOTCONN" "a server that dies in a query ends it"
expect 30 "^status unreachable" "and is noticed"
store_now
mariadb_start "$TEST_TMP/db" || exit 1
expect 30 "^status ready" "it is back by itself after the start"

# An administrator's KILL ends the connection, not the service.
store_now
mariadb_sql -e "KILL USER nobody"
expect 30 "^status ready|^status unreachable" "a connection that is killed is noticed"
ok "and made again" eventually 30 sh -c "tail -n 1 '$store_log' | grep -q '^status ready'"

store_say free
expect 30 "^freed: [0-9]+ ms" "it can be ended"

# Frozen: idle, in a query, and when it is asked for. A probe has a shorter limit than a query.
migrate_config 300ms 8s 3s
store_start
expect 30 "^status ready" "another one, which probes often"
before=$(store_states)
store_say gap
store_now
mariadb_freeze
expect 30 "^status unreachable 0 .*does not answer" "a frozen server is noticed while idle"
diag "after $store_msec ms"
store_say probe
expect 30 "^probed: (ETIMEDOUT|ENOTCONN), unreachable" "a probe comes back with an answer too"
store_now
mariadb_thaw
expect 30 "^status ready" "it is back by itself after the thaw"
diag "after $store_msec ms"
is "$(store_states)" "$before unreachable ready" "one loss, one return"

store_say "run SELECT SLEEP(6)"
ok "a query runs" eventually 30 sh -c \
    "mariadb --no-defaults --socket='$mariadb_socket' -N -e 'SHOW PROCESSLIST' | grep -q 'SLEEP(6)'"
mariadb_freeze
expect 30 "^done run SELECT SLEEP\(6\): ETIMEDOUT" "a server that freezes in a query ends it by the time limit"
expect 30 "^status unreachable" "and is noticed"
store_now
mariadb_thaw
expect 30 "^status ready" "it is back by itself after the thaw"
store_now
store_say gap
expect 30 "^gap: [0-9]+ ms" "the loop answers"
ok "it was never held up" test "$(sed -nE 's/^gap: ([0-9]+) ms/\1/p' "$store_log" | tail -n 1)" -lt 2500

# Ending while the server is silent: in a query, and while connecting.
store_say "run SELECT SLEEP(6)"
ok "a query runs" eventually 30 sh -c \
    "mariadb --no-defaults --socket='$mariadb_socket' -N -e 'SHOW PROCESSLIST' | grep -q 'SLEEP(6)'"
mariadb_freeze
store_say free
expect 30 "^freed: [0-9]+ ms" "it ends in the middle of a query of a frozen server"
ok "without its limit of 8 s" test "$(sed -nE 's/^freed: ([0-9]+) ms/\1/p' "$store_log")" -lt 4000
wait "$store_pid"
is "$?" 0 "with success"
ok "its work is cancelled" grep -q "^done run SELECT SLEEP(6): ECANCELED" "$store_log"

exec 9>&-
store_start
store_say probe
store_say free
expect 30 "^freed: [0-9]+ ms" "it ends while it connects to a frozen server"
ok "without it, too" test "$(sed -nE 's/^freed: ([0-9]+) ms/\1/p' "$store_log")" -lt 7000
done_testing
