#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A node's whole life on the bus: added, enrolled, given another token, removed, added again; what of it stands in the files that
# sshd reads, and when sessions are cut.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
. "$(dirname "$0")/nodes.bash"

nodes_ready
ok "once the database is ready both files are there" eventually 30 test -e "$SENDENSE_NODES_FOLDER/tokens"
is "$(keys)$(tokens)" '' "and empty"
is "$(stat -c %a "$SENDENSE_NODES_FOLDER/keys" "$SENDENSE_NODES_FOLDER/tokens" | paste -sd' ')" "640 640" "for the folder's group to read"
ok "sessions are looked at, too" eventually 30 swept_is 1

# Who watches the objects is told of each that comes, changes and goes.
gdbus monitor --system --dest "$hub_name" >"$TEST_TMP/signals" 2>&1 &
watcher=$!
at_end "kill $watcher"
require "somebody watches" eventually 30 grep -q 'is owned by' "$TEST_TMP/signals"
signalled() { grep -qE -e "$1" "$TEST_TMP/signals"; }
object() { busctl --system get-property "$hub_name" "$hub_path/node/$1" com.sendense.Hub1.Node "$2" 2>&1; } # ID PROPERTY
objects() { # the ids that the object manager has
    busctl --system --json=short call "$hub_name" "$hub_path" org.freedesktop.DBus.ObjectManager GetManagedObjects |
        jq -r '.data[0] | to_entries[] | select(.value["com.sendense.Hub1.Node"]) | .key | sub(".*/"; "")' | sort -n | paste -sd' '
}
is "$(objects)" '' "there is no object of a node"

# Added.
add edge1 1
like "$answer" "objectpath '/com/sendense/Hub1/node/[0-9]+'" "a node is added"
id=$(grep -oE '[0-9]+' <<<"${answer#*/node}" | head -n 1)
is "$(objects)" "$id" "when the call is answered its object is there"
ok "it was announced" eventually 30 signalled "^$hub_path: org.freedesktop.DBus.ObjectManager.InterfacesAdded \(objectpath '$hub_path/node/$id'.*'com.sendense.Hub1.Node'"
is "$(object "$id" Name), $(object "$id" State), $(object "$id" ReversePort), $(object "$id" Local), $(object "$id" Reachable), $(object "$id" Features), $(object "$id" Jobs), $(object "$id" Tunnel)" \
    's "edge1", s "waiting", q 9081, b false, b false, as 0, at 0, a{sv} 0' "it shows what is known of it"
golden=$SENDENSE_SRC/tests/bus/golden/com.sendense.Hub1.Node.xml
ours=$(busctl --system --xml-interface introspect "$hub_name" "$hub_path/node/$id" | xmllint --xpath '//interface[starts-with(@name,"com.sendense.")]' -)
[ -z "${SENDENSE_GOLDEN_UPDATE:-}" ] || printf '%s\n' "$ours" >"$golden"
is "$(diff "$golden" <(printf '%s\n' "$ours") 2>&1)" '' "its interface is the golden one"
for property in $(xmllint --xpath '//property/@name' "$golden" | grep -oE '"[^"]+"' | tr -d '"'); do
    like "$(sed -n '/^### com.sendense.Hub1.Node$/,/^### Errors/p' "$SENDENSE_SRC/docs/API_REFERENCE.md")" "\| $property \| \`[a-z{}]+\` \| (const|emits-change) \|" "the API reference has its property $property"
done
like "$(busctl --system call "$hub_name" "$hub_path/node/999" org.freedesktop.DBus.Properties GetAll s com.sendense.Hub1.Node 2>&1)" 'Unknown object|UnknownObject' "there is no other"
is "$(tokens)" edge1:1 "its token is in the file when the call is answered"
is "$(keys)" '' "and it may have no tunnel yet"
is "$(lines "$SENDENSE_NODES_FOLDER/tokens" | cut -d' ' -f1,3,4)" "edge1 $(public_key 1)" "in the form that sshd's command reads"
is "$(node edge1 State), $(node edge1 ReversePort), $(node edge1 Local), $(node edge1 KeyFingerprint), $(node edge1 EnrolledUSec)" \
    "s waiting, q 9081, b false, s , t 0" "it waits"
