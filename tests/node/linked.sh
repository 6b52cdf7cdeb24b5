#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A node on the hub's own machine, as the hub sees it: added and enrolled without a tunnel, its health, what it owes, and every way
# in which it does not answer, each named with its remedy.
machine=hub

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

# The hub asks often.
cat >"$TEST_TMP/often" <<'X'
#!/bin/bash
printf '[Tunnel]\nHealthSec=1s\n' | install -D -m 644 /dev/stdin "$2/etc/sendense/hub.conf.d/60-often.conf"
X
chmod +x "$TEST_TMP/often"

node_up '' --hook "$TEST_TMP/often"
vcenter_up -empty
vm_new 8M:fill=4M
require "the hub is ready" eventually "$patience_sec" in_node 'busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager State | grep -q running'

manager() { node busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager "$@"; }
# known KEY: what the hub knows of the node.
known() { manager GetNode 'sa{sv}' here 0 | jq -r ".data[0].$1.data"; }
# object KEY: what its object on the bus shows, without a question.
object() { node busctl --json=short get-property com.sendense.Hub1 "/com/sendense/Hub1/node/$(known Id)" com.sendense.Hub1.Node "$1" | jq -c .data; }
known_is() { [ "$(known "$1")" = "$2" ]; }
known_like() { [[ $(known "$1") =~ $2 ]]; }

ok "a node of this machine is added" manager AddNode 'ssa{sv}' here '' 1 local b true
is "$(known State) $(known Reachable)" "waiting false" "it waits to be enrolled"
digest=$(manager EnrolNode 'ssa{sv}' '' '' 1 name s here | jq -r '.data[3]')
like "$digest" '^[0-9a-f]{64}$' "it is enrolled: the digest of a token"
ok "the node gets it" in_node 'echo "hub $1" >>/etc/sendense/node-api.tokens && systemctl try-restart sendense-node-api.service' "$digest"
ok "the hub sees it, by itself" eventually "$patience_sec" known_is Reachable true || diag "$(known Error)"
is "$(known NodeState) $(known Obligations) $(known Error)" "running 0 " "running, without debts, without an error"
is "$(known Version)" "$(node /usr/lib/sendense/sendense-node --version | cut -d' ' -f2)" "its version"
node journalctl --sync
like "$(node journalctl -q -o cat SENDENSE_NODE=here)" 'Node here answers' "the journal says so"
is "$(object Reachable) $(object State) $(object NodeState) $(object Protocol) $(object Version)" "true \"enrolled\" \"running\" 1 \"$(known Version)\"" "its object shows the same"
is "$(object Features)" "$(node busctl --json=short get-property com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager Features | jq -c .data)" "and what it can do"
before=$(object LastSeenUSec)
seen_again() { [ "$(object LastSeenUSec)" -gt "$before" ]; }
ok "when it was last heard moves on" eventually "$patience_sec" seen_again
node systemd-run -q --unit=watch-node -p StandardOutput=file:/srv/signals -- gdbus monitor --system --dest com.sendense.Hub1
object_told() { node grep -qE "/node/$(known Id): org.freedesktop.DBus.Properties.PropertiesChanged .*$1" /srv/signals; }

# What it owes: a snapshot that cannot be removed.
targets_up owed
backup full
ok "a backup is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
simctl fault task-error method=RemoveSnapshot_Task count=0 >/dev/null
release committed >/dev/null
ok "its snapshot is owed" eventually "$patience_sec" known_is Obligations 1
ok "who watches its object is told" eventually "$patience_sec" object_told "'Obligations': <uint32 1>"
like "$(node sendensectl cleanup)" "Node here owes the removal of snapshot 'sendense-.*' of web01, job 1[;:] .*127.0.0.1" "cleanup names it"
simctl faults clear >/dev/null
like "$(api POST snapshots/cleanup "$(request full)")" '^200 ' "a login comes"
ok "it is owed no more" eventually "$patience_sec" known_is Obligations 0
unlike "$(node sendensectl cleanup)" 'owes' "and cleanup says nothing of it"
targets_down

# Everything that can be in the way.
node systemctl stop sendense-node-api.socket sendense-node-api.service
ok "no API: unreachable" eventually "$patience_sec" known_is Reachable false
like "$(known Error)" 'nobody listens on 127.0.0.1:8081; systemctl status sendense-node-api.socket' "and what to look at"
ok "who watches its object is told" eventually "$patience_sec" object_told "'Reachable': <false>"
like "$(node sendensectl cleanup)" 'What node here owes is not known: .*nobody listens' "cleanup says that it could not ask"
node journalctl --sync
like "$(node journalctl -q -o cat -p warning SENDENSE_NODE=here)" 'nobody listens' "so does the journal"
node systemctl start sendense-node-api.socket
ok "it is back" eventually "$patience_sec" known_is Reachable true
in_node 'cp /etc/sendense/node-api.tokens /root/tokens; : >/etc/sendense/node-api.tokens; systemctl try-restart sendense-node-api.service'
ok "another token: unreachable" eventually "$patience_sec" known_is Reachable false
like "$(known Error)" 'does not take the hub.s token; sendensectl node rotate here' "and what to do"
in_node 'cp /root/tokens /etc/sendense/node-api.tokens; systemctl try-restart sendense-node-api.service'
ok "the token is back: so is the node" eventually "$patience_sec" known_is Reachable true
# Stopped alone it would be started again by the question.
node systemctl --quiet --runtime mask --now sendense-node.service
ok "no node behind its API: unreachable" eventually "$patience_sec" known_is Reachable false
like "$(known Error)" 'Node here answers 50[03]: .' "what its API says"
node systemctl --quiet --runtime unmask sendense-node.service
ok "it may run: reachable" eventually "$patience_sec" known_is Reachable true
node journalctl --sync
is "$(node journalctl -q -o cat -u sendense-hub SENDENSE_NODE=here | grep -c 'Node here answers$')" 4 "the journal has one line for each time it was back"

ok "it is removed" manager RemoveNode 'sa{sv}' here 0
is "$(manager ListNodes 'a{sv}' 0 | jq '.data[0] | length')" 0 "and none is left"
done_testing
