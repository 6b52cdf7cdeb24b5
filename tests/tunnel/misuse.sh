#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a node's key is good for: its own forwards. Everything else is refused, and the attempt stands in the hub's journal.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
hub systemd-run --quiet --unit=secret --service-type=exec -- socat TCP4-LISTEN:3306,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:echo secret'
as_node() { # OPTION... : ssh with the node's key
    node timeout 30 ssh -i /etc/sendense/tunnel/key -p 443 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o ExitOnForwardFailure=yes "$@" 2>&1 </dev/null
}
journal() { hub journalctl --quiet --sync; lab journal hub --quiet -o cat -u sendense-sshd; }
journal_has() { grep -qE "$1" <<<"$(journal)"; }
told() { ok "$1" eventually "$patience_sec" journal_has "$2" || diag "$(journal | tail -n 20)"; } # NAME PATTERN

unlike "$(as_node -W 127.0.0.1:3306 sendense-tunnel@hub)" secret "another port of the hub: nothing comes"
told "and it is told" 'to connect to host 127\.0\.0\.1 port 3306, but the request was denied'
unlike "$(as_node -W node:22 sendense-tunnel@hub)" SSH "another host: nothing comes"
told "and it is told" 'to connect to host node port 22, but the request was denied'
unlike "$(as_node sendense-tunnel@hub id)" uid= "a command: it does not run"
unlike "$(as_node -tt sendense-tunnel@hub)" '[$#]' "a shell: there is none"
like "$(as_node -N -R 127.0.0.1:9082:127.0.0.1:8081 sendense-tunnel@hub)" 'forwarding failed' "another node's way back: refused"
told "and it is told" '9082, but the request was denied'
like "$(as_node -N -R 0.0.0.0:9081:127.0.0.1:8081 sendense-tunnel@hub)" 'forwarding failed' "the way back for everybody: refused"
like "$(as_node -N -R /tmp/way:127.0.0.1:8081 sendense-tunnel@hub)" 'forwarding failed|Warning: remote port forwarding' "a unix socket at the hub: refused"
for user in root sendense nobody; do
    unlike "$(as_node "$user@hub" id)" uid= "the user $user cannot log in"
done
told "and it is told" 'User root from .* not allowed'
node ssh-keygen -q -t ed25519 -N '' -f /root/strange
like "$(node timeout 30 ssh -i /root/strange -p 443 -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null sendense-tunnel@hub 2>&1)" 'Permission denied \(publickey\)' "a key that nobody added"
is "$(hub ss -Hltn | awk '{print $4}' | grep -vE '^(127\.|\[::1\]|10\.99.*%|0\.0\.0\.0:443$|\[::\]:443$|\*:443$)' | paste -sd' ')" "" "the hub listens on nothing else beyond loopback"

# A node that is not known any more cannot come back.
tunnel_up
nodes_are ""
hub systemctl restart sendense-sshd
refused() { [[ $(tunnel_status) == "Not connected"*"does not accept this node's key"* ]]; }
ok "a node that was taken off the list has no session, and hears why" eventually "$patience_sec" refused || diag "$(tunnel_status)"
done_testing
