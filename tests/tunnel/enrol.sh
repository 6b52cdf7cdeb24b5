#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# From "sendensectl node add" to a tunnel that is up, without a hand in between; all that must not enrol; and what ends a node.
# Three machines: the hub with its database, and two nodes.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

# Another port than the usual one: it stands in one place, and bundle, enrolment, node.conf, tunnel and sweep follow.
enrol_lab_up 2222
edge() { on edge "$@"; }
in_edge() { edge bash -c "$1" _ "${@:2}"; }

# ── What is given away, and where it stands ──
bundle=$(hub sendensectl node add site1 --hub=hub 2>"$TEST_TMP/note")
is "$?" 0 "a node is added" || diag "$(cat "$TEST_TMP/note")"
is "$(sed -nE 's/^([A-Z][A-Za-z]+)=.*/\1/p' <<<"$bundle" | paste -sd' ')" \
    "Format Node Hub SshPort HostKey ReversePort Ports Expires Token" "a bundle comes"
token=$(sed -n 's/^Token=//p' <<<"$bundle")
is "${#token}" 43 "with a token"
like "$(cat "$TEST_TMP/note")" 'this bundle is a secret' "and people are told what it is"
like "$(cat "$TEST_TMP/note")" 'must be let out to hub, TCP port 2222' "and what a firewall must let through"
is "$(bundle_of SshPort <<<"$bundle")" 2222 "the port is the hub's"
is "$(bundle_of HostKey <<<"$bundle")" "$(hub cut -d' ' -f1,2 /var/lib/sendense-sshd/host-key.pub)" "the host key is that of the hub's sshd"
is "$(hub stat -c '%a %U %G' /var/lib/sendense-nodes/tokens /var/lib/sendense-nodes/keys | sort -u)" "640 sendense sendense-tunnel" "the files that sshd asks are for it alone"
like "$(hub cat /var/lib/sendense-nodes/tokens)" '^site1 [0-9]+ ssh-ed25519 AAAA' "the public half of the token is open"
is "$(hub bash -c 'grep -rlF -e "$1" /var/lib/mysql /var/lib/sendense-nodes /var/lib/sendense /run/sendense /var/log/journal 2>/dev/null' _ "$token")" "" "the secret half is nowhere at the hub"
like "$(hub sendensectl node list)" 'site1 +waiting' "the node waits"

# ── Who does not become a node ──
with() { printf '%s\n' "$bundle" | sed -E "s|^$1=.*|$1=$2|"; } # KEY VALUE: the bundle with another value
other_key=$(node sh -c 'ssh-keygen -q -t ed25519 -N "" -f /tmp/k && cut -d" " -f1,2 /tmp/k.pub')
refused node "another hub's key in the bundle" 'port 2222 \(host-key\): hub shows the key SHA256:.*nothing was sent to it.*node rotate' < <(with HostKey "$other_key")
refused node "a bundle without a token" 'Token= is missing; a bundle is used as sendensectl node add printed it' <<<"$(grep -v ^Token= <<<"$bundle")"
refused node "a token that was cut off" 'Token= is cut off or changed' <<<"${bundle%????}"
unlike "$(<"$TEST_TMP/enroll")" "${token:0:20}" "the token is not shown"
refused node "a bundle with the key of nobody" "\(login\): the hub does not accept the token of node site1: it was used, has expired \(20.*node rotate.* site1" \
    < <(with Token "AAAAA${token:5}")
refused node "another port" 'port 444 \(connect\): .*Connection refused.*sendense-sshd' < <(with SshPort 444)

require "the hub's daemon is stopped" hub systemctl stop sendense-hub.service
refused node "while the hub's daemon is stopped" "the hub daemon does not run\. The token stays good: start it \(systemctl start sendense-hub at the hub\)" <<<"$bundle"
is "$(hub systemctl is-active sendense-hub.service)" inactive "nobody started it"
require "the hub's daemon again" hub systemctl start sendense-hub.service
require "with its database" wait_prop "$patience_sec" DatabaseState 's "ready"'

