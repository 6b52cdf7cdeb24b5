#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Two enrolments with one bundle at the same moment: on one machine the second is refused while the first is at work; of two
# machines one becomes the node, and the other is left as it was. The hub is stopped meanwhile, so that both are in their middle.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

enrol_lab_up
require "it looks at its nodes often, and may be stopped" hub sh -c 'printf "[Tunnel]\nHealthSec=1s\n" >/etc/sendense/hub.conf.d/60-often.conf &&
    mkdir -p /run/systemd/system/sendense-hub.service.d && printf "[Service]\nWatchdogSec=0\n" >/run/systemd/system/sendense-hub.service.d/90-stopped.conf &&
    systemctl daemon-reload && systemctl restart sendense-hub.service'
require "it is ready again" wait_prop "$patience_sec" DatabaseState 's "ready"'
hub_pid() { hub systemctl show --value -p MainPID sendense-hub.service; }
# asked N: so many enrolments wait for the hub's answer.
asked() { [ "$(hub pgrep -cf '^/usr/lib/sendense/sendense-enroll-hub')" = "$1" ]; }
begin() { # MACHINE NAME: the bundle on standard input
    on "$1" sendense-node enroll - >"$TEST_TMP/$2" 2>&1 <<<"$bundle" &
    pids[$2]=$!
}
ended() { # NAME: sets status
    wait "${pids[$1]}"
    status=$?
}
said() { tr -s '\n ' ' ' <"$TEST_TMP/$1"; }
# kept MACHINE: what an enrolment leaves there. The file of tokens is always there; what counts is the hub's line in it.
kept() {
    on "$1" sh -c 'cd /etc/sendense && { ls tunnel; ls node.conf.d/50-hub.conf 2>/dev/null; grep -o "^hub " node-api.tokens 2>/dev/null; } | sed "s/ $//" | paste -sd" "'
}
answers() { grep -q "$1 enrolled yes" <<<"$(hub sendensectl node list | tr -s ' ')"; }
declare -A pids=()

# ── On one machine ──
bundle=$(hub sendensectl node add site1 --hub=hub 2>/dev/null)
stopped=$(hub_pid)
at_end 'hub /bin/kill -CONT "$stopped" 2>/dev/null; true'
require "the hub answers nobody" hub /bin/kill -STOP "$stopped"
begin node first
ok "an enrolment is at work" eventually "$patience_sec" asked 1 || diag "$(said first)"
key=$(node sha256sum /etc/sendense/tunnel/key.new)
refused node "a second one beside it" 'Another sendense-node enroll is at work on this machine.*wait' <<<"$bundle"
is "$(node sha256sum /etc/sendense/tunnel/key.new)" "$key" "it has not touched the first one's key"
hub /bin/kill -CONT "$stopped"
ended first
is "$status" 0 "the first becomes the node" || diag "$(said first)"
ok "which the hub reaches" eventually "$patience_sec" answers site1 || diag "$(hub sendensectl node list)"
refused node "the second, repeated" 'This machine is a node already' <<<"$bundle"

# ── On two machines ──
hub sendensectl node remove site1 >/dev/null
node sh -c 'systemctl stop sendense-tunnel.socket sendense-tunnel.service sendense-node-api.socket sendense-node-api.service; rm -f /etc/sendense/tunnel/* /etc/sendense/node.conf.d/50-hub.conf /etc/sendense/node-api.tokens'
bundle=$(hub sendensectl node add site2 --hub=hub 2>/dev/null)
require "the hub answers nobody" hub /bin/kill -STOP "$stopped"
begin node node
begin edge edge
ok "both are at work" eventually "$patience_sec" asked 2 || diag "$(said node)" "$(said edge)"
hub /bin/kill -CONT "$stopped"
ended node
winner=node loser=edge
[ "$status" -eq 0 ] || winner=edge loser=node
first=$status
ended edge
is "$((first + status))" 1 "one of them becomes the node" || diag "$(said node)" "$(said edge)"
like "$(said "$winner")" 'Node site2 is enrolled, and its tunnel to hub port 443 is up' "and is told so"
like "$(said "$loser")" 'TokenInvalid|The token of node site2 was used, by another key.*node rotate' "the other is told why not, and what to do"
is "$(kept "$winner")" "hub-key key node.conf.d/50-hub.conf hub" "one has all of it"
is "$(kept "$loser")" "key.new" "the other has no more than its own key, which nobody knows"
is "$(hub cut -d' ' -f1,4 /var/lib/sendense-nodes/keys | grep -v '^#')" "site2 $(on "$winner" ssh-keygen -y -f /etc/sendense/tunnel/key | cut -d' ' -f2)" "the hub has the key of the one"
ok "which the hub reaches" eventually "$patience_sec" answers site2 || diag "$(hub sendensectl node list)"
again=$(hub sendensectl node add site3 --hub=hub 2>/dev/null)
ok "the other becomes another node" on "$loser" sh -c 'sendense-node enroll -' <<<"$again"
ok "which the hub reaches, too" eventually "$patience_sec" answers site3
done_testing
