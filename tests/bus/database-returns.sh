#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub answers while its database is away, comes, hangs and comes back, and tells of each.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"

# MariaDB knows a user by his uid and lets the hub in as no administrator, so it runs as nobody, who may own the
# name on this bus.
cat >"$TEST_TMP/nobody.conf" <<'CONF'
<busconfig>
  <policy user="nobody"><allow own="com.sendense.Hub1"/></policy>
</busconfig>
CONF
private_bus_start "$hub_policy" "$TEST_TMP/nobody.conf" || exit 1
database=$private_bus_dir/mariadb
hub_database=$database/mysqld.sock
# Probes wait for ConnectTimeoutSec=: long enough for 17 of them to arrive on a busy machine.
hub_config 'User=nobody' 'ConnectTimeoutSec=8s' 'QueryTimeoutSec=10s'
hub_start "${nobody[@]}" || exit 1
owner=$(hub_owner)
ok "no MariaDB: degraded" eventually 30 hub_property_is State 's "degraded"'

gdbus monitor --system --dest "$hub_name" --object-path "$hub_path" >"$TEST_TMP/signals" 2>&1 &
monitor=$!
at_end "kill $monitor"
require "a listener is there" eventually 30 grep -q 'is owned by' "$TEST_TMP/signals"
announced() { grep -q "{'$1': <'$2'>}" "$TEST_TMP/signals"; }

# It comes, without our tables.
mariadb_start "$database" || exit 1
mariadb_sql -e "CREATE DATABASE sendense; CREATE USER nobody@localhost IDENTIFIED VIA unix_socket;
    GRANT CREATE, SELECT ON sendense.schema_migrations TO nobody@localhost"
ok "empty database: schema-older, by itself" eventually 30 hub_property_is DatabaseState 's "schema-older"'
is "$(hub_get State)" 's "degraded"' "and the hub is degraded"
like "$(hub_get DatabaseError)" 'migrat' "the error tells what is missing"

# The tables come.
ok "migrations are applied" "$SENDENSE_BUILD/helpers/migrate/sendense-migrate" --config="$TEST_TMP/hub.conf"
ok "the database is ready, by itself" eventually 30 hub_property_is DatabaseState 's "ready"'
is "$(hub_get State)" 's "running"' "the hub is running"
is "$(hub_get DatabaseSchema)" "$(hub_get ProgramSchema)" "with the schema of the program"
is "$(hub_get DatabaseError)" 's ""' "and no error"
ok "both are announced" eventually 30 announced State running
ok "both are announced: the database" eventually 30 announced DatabaseState ready
is "$(hub_call ProbeDatabase 'a{sv}' 0)" 's "ready"' "a probe says ready"

# It hangs. Probes wait for it, the hub does not; of 17 probes at once the last to come is refused.
mariadb_freeze
probes=()
for _ in {1..17}; do
    busctl --system --timeout=30 call "$hub_name" "$hub_path" "$hub_manager" ProbeDatabase 'a{sv}' 0 \
        >>"$TEST_TMP/probes" 2>&1 &
    probes+=($!)
done
n_refused() { grep -c '16 probes of the database are under way' "$TEST_TMP/probes"; }
one_refused() { [ "$(n_refused)" -eq 1 ]; }
ok "frozen: 16 probes wait, one more is refused at once" eventually 20 one_refused
like "$(timeout 20 busctl --system call "$hub_name" "$hub_path" "$hub_manager" GetStatus 'a{sv}' 0)" '"State"' \
    "frozen: the hub answers, and waits for nothing"
ok "frozen: the state becomes unreachable" eventually 60 hub_property_is DatabaseState 's "unreachable"'
ok "frozen: it is announced" eventually 30 announced State degraded
like "$(cat "$hub_log")" 'Database unreachable: ' "frozen: the journal says so"
mariadb_thaw
wait "${probes[@]}"
is "$(grep -cE '^s "(unreachable|ready)"$' "$TEST_TMP/probes") $(n_refused)" "16 1" \
    "16 probes were answered with a state, one was refused"
ok "thawed: ready again" eventually 30 hub_property_is DatabaseState 's "ready"'
is "$(hub_owner)" "$owner" "without a restart"

# It hangs again, and the hub shall end.
mariadb_freeze
busctl --system call "$hub_name" "$hub_path" "$hub_manager" ProbeDatabase 'a{sv}' 0 >"$TEST_TMP/probe" 2>&1 &
probe=$!
like "$(hub_call GetStatus 'a{sv}' 0)" '"State"' "frozen again: the hub answers"
began=${EPOCHREALTIME/[.,]/}
hub_stop
rc=$?
took=$((${EPOCHREALTIME/[.,]/} - began))
is "$rc" 0 "SIGTERM with a frozen database: status 0"
# At worst it is just connecting, for ConnectTimeoutSec=8s; a client library without limits waits for ever.
diag "SIGTERM with a frozen database: gone after $took us"
wait "$probe"
mariadb_thaw
done_testing