# ── A node, without a hand ──
ok "the same bundle is good still, and the tunnel is up when it returns" in_node 'sendense-node enroll - >/tmp/said 2>&1' <<<"$bundle" || diag "$(node cat /tmp/said)"
like "$(node cat /tmp/said)" 'Node site1 is enrolled, and its tunnel to hub port 2222 is up\. The bundle is used up: delete it' "it says so"
is "$(node sed -n 's/^SshPort=//p' /etc/sendense/node.conf.d/50-hub.conf)" 2222 "node.conf has the port"
ok "all sessions stand" eventually "$patience_sec" all_sessions
is "$(sessions_of node | wc -l) $(hub ss -Hltn 'sport = 443' | wc -l)" "4 0" "the tunnel uses it, and nobody listens on the usual one"
is "$(node systemctl is-active sendense-tunnel.service sendense-tunnel.socket sendense-node-api.socket | paste -sd' ')" "active active active" "what it started is there"
like "$(hub sendensectl node list)" 'site1 +enrolled' "the hub knows it"
is "$(node stat -c '%n %a %U %G' /etc/sendense/tunnel/key /etc/sendense/tunnel/hub-key /etc/sendense/node.conf.d/50-hub.conf /etc/sendense/node-api.tokens)" \
    "/etc/sendense/tunnel/key 600 root root
/etc/sendense/tunnel/hub-key 644 root root
/etc/sendense/node.conf.d/50-hub.conf 644 root root
/etc/sendense/node-api.tokens 600 root root" "owners and modes of what the node keeps"
not_ok "nothing of the enrolment is left" node test -e /etc/sendense/tunnel/key.new
like "$(node cat /etc/sendense/node-api.tokens)" '^hub [0-9a-f]{64}$' "the hub's token for the node's API"
is "$(node systemctl is-enabled sendense-node.service sendense-node-api.socket | paste -sd' ')" "enabled enabled" "node and API are there after the next boot, too"
echo_server 10110
works "site1"
like "$(hub curl -s --max-time 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:9081/api/v1/health)" '^(200|401)$' "the hub reaches the node's API"
answers() { grep -q "$1 enrolled yes" <<<"$(hub sendensectl node list | tr -s ' ')"; }
ok "and knows it by the token that it was enrolled with" eventually "$patience_sec" answers site1 || diag "$(hub sendensectl node show site1)"
refused node "a machine that is a node already" 'This machine is a node already.*enroll --replace' <<<"$bundle"
refused edge "a token that was used" "TokenInvalid|does not accept the token" <<<"$bundle"

# ── The second node, whose first answer is lost ──
bundle2=$(hub sendensectl node add edge2 --hub=hub --reverse-port=9090 2>/dev/null)
hub systemctl stop sendense-hub.service
refused edge "the hub's daemon stopped again" 'does not run' <<<"$bundle2"
hub systemctl start sendense-hub.service
require "the hub is back" wait_prop "$patience_sec" DatabaseState 's "ready"'
lost=$(hub busctl call "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" EnrolNode 'ssa{sv}' "$(open_token edge2)" "$(edge ssh-keygen -y -f /etc/sendense/tunnel/key.new | cut -d' ' -f1,2)" 0)
like "$lost" '^sqss "edge2" 9090 "10100-10200" "[0-9a-f]{64}"' "the hub has enrolled it, and its answer is lost"
# Nobody is to be told that a bundle is no good because of the one before it.
other=$(hub sendensectl node add other1 --hub=hub 2>/dev/null)
edge cp -a /etc/sendense/tunnel/key.new /root/kept
ok "with another bundle it is another node" in_edge 'sendense-node enroll --no-start - >/tmp/said 2>&1' <<<"$other" || diag "$(edge cat /tmp/said)"
not_ok "by another key" in_edge 'cmp <(ssh-keygen -y -f /etc/sendense/tunnel/key | cut -d" " -f1,2) <(ssh-keygen -y -f /root/kept | cut -d" " -f1,2)'
is "$(edge tail -n 1 /etc/sendense/tunnel/key)" "-----END OPENSSH PRIVATE KEY-----" "which stands there alone"
hub sendensectl node remove other1 >/dev/null
in_edge 'cd /etc/sendense && rm -f tunnel/* node.conf.d/50-hub.conf node-api.tokens && mv /root/kept tunnel/key.new'
ok "the same again is enrolled" in_edge 'sendense-node enroll - >/tmp/said 2>&1' <<<"$bundle2" || diag "$(edge cat /tmp/said)"
is "$(edge awk '$1 == "hub" { print $2 }' /etc/sendense/node-api.tokens)" "$(awk -F'"' '{ print $6 }' <<<"$lost")" "and gets the answer that was lost"
is "$(edge sed -n 's/^ReversePort=//p' /etc/sendense/node.conf.d/50-hub.conf)" 9090 "with its own reverse port"
is "$(hub ss -Hltn 'sport = 9081 or sport = 9090' | wc -l)" 2 "both ways back are there"
like "$(listen_as node 9090)" 'forwarding failed' "one node cannot listen on the other's port"
like "$(listen_as edge 9081)" 'forwarding failed' "nor the other on the first's"

