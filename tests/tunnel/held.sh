#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A session that is not read from, because connections that take nothing hold as much as they may, for longer than the hub bears silence:
# the hub hears of it and keeps it.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
connections() { tunnel_status | sed -nE 's/.*; ([0-9]+) connections.*/\1/p'; }
connections_are() { [ "$(connections)" = "$1" ]; }
sessions() { hub journalctl -q -o cat -u sendense-sshd | grep -c 'Accepted publickey'; }
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
done_testing
