#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The tunnel comes back without a hand, whatever ended it, and what was connected while it was away is held for a while and then
# closed, never left hanging. sshd alone is needed for it: hub and database do not run here at all.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up 443 "HoldSec=60s"
tunnel_up
ok "all sessions stand" eventually "$patience_sec" all_sessions
echo_server 10110
works "at first"
disk_servers
first=$(node systemctl show --value -p MainPID sendense-tunnel.service)

hub systemctl restart sendense-sshd
back "sshd started anew"

# A connection that comes while sshd is down waits for it.
hub systemctl stop sendense-sshd
ok "without sshd there is no session" eventually "$patience_sec" no_session
says_refused() { [[ $(tunnel_status) =~ 'hub (10.99.'[0-9.]+') port 443: Connection refused' ]]; }
ok "and it says why" eventually "$patience_sec" says_refused || diag "$(tunnel_status)"
node systemd-run --quiet --unit=waits --service-type=exec -p StandardOutput=file:/tmp/waited -- bash -c 'echo patience | socat -t 60 - TCP4:127.0.0.1:10110'
hub systemctl start sendense-sshd
waited() { [ "$(node cat /tmp/waited)" = patience ]; }
ok "one that waits is served when sshd is back" eventually "$patience_sec" waited || diag "$(node cat /tmp/waited)" "$(tunnel_status)"
back "sshd stopped and started"

hub bash -c 'kill -KILL $(systemctl show --value -p MainPID sendense-sshd)'
back "sshd killed"

lab link node down
in_node 'echo | timeout 2 socat -t 1 - TCP4:127.0.0.1:10110' >/dev/null
lab link node up
back "the cable pulled and put back"

# Packets that vanish: nobody is told, and it is noticed all the same.
lab drop node on
begin=${EPOCHREALTIME/[.,]/} # what it takes to enter the machine is no silence
ok "silence is noticed" eventually 90 no_session
# ms_until MACHINE PATTERN: from the silence to each such line of the journal.
ms_until() {
    on "$1" journalctl --quiet --sync
    lab journal "$1" --quiet -o json --since "@${begin::10}" |
        jq -rs --arg pattern "$2" --argjson begin "$begin" 'map(select((.MESSAGE | strings | test($pattern)) and (.__REALTIME_TIMESTAMP | tonumber) >= $begin)) |
            map(((.__REALTIME_TIMESTAMP | tonumber) - $begin) / 1000 | floor) | map(tostring) | join(" ")'
}
ms=$(ms_until node 'Link [0-9] to the hub is lost: the hub says nothing any more')
diag "noticed by the node after $ms ms"
ok "within 30 s" test "${ms##* }" -le 30000
let_go() { [ "$(hub ss -Htn state established 'sport = 443' | wc -l) $(hub ss -Hltn 'sport = 9081' | wc -l)" = "0 0" ]; }
ok "the hub lets the sessions and the reverse port go" eventually 90 let_go
ms=$(ms_until hub 'Timeout, client not responding')
diag "noticed by the hub after $ms ms"
ok "within 30 s, too" test "${ms##* }" -le 30000
lab drop node off
back "a line that was silent"

require "the hub's sshd starts with it" hub systemctl enable sendense-sshd
lab reboot hub
echo_server 10110
disk_servers
back "the hub rebooted"
is "$(node systemctl show --value -p MainPID sendense-tunnel.service)" "$first" "it was one process all the time"

lab crash node
ok "after a power cut the node's tunnel comes by itself" eventually 90 all_sessions || diag "$(tunnel_status)"
works "a node that lost its power"

# One that waits too long is closed.
node_config "HoldSec=5s"
tunnel_up
hub systemctl stop sendense-sshd
ok "without sshd there is no session again" eventually "$patience_sec" no_session
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_node 'before=$SECONDS; timeout 60 socat -u TCP4:127.0.0.1:10110 - ; echo "rc $? $((SECONDS - before >= 4 && SECONDS - before <= 10))"')" "rc 0 1" \
    "a connection is held, then closed"
done_testing
