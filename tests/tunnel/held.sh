#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A session that is not read from, because connections that take nothing hold as much as they may, for longer than the hub bears silence:
# the hub hears of it and keeps it. Those that take something are not closed, and a connection that comes meanwhile waits for them.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
connections() { tunnel_status | sed -nE 's/.*; ([0-9]+) connections.*/\1/p'; }
connections_are() { [ "$(connections)" = "$1" ]; }
sessions() { hub journalctl --quiet --sync && hub journalctl -q -o cat -u sendense-sshd | grep -c 'Accepted publickey'; }
node_config "Sessions=1
HoldSec=60s"
tunnel_up
echo_server 10110
works "an echo"
require "clients that never read are there" lab copy-in node "$SENDENSE_SRC/tests/tunnel/deaf.py" /srv/deaf.py
require "and somebody who talks" lab copy-in hub "$SENDENSE_SRC/tests/tunnel/flood.py" /srv/flood.py
server 10115 python3 /srv/flood.py 10115
before=$(sessions)

# sshd takes 24 s to give somebody up who is silent, and 5 more when he was heard just before.
ends() { in_hub 'timeout 40 journalctl -q -f -n 0 -o cat -u sendense-sshd | grep -m 1 "Timeout, client not responding"'; }
node systemd-run --quiet --unit=deaf --service-type=exec -- python3 /srv/deaf.py 10115 20
ok "twenty that never read come" eventually "$patience_sec" connections_are 20 || diag "$(tunnel_status)"
not_ok "the hub does not end their session while nothing is read from it" ends
ok "and they are still there" connections_are 20 || diag "$(tunnel_status)"
node systemctl stop deaf
ok "they go" eventually "$patience_sec" connections_are 0 || diag "$(tunnel_status)"
works "afterwards"
is "$(sessions)" "$before" "it is the same session"

# Three that read 25 KB in a second: poll() tells of it every half a minute.
node_config "Sessions=1
HoldSec=10s"
tunnel_up
works "an echo again"
require "clients that read by a timetable are there" lab copy-in node "$SENDENSE_SRC/tests/tunnel/reads.py" /srv/reads.py
# stands PORT: what has come from there is not read.
stands() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_node 'queued() { ss -Htn state established "dport = $1" | awk "{ print \$1 }"; }
        n=$(queued "$1"); sleep 0.3; [ "$n" -gt 0 ] && [ "$(queued "$1")" = "$n" ]' "$1"
}
# slowly UNIT SECONDS
slowly() {
    local second times=(0:4000000)
    for ((second = 1; second <= $2; second++)); do times+=("$second:25000"); done
    node systemd-run --quiet --unit="$1" --service-type=exec -- python3 /srv/reads.py 10115 3 65536 "${times[@]}"
}
slowly slow 45
closes() { in_node 'timeout 25 journalctl -q -f -n 0 -o cat -u sendense-tunnel | grep -m 1 "have taken nothing"'; }
not_ok "three that read slowly are not closed" closes
is "$(connections)" 3 "and they are still there"
ok "they go when they have read enough" eventually "$patience_sec" connections_are 0 || diag "$(tunnel_status)"
works "after them"

# Who comes to such a session has twice the time, because of the hub's answer nothing is seen.
slowly short 16
ok "three come, and their session is not read from" eventually "$patience_sec" stands 443
works "who came meanwhile, when they have gone"
node journalctl --quiet --sync
is "$(node journalctl -q -o cat -u sendense-tunnel | grep -c 'have taken nothing')" 0 "and nobody was closed for it"
done_testing