expires=$(node edge1 TokenExpiresUSec)
is "$((${expires#t } / 1000000))" "$(lines "$SENDENSE_NODES_FOLDER/tokens" | cut -d' ' -f2)" "until the second that the file says"
is "$(node "$(rows 'SELECT id FROM nodes')" Name)" "s edge1" "its id names it, too"
add edge1 2
refused Exists 'named edge1' "the name is taken"
add edge2 1
refused Exists 'known already' "and so is the key"
add edge2 2 "{'reverse_port': <uint16 9081>}"
refused Exists 'Port 9081' "and the port"
add edge3 3 "{'reverse_port': <uint16 9082>}"
add edge2 2
is "$(nodes)" "edge1:waiting:9081 edge2:waiting:9083 edge3:waiting:9082" "another gets the lowest port that is free"
add edge4 4
refused PortsExhausted '9081 to 9083.*ReversePorts=' "until there is none"

# Enrolled, before somebody who reads all of the bus.
busctl --system capture >"$TEST_TMP/bus" 2>/dev/null &
capture=$!
at_end "kill $capture"
overheard() { grep -qaF "$1" "$TEST_TMP/bus"; }
asks_until_overheard() {
    nodes >/dev/null
    overheard ListNodes
}
require "somebody reads all of the bus" eventually 30 asks_until_overheard
enrol 1 11
like "$answer" "^\('edge1', uint16 9081, '10100-10200', '[0-9a-f]{64}'\)$" "edge1 is enrolled"
first=$answer
is "$(keys)" edge1:11 "its key is in the file when the call is answered"
is "$(tokens)" "edge1:1 edge2:2 edge3:3" "its token stays, so that it may ask again"
like "$(node edge1 KeyFingerprint)" '^s SHA256:[A-Za-z0-9+/]{43}$' "its fingerprint is shown"
is "$(lines "$SENDENSE_NODES_FOLDER/keys" | cut -d' ' -f4 | sed 's/^/ssh-ed25519 /' | ssh-keygen -lf - | cut -d' ' -f2)" \
    "$(node edge1 KeyFingerprint | cut -d' ' -f2)" "as ssh-keygen shows it"
is "$(node edge1 State), $(node edge1 TokenExpiresUSec)" "s enrolled, t 0" "its token counts as used"
is "$(object "$id" State)" 's "enrolled"' "its object knows"
ok "and the change was told" eventually 30 signalled "^$hub_path/node/$id: org.freedesktop.DBus.Properties.PropertiesChanged \('com.sendense.Hub1.Node', \{.*'State': <'enrolled'>"
# Nobody listens on its port.
ok "that it does not answer is told, and why" eventually 30 signalled "^$hub_path/node/$id: .*PropertiesChanged .*'Error': <.Node edge1 has no tunnel: nobody listens on 127.0.0.1:9081"
enrol 1 11
is "$answer" "$first" "asked again, it is told the same"
token=$("$SENDENSE_BUILD/tests/bus/unseal" "$(rows 'SELECT HEX(token_sealed) FROM nodes WHERE live_name = "edge1"')")
like "$token" '^[A-Za-z0-9_-]{43}$' "the hub keeps a bearer token, sealed"
digest=$(printf %s "$token" | sha256sum | cut -d' ' -f1)
like "$answer" "'$digest'" "of which the node was told the digest"
ok "that is on the bus" eventually 30 overheard "$digest"
hex=$(printf %s "$token" | xxd -p -c 100)
is "$(grep -rlaiF -e "$token" -e "$hex" "$TEST_TMP/bus" "$hub_log" "$SENDENSE_NODES_FOLDER" "$private_bus_dir/mariadb")" '' \
    "the token itself is not there, nor in the journal, the files or the database"
enrol 1 12
refused TokenInvalid 'edge1 was used, by another key.*node rotate edge1' "another key gets nothing by that token"
is "$(keys)" edge1:11 "and changes nothing"
enrol 9 19
refused TokenInvalid 'No node waits with this token' "nor does a token that nobody made"
enrol 2 11
refused Exists 'one of node edge1' "a key of another node is refused"
enrol 2 3
refused Exists 'one of node edge3' "and one that is a token"
enrol 2 2
refused Exists 'one of node edge2' "and the token as its own key"
is "$(swept)" 2 "of all this, only the answer that was asked for again looks at sessions"
like "$(sort "$hub_log")" 'Node edge1 enrolled by uid:0' "the journal says so"

# Another token.
rotate edge1 21
is "$answer" '()' "edge1 is given another token"
is "$(keys) $(tokens)" "edge1:11 edge1:21 edge2:2 edge3:3" "its key stays good, its old token does not"
is "$(node edge1 State)" "s enrolled" "and it stays enrolled"
enrol 1 11
refused TokenInvalid 'No node waits' "the token from before is worth nothing"
before=$(swept)
pid1 hold
enrol 21 31 &
enrolling=$!
ok "with the new token and a new key, sessions of the old one are looked for" eventually 30 swept_is $((before + 1))
is "$(keys)" edge1:31 "after the files have the new one"
ok "and the call waits for that" test -d "/proc/$enrolling"
pid1 "end done"
ended "$enrolling" "and is answered then"
pid1 auto

