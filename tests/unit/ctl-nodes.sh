#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nodes as sendensectl has them: what the hub is asked, what of it is shown, and that a bundle is made without the hub ever seeing
# more than the public half of its token. tests/tunnel/enrol.sh has the whole way.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers

node='{"Id": 3, "Name": "edge1", "Local": false, "State": "enrolled", "Reachable": true, "ReversePort": 9081, "KeyFingerprint": "SHA256:abc",
    "TokenExpiresUSec": 1763788676000000, "CreatedUSec": 1763702276000000, "EnrolledUSec": 1763702376000000}'
answer ListNodes 'aa{sv}' "[$node]"
run "node list" 0 node list
is "$(tr -s ' ' <<<"$out" | sed 's/^ //')" "ID NAME STATE ANSWERS LOCAL PORT TOKEN EXPIRES ENROLLED KEY
3 edge1 enrolled yes no 9081 2025-11-22 05:17:56 2025-11-21 05:19:36 SHA256:abc" "a table"
run "node list as JSON" 0 node list --json
is "$(jq -c . <<<"$out")" "$(jq -c .value "$answers/ListNodes.json")" "as the bus has it"
answer ListNodes 'aa{sv}' '[]'
run "node list without one" 0 node list
like "$out" 'There is no node\. Add one: sendensectl node add NAME' "and how to have one"
answer GetNode 'a{sv}' "$node"
run "node show" 0 node show edge1
like "$out" 'Reverse port: 9081' "its port"
is "$(asked GetNode)" 'sa{sv} STRING "edge1"; ARRAY "{sv}" { }; ' "by its name"
refuse GetNode com.sendense.Error.NotFound "There is no node 'edge9'"
run "node show of none" 1 node show edge9
like "$err" "There is no node 'edge9'\. List the nodes: sendensectl node list" "and where to look"
answer GetNode 'a{sv}' "$node"

answer RemoveNode ''
run "node remove" 0 node remove edge1
is "$out" "node edge1 is removed, and its tunnel is cut" "it says so"
is "$(asked RemoveNode)" 'sa{sv} STRING "edge1"; ARRAY "{sv}" { }; ' "its name"
run "node remove by force" 0 node remove edge1 --force
like "$(asked RemoveNode)" 'STRING "force"; VARIANT "b" \{ BOOLEAN true' "the option"

# A local node needs no token; what else is in a bundle depends on the machine.
answer AddNode o '"/com/sendense/Hub1/node/3"'
run "node add --local" 0 node add here --local
is "$out" "# Node \"here\" on the hub's own machine.
[Bundle]
Format=1
Node=here
Local=yes" "a bundle without a secret"
is "$(asked AddNode)" 'ssa{sv} STRING "here"; STRING ""; ARRAY "{sv}" { DICT_ENTRY "sv" { STRING "local"; VARIANT "b" { BOOLEAN true; }; }; }; ' "the hub gets no token"
run "to a file" 0 node add here --local --output="$TEST_TMP/bundle"
is "$out" "The bundle is in $TEST_TMP/bundle" "it says where"
is "$(stat -c %a "$TEST_TMP/bundle") $(tail -n 1 "$TEST_TMP/bundle")" "600 Local=yes" "for its owner alone"
run "as JSON" 0 node add here --local --json
is "$(jq -r '.Name, .Bundle' <<<"$out" | sed -n '1p;/^Local/p' | paste -sd' ')" "edge1 Local=yes" "with the node"
run "a folder that is not there" 1 node add here --local --output="$TEST_TMP/none/bundle"
like "$err" 'its bundle cannot be written.*Make another one: sendensectl node rotate here' "cause and remedy"

wrong() { # NAME ARGUMENT... PATTERN
    run "$1" 64 node add "${@:2:$#-2}"
    like "$err" "${*: -1}" "$1: what is right"
}
wrong "a port that is none" x --reverse-port=0 'must be a port from 1 to 65535'
wrong "a token that is too short-lived" x --expires=59s 'must be a time from 1min to 30d'
wrong "a token that lives too long" x --expires=31d 'must be a time from 1min to 30d'
wrong "a token for a node that needs none" x --local --expires=1d 'takes no --hub='
if [ ! -e /var/lib/sendense-sshd/host-key.pub ]; then
    rm -f "$answers/AddNode.call"
    run "without the key of the hub's sshd" 1 node add edge1 --hub=hub
    like "$err" 'host-key\.pub cannot be read: .*systemctl enable --now sendense-sshd' "cause and remedy"
    not_ok "and the hub is not asked" test -e "$answers/AddNode.call"
fi
done_testing
