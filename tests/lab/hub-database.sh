#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# MariaDB stops, freezes and comes back under a running hub: the hub answers the bus all the while, says what it
# lacks, and is back by itself within 5 s.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/hub-lab.bash"

hub_lab_up
hub_ready
pid=$(unit sendense-hub MainPID)
invocation=$(unit sendense-hub InvocationID)

not_active() { ! hub systemctl --quiet is-active "$1"; }

# A watcher asks the hub every 50 ms, from here to the end, and notes how long each answer took.
hub install -m 755 /dev/stdin /run/watcher <<'X'
#!/bin/bash
while [ ! -e /run/watcher.end ]; do
    begin=${EPOCHREALTIME/[.,]/}
    timeout 9 busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager State >/dev/null 2>&1
    echo "$? $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))"
    sleep 0.05
done >/run/watcher.log
X
hub systemd-run --quiet --unit=watcher /run/watcher

# Stopped.
hub systemctl stop mariadb
figure "a stopped MariaDB is noticed" "$(wait_prop "$patience_sec" DatabaseState 's "unreachable"')" 5000
is "$(prop State)" 's "degraded"' "the hub calls itself degraded"
like "$(prop DatabaseError)" '/run/mysqld/mysqld.sock' "the error names the socket"
like "$(unit sendense-hub StatusText)" '^degraded; database unreachable: ' "the status line says it too"
is "$(journal_count database-lost)" 1 "one line in the journal says it"
not_ok "sendensectl status ends with a failure" hub sendensectl status
like "$(hub sendensectl status 2>&1)" unreachable "and says why"
hub systemctl start mariadb
figure "ready after its start" "$(wait_prop "$patience_sec" DatabaseState 's "ready"')" 5000
is "$(journal_count database-ready)" 2 "the journal says that it is back"

# Frozen.
hub systemctl kill -s STOP mariadb
figure "a frozen MariaDB is noticed" "$(wait_prop "$patience_sec" DatabaseState 's "unreachable"')" 13000
is "$(journal_count database-lost)" 2 "the journal says it"
hub systemctl kill -s CONT mariadb
figure "ready after the thaw" "$(wait_prop "$patience_sec" DatabaseState 's "ready"')" 5000
is "$(unit sendense-hub MainPID) $(unit sendense-hub InvocationID)" "$pid $invocation" "all that in one process"

# The watcher's notes.
hub touch /run/watcher.end
ok "the watcher ends" eventually 30 not_active watcher
log=$(hub cat /run/watcher.log)
slowest=$(awk '{ print $2 }' <<<"$log" | sort -n | tail -n 1)
diag "the watcher asked $(wc -l <<<"$log") times, slowest answer $slowest ms"
ok "the watcher asked often" test "$(wc -l <<<"$log")" -ge 30
is "$(grep -vc '^0 ' <<<"$log")" 0 "every question was answered"
figure "the slowest answer" "$slowest" 1000
ok "and faster than a frozen MariaDB would let it be" test "$slowest" -lt 10000

done_testing
