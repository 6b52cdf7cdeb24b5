#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# While something is missing: what can go on goes on, in the same process, and nothing is tried in a tight loop.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up 443 "HoldSec=5s"
node install -D -m 644 /dev/stdin /run/systemd/system/sendense-tunnel.service.d/90-test.conf <<<"[Service]
TimeoutStartSec=10s
WatchdogSec=10s"
require "its limits are short here" node systemctl daemon-reload
require "the node" node systemctl start sendense-node.service
echo_server 10110
counted() { node busctl --json=short get-property com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager Tunnel | jq -r ".data.$1.data"; }
counted_is() { [ "$(counted "$1")" = "$2" ]; }
main_pid() { node systemctl show --value -p MainPID sendense-tunnel.service; }
state() { node systemctl show --value -p ActiveState sendense-tunnel.service; }
state_is() { [ "$(state)" = "$1" ]; }

# ── A stranger has the reverse port ──
server 9081 socat TCP4-LISTEN:9081,bind=127.0.0.1,fork EXEC:cat
require "the sockets of the tunnel" node systemctl start sendense-tunnel.socket
one_way() { [[ $(tunnel_status) == *"by 3 of 4 sessions, without the way back (the hub does not let this node listen on its 127.0.0.1:9081)"* ]]; }
ok "the socket has the tunnel started; without the way back it says so" eventually "$patience_sec" one_way || diag "$(tunnel_status)"
first=$(main_pid)
is "$(state)" activating "it is not ready"
ok "the node tells it, too" eventually "$patience_sec" counted_is State one-way || diag "$(counted State)"
is "$(counted WayBack)" false "and that there is no way back"
like "$(counted Error)" 'does not let this node listen on its 127\.0\.0\.1:9081' "and why"
node systemd-run --quiet --unit=talk --service-type=exec -p StandardOutput=truncate:/srv/talk -- bash -c \
    '{ for ((i = 0; i < 150; i++)); do echo "$i"; sleep 0.1; done; } | socat -t 60 - TCP4:127.0.0.1:10110'
talked() { [ "$(node cat /srv/talk | tail -n 1)" = 149 ]; }
ok "who talks for longer than a start may take is not cut" eventually "$patience_sec" talked || diag "$(node cat /srv/talk | tail -n 2)"
is "$(main_pid) $(state)" "$first activating" "it is the same process, which is not ready yet"
hub systemctl stop server-9081
ok "the stranger is gone: all sessions stand" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"
ok "it is ready" eventually "$patience_sec" state_is active
ok "the node tells it, too" eventually "$patience_sec" counted_is State connected
is "$(main_pid) $(counted Error) $(counted WayBack)" "$first  true" "in the same process, and nothing is wrong"
like "$(tunnel_status)" 'by 4 of 4 sessions; [0-9]+ connections, [0-9]+\.[0-9] MB/s up, [0-9]+\.[0-9] MB/s down$' "it tells counts and rates"

# ── It hangs ──
node kill -STOP "$first"
another() { [ "$(main_pid)" != "$first" ] && all_sessions; }
ok "one that hangs is ended and started again" eventually "$patience_sec" another || diag "$(tunnel_status)"
like "$(node journalctl -q -o cat -u sendense-tunnel)" 'Watchdog timeout' "by its watchdog"

# ── Sessions that are cut right after each login ──
logins() { hub journalctl -q -o cat -u sendense-sshd | grep -c 'Accepted publickey'; }
before=$(logins)
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'end=$((SECONDS + 8)); while [ "$SECONDS" -lt "$end" ]; do pids=$(pgrep -u sendense-tunnel -x sshd) && kill $pids; sleep 0.05; done'
n=$(($(logins) - before))
diag "$n logins in 8 s"
ok "it waits longer and longer before the next" test "$n" -ge 4 -a "$n" -le 28
ok "and comes back" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"
ok "it has counted them" test "$(counted Reconnects)" -ge 4

works "at the end"
done_testing