# ── Removed ──
# A connection of edge2's that must live through all that follows, and sessions that must stay the same.
edge touch /run/say
edge systemd-run --quiet --unit=lives --service-type=exec -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/10110; touch /run/lives; while read -r line; do echo "$line" >&3; read -r back <&3; echo "$back" >>/run/lived; done < <(tail -f -n +1 /run/say)'
says() { in_edge 'echo "$1" >>/run/say' "$1"; eventually "$patience_sec" in_edge 'grep -qx "$1" /run/lived' "$1"; }
ok "a connection of edge2's" says one
before=$(sessions_of edge)
server 10112 socat TCP4-LISTEN:10112,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:cat /dev/zero'
node systemd-run --quiet --unit=pulls --service-type=exec -- bash -c 'exec 3<>/dev/tcp/127.0.0.1/10112; cat <&3 | tee >(head -c 1000000 | wc -c >/run/pulled) >/dev/null'
ok "bytes flow through site1's tunnel" eventually "$patience_sec" in_node '[ "$(cat /run/pulled)" = 1000000 ]'
doomed=$(sessions_of node)
out=$(hub sh -c 'sendensectl node remove site1 && ss -Htn state established "sport = 2222"' 2>&1)
like "$out" 'node site1 is removed, and its tunnel is cut' "it is removed"
is "$(wc -l <<<"$doomed") $(grep -cF "$doomed" <<<"$out")" "4 0" "none of its four sessions was there when that returned" || diag "$out"
hears_why() { [[ $(tunnel_status) == *"does not accept this node's key"* ]]; }
ok "it hears why" eventually "$patience_sec" hears_why || diag "$(tunnel_status)"
not_ok "and cannot come back" eventually 5 all_sessions
is "$(hub ss -Hltn 'sport = 9081' | wc -l)" 0 "its way back is gone"
ok "the connection of edge2's lives" says two
is "$(sessions_of edge)" "$before" "and its sessions are the same ones"

