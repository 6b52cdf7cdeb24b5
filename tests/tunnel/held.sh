#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A session that is not read from, because connections that take nothing hold as much as they may, for longer than the hub bears silence:
# the hub keeps it, and somebody who reads slowly is not closed with those that do not read at all.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
# lost SEC: whether a session is lost within the time. The hub takes 24 s to give somebody up who is silent.
lost() { in_node "timeout $1 journalctl -q -f -n 0 -o cat -u sendense-tunnel | grep -q -m 1 'is lost'"; }
connections() { tunnel_status | sed -nE 's/.*; ([0-9]+) connections.*/\1/p'; }
connections_are() { [ "$(connections)" = "$1" ]; }
node_config "Sessions=1
HoldSec=60s"
tunnel_up
echo_server 10110
works "an echo"
for file in deaf flood; do
    for machine in node hub; do
        require "$file.py is there" lab copy-in "$machine" "$SENDENSE_SRC/tests/tunnel/$file.py" "/srv/$file.py"
    done
done
server 10115 python3 /srv/flood.py 10115
node systemd-run --quiet --unit=deaf --service-type=exec -- python3 /srv/deaf.py 10115 20
ok "twenty that never read come" eventually "$patience_sec" connections_are 20 || diag "$(tunnel_status)"
not_ok "their session is not lost while nothing is read from it" lost 40
diag "$(tunnel_status)" "$(node journalctl -q -o cat -u sendense-tunnel -n 4)"
ok "and they are still there" connections_are 20
node systemctl stop deaf
ok "they go" eventually "$patience_sec" connections_are 0 || diag "$(tunnel_status)"
works "afterwards"
node systemctl stop sendense-tunnel.service sendense-tunnel.socket

# 60 KB in a second: poll() tells only every 20 s that there is room for more.
node_config "Sessions=1
HoldSec=10s"
tunnel_up
works "an echo again"
node systemd-run --quiet --unit=slow --service-type=exec -- bash -c \
    'exec 3<>/dev/tcp/127.0.0.1/10115; while head -c 60000 <&3 | wc -c >/run/slow && [ "$(</run/slow)" -gt 0 ]; do sleep 1; done'
node systemd-run --quiet --unit=deaf --service-type=exec -- python3 /srv/deaf.py 10115 20
ok "one that reads slowly, and twenty that do not" eventually "$patience_sec" connections_are 21 || diag "$(tunnel_status)"
closed() { node journalctl -q -o cat -u sendense-tunnel | grep 'have taken nothing for 10 s' >/dev/null; }
ok "some are closed" eventually "$patience_sec" closed || diag "$(tunnel_status)"
slow=$(node systemctl show --value -p MainPID slow)
not_ok "but not the one that reads" in_node "timeout 25 tail --pid=$slow -f /dev/null"
ok "it reads on" node systemctl is-active -q slow
done_testing