# Removed.
pid1 hold
before=$(swept)
remove edge1 &
removing=$!
ok "edge1 is removed: sessions are looked for" eventually 30 swept_is $((before + 1))
is "$(keys) $(tokens)" " edge2:2 edge3:3" "when neither its key nor its token is in a file any more"
remove edge3 &
second=$!
ok "who is removed while a sweep runs" eventually 30 tokens_are edge2:2
is "$(swept)" $((before + 1)) "waits for it to end"
pid1 "end done"
ended "$removing" "which answers the first"
ok "and then has one of its own" eventually 30 swept_is $((before + 2))
ok "before it is answered" test -d "/proc/$second"
pid1 "end done"
ended "$second" "too"
is "$(nodes)" "edge2:waiting:9083" "they are gone"
ok "their objects, too, and it was told" eventually 30 signalled "^$hub_path: org.freedesktop.DBus.ObjectManager.InterfacesRemoved \(objectpath '$hub_path/node/$id'.*'com.sendense.Hub1.Node'"
is "$(objects)" "$(rows 'SELECT id FROM nodes WHERE removed_usec IS NULL')" "there is one for each node that is left"
remove edge1
refused NotFound "no node 'edge1'" "and cannot be removed twice"
enrol 3 13
refused TokenInvalid 'No node waits' "the token of a removed node is worth nothing"
is "$(rows 'SELECT COUNT(*) FROM nodes WHERE removed_usec IS NOT NULL AND token_sealed IS NULL AND public_key IS NULL')" 2 \
    "their rows stay, without keys and secrets"

# Added again, and a sweep that fails.
pid1 auto
add edge1 41
like "$answer" objectpath "the name may come again"
enrol 41 31
like "$answer" "^\('edge1', uint16 9081," "with the port and even the key from before"
pid1 hold
before=$(swept)
remove edge1 &
removing=$!
eventually 30 swept_is $((before + 1))
pid1 "end failed"
wait "$removing"
is "$?" 1 "a sweep that fails is an error of the removal"
ok "and is tried again by itself" eventually 30 swept_is $((before + 2))
pid1 auto
pid1 "end done"
ok "until it is done" eventually 30 grep -q 'as the database has them again' "$hub_log"
pid1 missing
add edge1 42
remove edge1
is "$answer" '()' "without an sshd that was ever set up there is nothing to cut"
pid1 auto

# On the hub's own machine.
call AddNode here '' "{'local': <true>}"
like "$answer" objectpath "a node of the hub's own machine is added"
is "$(node here Local), $(node here ReversePort), $(node here TokenExpiresUSec)" "b true, q 8081, t 0" "without a token"
call AddNode here2 '' "{'local': <true>}"
refused Exists 'Port 8081' "there is one at most"
call EnrolNode '' '' "{'name': <'here'>}"
like "$answer" "^\('here', uint16 8081, '10100-10200', '[0-9a-f]{64}'\)$" "root enrols it by its name"
is "$(keys)" '' "and it needs no key"
call EnrolNode '' '' "{'name': <'edge2'>}"
refused InvalidArgument 'on another machine' "by its name no other is enrolled"
rotate here 50
refused InvalidArgument "hub's own machine" "and it has no token to change"
remove here

# Who may.
as_enroll() { setpriv --reuid="$enroll_user" --regid=65534 --clear-groups -- "$@"; }
as_enroll_call() { # METHOD ARGUMENT...
    answer=$(as_enroll gdbus call --system --dest "$hub_name" --object-path "$hub_path" --method "$hub_manager.$1" -- "${@:2}" 2>&1)
}
as_enroll_call EnrolNode "$(public_key 2)" "$(public_key 12)" "$none"
like "$answer" "^\('edge2', uint16 9083," "the user sendense-enroll may enrol"
like "$(cat "$hub_log")" "Node edge2 enrolled by uid:$enroll_user" "and the journal says who"
as_enroll_call EnrolNode '' '' "{'name': <'here'>}"
like "$answer" 'AccessDenied: Only root' "but none of the hub's own machine"
for method in GetStatus ListNodes ListJobs; do
    as_enroll_call "$method" "$none"
    like "$answer" 'AccessDenied.*rejected|Access denied|Rejected' "the bus does not let it ask $method"
done
like "$(as_enroll busctl --system call "$hub_name" "$hub_path" org.freedesktop.DBus.Peer Ping 2>&1)" 'Access denied|Rejected' "nor anything else of the hub"
like "$(as_enroll busctl --system call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager Subscribe 2>&1)" \
    'Access denied|Rejected' "nor anybody else"