# ── Another key ──
again=$(hub sendensectl node rotate edge2 --hub=hub 2>/dev/null)
old=$(edge ssh-keygen -y -f /etc/sendense/tunnel/key | cut -d' ' -f2)
ok "the old key is good until another is enrolled" says three
is "$(sessions_of edge)" "$before" "nothing is cut meanwhile"
refused edge "without --replace" 'This machine is a node already' <<<"$again"
gone=$(hub sendensectl node add gone1 --hub=hub 2>/dev/null)
hub systemctl stop sendense-hub.service
edge sendense-node enroll --replace - >/dev/null 2>&1 <<<"$gone"
begun=$(edge sha256sum /etc/sendense/tunnel/key.new)
like "$begun" '^[0-9a-f]{64}' "an enrolment with another bundle has begun"
hub systemctl start sendense-hub.service
require "the hub is there again" wait_prop "$patience_sec" DatabaseState 's "ready"'
refused edge "without --replace all the same" 'This machine is a node already.*another bundle has not ended.*--replace' <<<"$again"
edge sendense-node enroll --replace - >/dev/null 2>&1 <<<"$bundle"
is "$(edge sha256sum /etc/sendense/tunnel/key.new)" "$begun" "a bundle that is good for nothing leaves its key alone"
hub sendensectl node remove gone1 >/dev/null
ok "another key" in_edge 'cp /etc/sendense/tunnel/key /root/old && sendense-node enroll --replace - >/tmp/said 2>&1' <<<"$again" || diag "$(edge cat /tmp/said)"
like "$(edge cat /tmp/said)" 'Node edge2 is enrolled, and its tunnel' "its tunnel is up"
ok "and the hub's token for its API is another that fits" eventually "$patience_sec" answers edge2 || diag "$(hub sendensectl node show edge2)"
is "$(hub grep -c "$old" /var/lib/sendense-nodes/keys)" 0 "the old one lets nobody in"
like "$(edge timeout 30 ssh -i /root/old "${ssh_options[@]}" -N sendense-tunnel@hub 2>&1)" 'Permission denied' "it is tried in vain"

# ── A session nobody has a note of ──
before=$(sessions_of edge)
in_hub 'rm -f /run/sendense-sshd-sessions/*'
require "a sweep" hub systemctl start sendense-sshd-sweep.service
edge_up() { [[ $(edge systemctl show --value -p StatusText sendense-tunnel.service) == *"by 4 of 4 sessions"* ]]; }
edge_anew() {
    local now
    now=$(sessions_of edge)
    edge_up && [ "$(wc -l <<<"$now")" = 4 ] && [ -z "$(comm -12 <(sort <<<"$before") <(sort <<<"$now"))" ]
}
ok "sessions without a note are ended, and come back, all of them new" eventually "$patience_sec" edge_anew || diag "$before" "$(sessions_of edge)"
in_hub 'systemctl start sendense-sshd-sweep.service'
before=$(sessions_of edge)
in_hub 'systemctl start sendense-sshd-sweep.service'
is "$(sessions_of edge)" "$before" "and stay where nothing is to be swept"

# ── A node on the hub's own machine ──
bundle3=$(hub sendensectl node add here --local)
ok "it is enrolled without a key" in_hub 'sendense-node enroll - >/tmp/said 2>&1' <<<"$bundle3" || diag "$(hub cat /tmp/said)"
like "$(hub cat /tmp/said)" 'Node here is enrolled at the hub of this machine' "it says so"
like "$(hub cat /etc/sendense/node-api.tokens)" '^hub [0-9a-f]{64}$' "the hub's token for its API"
not_ok "it has no tunnel" in_hub 'test -e /etc/sendense/tunnel/key || systemctl cat sendense-tunnel.socket'
like "$(hub sendensectl node list | tr -s ' ')" 'here enrolled (yes|no) yes 8081' "the hub knows it"
refused hub "once more" 'This machine is a node already \(/etc/sendense/node-api\.tokens\)' <<<"$bundle3"

# ── The journal ──
told "a token that opens nothing" 'Failed publickey for sendense-enroll from|Connection closed by authenticating user sendense-enroll'
told "who was let in to enrol" 'Accepted publickey for sendense-enroll from .* SHA256:'
told "an enrolment that the hub could not serve" 'Refused to enrol a node: the hub daemon does not run'
is "$(lab journal hub --quiet -o cat "MESSAGE_ID=$(message_id node-enrolled)" | wc -l)" 5 "each node that was enrolled"
is "$(lab journal hub --quiet -o cat "MESSAGE_ID=$(message_id node-removed)" | wc -l)" 3 "each that was removed"
unlike "$(lab journal hub --quiet; lab journal node --quiet)" "$token" "no journal has the token"
done_testing
