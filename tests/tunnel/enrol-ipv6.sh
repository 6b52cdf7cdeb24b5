#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A node becomes one of a hub that it knows by an IPv6 address and by nothing else: from "sendensectl node add" to a disk through the
# tunnel and the hub's questions back, what is refused on the way, and its end. No byte of it goes by IPv4.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

enrol_lab_up 2222
address=fd99::1
is "$(in_hub 'ip -6 -o addr show' | grep -c "inet6 $address/")" 1 "the hub has the address"
# Nothing but that leads to it: whoever tried IPv4 would wait in vain.
require "the hub lets nobody in by IPv4" in_hub 'nft "add table ip closed; add chain ip closed in { type filter hook input priority 0; }; add rule ip closed in iifname != lo tcp dport 2222 drop"'

# ── The bundle ──
for wrong in "hub:2222" "10.99.0.1:2222" "fd99::1::2" "[hub]" ""; do
    not_ok "--hub=$wrong is refused" hub sendensectl node add site1 --hub="$wrong"
done
is "$(hub sendensectl node list --json | jq length)" 0 "and none of them made a node"
bundle=$(hub sendensectl node add site1 --hub="[$address]" 2>"$TEST_TMP/note")
is "$?" 0 "a node is added, the address in brackets as people write it" || diag "$(cat "$TEST_TMP/note")"
is "$(bundle_of Hub <<<"$bundle")" "$address" "the bundle has it without"
is "$(bundle_of SshPort <<<"$bundle")" 2222 "and the port in a line of its own"
like "$(cat "$TEST_TMP/note")" "must be let out to $address, TCP port 2222" "and people are told what a firewall must let through"

# ── Who does not enrol ──
other_key=$(node sh -c 'ssh-keygen -q -t ed25519 -N "" -f /tmp/k && cut -d" " -f1,2 /tmp/k.pub')
with() { printf '%s\n' "$bundle" | sed -E "s|^$1=.*|$1=$2|"; } # KEY VALUE: the bundle with another value
refused node "another hub's key" "at $address port 2222 \(host-key\): $address shows the key SHA256:.*nothing was sent to it" < <(with HostKey "$other_key")
refused node "an address where nobody is" 'at fd99::77 port 2222 \(connect\): ' < <(with Hub fd99::77)
refused node "a port where nobody listens" "at $address port 444 \(connect\): .*Connection refused" < <(with SshPort 444)

# ── Enrolled ──
ok "enrolled, and the tunnel is up when it returns" in_node 'sendense-node enroll - >/tmp/said 2>&1' <<<"$bundle" || diag "$(node cat /tmp/said)"
like "$(node cat /tmp/said)" "Node site1 is enrolled, and its tunnel to $address port 2222 is up" "it says so"
is "$(node sed -n 's/^Hub=//p' /etc/sendense/node.conf.d/50-hub.conf)" "$address" "node.conf has the address"
ok "all sessions stand" eventually "$patience_sec" all_sessions
like "$(tunnel_status)" "^Connected to $address port 2222 by 4 of 4 sessions" "the tunnel uses it"
is "$(in_node 'ss -Htn state established "dport = :2222"' | grep -c "\[$address\]:2222")" 4 "by all its sessions"
is "$(in_node 'ss -4Htn "dport = :2222"' | wc -l)" 0 "and none goes by IPv4"
answers() { grep -q "site1 enrolled yes" <<<"$(hub sendensectl node list | tr -s ' ')"; }
ok "the hub knows the node, and has its answers by the way back" eventually "$patience_sec" answers || diag "$(hub sendensectl node show site1)"
echo_server 10110
disk_servers
back "by IPv6"

# ── The preflight of the node that was enrolled ──
node systemctl stop sendense-tunnel.socket sendense-tunnel.service
answer=$(preflight)
is "$?" 0 "the preflight is content" || diag "$answer"
like "$answer" "$address port 2222" "and names address and port"
hub systemctl stop sendense-sshd
like "$(preflight)" "FAILED +connect +$address .*port 2222: Connection refused" "when nobody listens, too"
hub systemctl start sendense-sshd
tunnel_up

# ── A new key by the same address, and the end ──
bundle=$(hub sendensectl node rotate site1 --hub="$address" 2>/dev/null)
ok "enrolled anew with another key" in_node 'sendense-node enroll --replace - >/tmp/said 2>&1' <<<"$bundle" || diag "$(node cat /tmp/said)"
works "with the new key"
ok "the node is removed" hub sendensectl node remove site1
cut() { [ "$(in_hub 'ss -Htn state established "sport = :2222"' | wc -l)" = 0 ]; }
ok "and its sessions are cut" eventually "$patience_sec" cut || diag "$(in_hub 'ss -Htn "sport = :2222"')"
done_testing