like "$(as_nobody busctl --system call "$hub_name" "$hub_path" "$hub_manager" EnrolNode 'ssa{sv}' '' '' 1 name s here 2>&1)" \
    'Access denied|Rejected' "another user may not enrol"

# Still used.
id=$(rows 'SELECT id FROM nodes WHERE name = "edge2" AND removed_usec IS NULL')
rows "INSERT INTO vm_replication_contexts (id, context_id, instance_uuid, vm_name, vm_path, node_id, created_usec)
      VALUES (1, 'ctx-a-20260101-000000', '50000000-0000-0000-0000-000000000001', 'a', '/a', $id, 1);
      INSERT INTO backup_jobs (id, vm_context_id, repository_id, backup_id, backup_type, node_id, state, principal, created_usec)
      VALUES (7, 1, 1, 'backup-a-1', 'full', $id, 'copying', 'uid:0', 1);
      INSERT INTO obligations (kind, subject, job_id, node_id, created_usec, next_attempt_usec) VALUES ('remove-snapshot', 'snapshot-12', 7, $id, 1, 1)"
remove edge2
refused Busy 'edge2 is at work for job 7; cancel' "a node that is at work is not removed"
rows "UPDATE backup_jobs SET state = 'completed', finished_usec = 2 WHERE id = 7"
remove edge2
refused Busy 'edge2 still has to undo remove-snapshot snapshot-12 of job 7; ' "nor one that owes something"
is "$(keys)" edge2:12 "and it keeps its key"
remove edge2 "{'force': <true>}"
is "$answer" '()' "but by force"
is "$(keys)$(tokens)" '' "it is gone"
is "$(rows "SELECT n.name FROM backup_jobs j JOIN nodes n ON n.id = j.node_id WHERE j.id = 7; SELECT node_id IS NULL FROM vm_replication_contexts" | paste -sd' ')" \
    "edge2 1" "its jobs still name it, and its VM will choose another"

# What is refused at once.
bad() { # TEXT NAME METHOD ARGUMENT...
    call "${@:3}"
    refused InvalidArgument "$1" "$2"
}
for name in 7 -x 'a b' A a.b ü "$(printf 'a%.0s' {1..65})"; do
    bad 'name must have' "AddNode: name ${name:0:8}" AddNode "'$name'" "$(public_key 1)" "$none"
done
for key in '' x "ssh-rsa AAAA" "$(public_key 1) comment" "$(public_key 1)x"; do
    bad 'must be a public key' "AddNode: key ${key:0:11}…" AddNode x "'$key'" "$none"
    bad 'must be a public key' "RotateNode: key ${key:0:11}…" RotateNode x "'$key'" "$none"
    bad 'public.key|has a token and a key' "EnrolNode: key ${key:0:11}…" EnrolNode "$(public_key 1)" "'$key'" "$none"
done
for sec in 0 59 2592001 18446744073709551615; do
    bad 'from 60 to 2592000' "AddNode: $sec s" AddNode x "$(public_key 1)" "{'expires_sec': <uint64 $sec>}"
done
for port in 0 80 9080 9084; do
    bad 'from 9081 to 9083' "AddNode: port $port" AddNode x "$(public_key 1)" "{'reverse_port': <uint16 $port>}"
done
bad 'local node has no' "AddNode: local with a token" AddNode x "$(public_key 1)" "{'local': <true>}"
bad 'local node has no' "AddNode: local with a port" AddNode x '' "{'local': <true>, 'reverse_port': <uint16 9081>}"
bad 'has a token and a key' "EnrolNode: nothing at all" EnrolNode '' '' "$none"
bad 'has a token and a key' "EnrolNode: keys and a name" EnrolNode "$(public_key 1)" "$(public_key 2)" "{'name': <'x'>}"
is "$(rows 'SELECT COUNT(*) FROM nodes WHERE removed_usec IS NULL')" 0 "and nothing of it is in the database"

# Two at once.
for i in 1 2 3 4 5; do
    gdbus call --system --dest "$hub_name" --object-path "$hub_path" --method "$hub_manager.AddNode" -- twin "$(public_key "$((60 + i))")" "$none" \
        >"$TEST_TMP/twin.$i" 2>&1 &
    adding[i]=$!
done
wait "${adding[@]}"
is "$(grep -l objectpath "$TEST_TMP"/twin.* | wc -l) $(grep -l 'named twin already' "$TEST_TMP"/twin.* | wc -l)" "1 4" \
    "of five who add the same name at once one wins"
is "$(lines "$SENDENSE_NODES_FOLDER/tokens" | wc -l)" 1 "and has its token in the file"

hub_stop
is $? 0 "it ends on SIGTERM"
done_testing
