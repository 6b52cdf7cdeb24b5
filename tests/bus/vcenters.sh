#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# vCenters on the bus: how a login is tried before it is stored, through which node, what each answer of one becomes, and where the
# password is not. VMs that are found, entered, and what is not entered of them.
[ -n "${IN_OWN_MOUNTS:-}" ] || IN_OWN_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"
. "$SENDENSE_SRC/tests/sql/mariadb.bash"
. "$(dirname "$0")/nodes.bash"

# Two nodes: the ports that their peers got bound the range.
peer() { # NAME [PORT]
    mkdir -p "$TEST_TMP/$1"
    "$SENDENSE_BUILD/tests/bus/vcenter-peer" "$TEST_TMP/$1" "${@:2}" >"$TEST_TMP/$1.port" 2>"$TEST_TMP/$1.log" &
    peer_pid=$!
    eventually 30 peer_is_up "$1" && [ -s "$TEST_TMP/$1.port" ] && at_end "kill $peer_pid"
}
peer_is_up() { [ -s "$TEST_TMP/$1.port" ] || ! kill -0 "$peer_pid" 2>/dev/null; }
peer near || exit 1
near=$(<"$TEST_TMP/near.port")
peer_above() {
    for far in $(seq $((near + 1)) $((near + 900))); do
        [ "$far" -lt 65536 ] && peer far "$far" && return 0
    done
    return 1
}
peer_above || exit 1 # a port close by, as ReversePorts= is a range
reverse_ports=$near-$far
node_settings=('HealthSec=1s')
nodes_ready
says() { # NODE QUESTION STATUS BODY
    jq -nc --argjson status "$3" --argjson body "$4" '{status: $status, body: $body}' >"$TEST_TMP/$1/$2.json"
}
asked() { cat "$TEST_TMP/$1/asked" 2>/dev/null; }
forget() { rm -f "$TEST_TMP"/{near,far}/{asked,*.json}; }

password='pass word-geheim-ü7'
# login METHOD TEXT... [+OPTION...]: with $typed, or the password.
login() { answer=$(printf %s "${typed-$password}" | "$SENDENSE_BUILD/tests/bus/password-call" "$@" 2>&1); }
denied() { like "$answer" "^com.sendense.Error.$1: .*$2" "$3"; }
manager() { busctl --system --json=short call "$hub_name" "$hub_path" "$hub_manager" "$@"; }
vcenters() { manager ListVcenters 'a{sv}' 0 | jq -r '.data[0][] | "\(.Name.data):\(.Host.data):\(.Port.data):\(.User.data):\(.Node.data // "any")"' | paste -sd' '; }

# Without a node.
login AddVcenter main vc.example +user=u
denied NodeUnreachable 'No node answers' "without a node no login can be tried"
login AddVcenter main vc.example +user=u +untested=yes
is "$answer" 1 "untested it is stored"
call RemoveVcenter main "$none"

reachable() { [ "$(node "$1" Reachable)" = 'b true' ]; }
add far 1 "{'reverse_port': <uint16 $far>}"
add near 2 "{'reverse_port': <uint16 $near>}"
enrol 1 11
enrol 2 12
require "both nodes answer" eventually 20 reachable far
require "both nodes answer, the other, too" eventually 20 reachable near

# What is refused before anybody is asked.
bad() { # NAME TEXT METHOD ARGUMENT...
    login "${@:3}"
    denied InvalidArgument "$2" "$1"
}
for name in '' a/b -a .a 7 "$(printf 'x%.0s' {1..65})" 'a b'; do bad "the name '${name:0:8}'" 'Argument name' AddVcenter "$name" vc.example +user=u; done
for host in '' 'a b' -x 'a/b' '[2001:db8::5]' vc.example:8443 'fe80::1%eth0' "$(printf 'x%.0s' {1..300})"; do bad "the host '${host:0:8}'" 'Argument host' AddVcenter main "$host" +user=u; done
login AddVcenter main 2001:db8::5 +user=u +untested=yes
is "$(vcenters)" "main:2001:db8::5:443:u:any" "an IPv6 address is a host"
call RemoveVcenter main "$none"
bad "no user" 'Option user' AddVcenter main vc.example
bad "port 0" 'Option port' AddVcenter main vc.example +user=u +port=0
for pin in ab "$(printf 'g%.0s' {1..64})" "$(printf 'ab:%.0s' {1..32})" "a$(printf ':ab%.0s' {1..31})b" "$(printf 'ab%.0s' {1..33})"; do
    bad "the pin ${pin:0:8}…" 'pin_sha256' AddVcenter main vc.example +user=u "+pin_sha256=$pin"
done
typed='' bad "an empty password" 'Argument password' AddVcenter main vc.example +user=u
typed=$'a\nb' bad "a line feed in the password" 'Argument password' AddVcenter main vc.example +user=u
typed=$'a\xff' bad "a password that is no UTF-8" 'Argument password' AddVcenter main vc.example +user=u
typed=$(printf 'x%.0s' {1..513}) bad "a password of 513 bytes" 'Argument password' AddVcenter main vc.example +user=u
printf %s "$password" >"$TEST_TMP/open"
answer=$("$SENDENSE_BUILD/tests/bus/password-call" --open AddVcenter main vc.example +user=u <"$TEST_TMP/open")
rm "$TEST_TMP/open"
denied InvalidArgument 'sealed' "a password that somebody could still change"
login AddVcenter main vc.example +user=u +node=nowhere
denied NotFound "no node 'nowhere'" "a node that is not there"
login AddVcenter main vc.example +user=u +surprise=1
denied UnknownOption surprise "an option that there is not"
is "$(asked near)$(asked far)" '' "nobody was asked"

# Somebody reads all of the bus from here on.
busctl --system capture >"$TEST_TMP/bus" 2>/dev/null &
capture=$!
at_end "kill $capture"
overheard() { grep -qaF "$1" "$TEST_TMP/bus"; }
asks_until_overheard() {
    vcenters >/dev/null
    overheard ListVcenters
}
require "somebody reads all of the bus" eventually 30 asks_until_overheard

# Through a node: what it is asked, and what its answer becomes.
about='{"name":"VMware vCenter Server","version":"8.0.2","build":"1","api_type":"VirtualCenter","api_version":"8.0","instance_uuid":"x","surprise":{"a":null}}'
says far test 200 "$about"
pin=$(printf 'AB:%.0s' {1..32}) pin=${pin%:}
login AddVcenter main vc.example +user=u@local "+pin_sha256=$pin" +port=8443 +node=far
like "$answer" '^[0-9]+$' "a vCenter is added"
is "$(vcenters)" "main:vc.example:8443:u@local:far" "with all that was said"
is "$(asked far)" \
    "test {\"pin_sha256\":\"$(printf 'ab%.0s' {1..32})\",\"vcenter_host\":\"vc.example\",\"vcenter_password\":\"$password\",\"vcenter_port\":8443,\"vcenter_user\":\"u@local\"}" \
    "its node was asked whether the login is good"
is "$(asked near)" '' "and no other"
is "$(manager GetVcenter 'sa{sv}' main 0 | jq -r '.data[0] | keys | join(" ")')" \
    "CertificateSha256 ChangedUSec CreatedUSec Host Id Name Node NodeId Port User Vms" "it is shown without a password"
is "$(manager TestVcenter 'sa{sv}' main 0 | jq -c '.data[0] | map_values(.data)')" \
    '{"Name":"VMware vCenter Server","Version":"8.0.2","Build":"1","ApiType":"VirtualCenter","ApiVersion":"8.0","InstanceUuid":"x"}' "its test shows what it is, and nothing that nobody expects"
login AddVcenter main vc.example +user=u +node=far
denied Exists 'named main' "the name is taken"

forget
says far test 502 '{"error":"com.sendense.Error.VCenterLogin","message":"cannot log in: wrong"}'
says near test 200 "$about"
login AddVcenter other vc.example +user=u +node=far
denied VCenterLogin 'cannot log in: wrong' "a login that is not good is told"
says far test 502 '{"error":"com.sendense.Error.VCenterUnreachable","message":"not from here"}'
login AddVcenter other vc.example +user=u
like "$answer" '^[0-9]+$' "of all nodes one that sees it is enough"
call RemoveVcenter other "$none"
rm "$TEST_TMP/near/test.json"
login AddVcenter other vc.example +user=u
denied VCenterUnreachable 'not from here' "one that does not see it says more than one that is busy"
rm "$TEST_TMP/far/test.json"
login AddVcenter other vc.example +user=u
denied Busy '503' "all are busy"
for body in '[]' '[{"name":"x"}]'; do
    says far test 200 "$body"
    login AddVcenter other vc.example +user=u +node=far
    denied Failed 'no answer' "an answer that is $body"
done
says far test 500 '{"error":"org.freedesktop.DBus.Error.Failed","message":"x"}'
login AddVcenter other vc.example +user=u +node=far
denied Failed 'x' "an error with a name of somebody else"

# A certificate that no CA knows.
says far test 502 '{"error":"com.sendense.Error.CertificateInvalid","message":"cannot be trusted"}'
says far certificate 200 "{\"subject\":\"CN=vc\",\"sha256\":\"$pin\",\"verified\":false,\"why\":\"self-signed\",\"names\":[]}"
login AddVcenter other vc.example +user=u +node=far
denied CertificateInvalid "vc.example \(self-signed\): subject CN=vc, SHA-256 $pin.*--pin=" "it is shown, and how to pin it"
is "$(asked far | tail -n 1)" 'certificate {"vcenter_host":"vc.example","vcenter_port":443}' "and asked for without a password"
is "$(manager ShowCertificate 'sa{sv}' vc.example 1 node s far | jq -c '.data[0] | [.Subject.data, .Sha256.data, .Verified.data]')" "[\"CN=vc\",\"$pin\",false]" "anybody who may enter one may look at it"
rm "$TEST_TMP/far/certificate.json"
login AddVcenter other vc.example +user=u +node=far
denied CertificateInvalid 'cannot be trusted' "when it cannot be looked at, it is still not trusted"
is "$(vcenters)" "main:vc.example:8443:u@local:far" "none of them was stored"

# Rotated.
forget
says far test 502 '{"error":"com.sendense.Error.VCenterLogin","message":"no"}'
before=$(rows 'SELECT HEX(password_sealed), changed_usec FROM vmware_credentials')
typed=second login RotateVcenter main
denied VCenterLogin no "another password that is not good is not taken"
is "$(rows 'SELECT HEX(password_sealed), changed_usec FROM vmware_credentials')" "$before" "the old one stays"
says far test 200 "$about"
typed=second login RotateVcenter main +user=v
is "$answer" '' "one that is good is"
like "$(asked far | tail -n 1)" '"pin_sha256":"(ab){32}".*"vcenter_password":"second".*"vcenter_user":"v"' "it was tried with the pin that stays"
is "$("$SENDENSE_BUILD/tests/bus/unseal" "$(rows 'SELECT HEX(password_sealed) FROM vmware_credentials')")" second "and is what is kept"
login RotateVcenter nobody
denied NotFound "no vCenter 'nobody'" "one that is not there"
login RotateVcenter main

# VMs.
uuid() { printf '50000000-0000-0000-0000-%012d' "$1"; }
vm() { # NAME NUMBER [JQ]
    jq -nc --arg name "$1" --arg uuid "$(uuid "$2")" '{moref: "vm-1", name: $name, path: "DC0/vm/\($name)", instance_uuid: $uuid, power_state: "poweredOn", template: false,
        cbt_enabled: true, cbt_supported: true, disks: [{disk_key: 2000, label: "Hard disk 1", controller: "scsi0", unit_number: 0, capacity_bytes: 1048576, backing_uuid: "b0", verdict: "incremental"},
        {disk_key: 2001, label: "Hard disk 2", controller: "scsi0", unit_number: 1, capacity_bytes: 512, backing_uuid: "", verdict: "no", reason: "a raw device"}]} | '"${3:-.}"
}
found() { says far discover 200 "$(jq -sc '{vms: .}' <<<"$*")"; }
discover() { # [OPTIONS...]: as NAME:CONTEXT?:REASON
    answer=$(manager DiscoverVms 'sa{sv}' main "$@" 2>&1)
    shown=$(jq -r '.data[0][] | "\(.Name.data):\(if .ContextId then "known" else "-" end):\(.Reason.data // "")"' <<<"$answer" 2>&1 | paste -sd';')
}
found "$(vm web 1)" "$(vm tmpl 2 '.template = true')" "$(vm twin 3)" "$(vm twin2 3)" "$(vm odd 4 '.instance_uuid = ""')" "$(vm bad 5 '.disks[0].capacity_bytes = 100')" "$(vm none 6 '.disks = []')"
discover 0
is "$shown" "web:-:;tmpl:-:it is a template;twin:-:another VM has the same instance UUID;twin2:-:another VM has the same instance UUID;odd:-:it has no instance UUID;bad:-:a disk of it is not what a disk can be;none:-:" \
    "all are shown, with what is in the way"
is "$(jq -c '.data[0][0].Disks.data[1] | map_values(.data)' <<<"$answer")" \
    '{"Key":2001,"UnitNumber":1,"Controller":"scsi0","CapacityBytes":512,"Label":"Hard disk 2","Verdict":"no","Reason":"a raw device"}' "and a verdict on each disk"
is "$(rows 'SELECT COUNT(*) FROM vm_replication_contexts')" 0 "none is entered"
discover 1 enter b true
is "$(rows 'SELECT vm_name, credential_id IS NOT NULL FROM vm_replication_contexts ORDER BY id' | paste -sd,)" "web 1,none 1" "those that can be are entered when it is asked for"
discover 0
like "$shown" '^web:known:;.*;none:known:$' "and are known then"
is "$(manager ListVms 'a{sv}' 0 | jq -r '[.data[0][] | .Vcenter.data] | unique[]')" main "as VMs of this vCenter"
found "$(vm web9 1 '.disks |= .[:1]')"
discover 1 vm s web9
is "$shown $(rows "SELECT vm_name FROM vm_replication_contexts WHERE instance_uuid = '$(uuid 1)'")" "web9:known: web9" "who names one enters it, or brings it up to date"
is "$(asked far | tail -n 1 | grep -o '"name":"[^"]*"')" '"name":"web9"' "its node looks for the name"
discover 2 vm s DC0/vm/x enter b false
is "$(asked far | tail -n 1 | grep -o '"path":"[^"]*"')" '"path":"DC0/vm/x"' "or the path"
discover 1 vm s "$(uuid 1)"
is "$(asked far | tail -n 1 | grep -o '"instance_uuid":"[^"]*"')" "\"instance_uuid\":\"$(uuid 1)\"" "or the instance UUID"
found "$(vm a 7)" "$(vm a 8)"
call DiscoverVms main "{'vm': <'a'>}"
refused VmAmbiguous 'DC0/vm/a, DC0/vm/a' "two of one name are named by their paths"
found
call DiscoverVms main "{'vm': <'a'>}"
refused VmMissing "no VM 'a'" "and none is said so"
for body in '{}' '{"vms":7}' '{"vms":[7,null,{}]}'; do
    says far discover 200 "$body"
    discover 1 enter b true
    unlike "$answer" 'NoReply|disconnect' "VMs that are $body do no harm"
done

call RemoveVcenter main "$none"
refused Busy 'VMs of vCenter main are known: ctx-' "it is not removed while VMs are of it"
call RemoveVcenter main "{'force': <true>}"
is "$(vcenters)$(rows 'SELECT COUNT(*) FROM vm_replication_contexts WHERE credential_id IS NOT NULL')" 0 "with force it is"

# The password.
is "$(printf %s "$password" | xxd -p -c 200 | xargs -I{} grep -rlaiF -e "$password" -e {} "$TEST_TMP/bus" "$hub_log" "$SENDENSE_NODES_FOLDER" "$private_bus_dir/mariadb")" '' \
    "the password is not on the bus, in no line of the journal and not in the database"
ok "though everything that was said stands there" overheard 'vc.example'
ok "the hub lives" hub_property_is State 's "running"'

# A hub that ends while questions wait.
for question in test discover; do says far "$question" 0 null; done
login AddVcenter main vc.example +user=u +node=far +untested=yes
rm -f "$TEST_TMP/far/asked"
for i in 1 2; do
    gdbus call --system --dest "$hub_name" --object-path "$hub_path" --method "$hub_manager.$([ $i = 1 ] && echo TestVcenter || echo DiscoverVms)" main "$none" >"$TEST_TMP/waiting-$i" 2>&1 &
    waiting[i]=$!
done
asked_is() { [ "$(asked far | wc -l)" = "$1" ]; }
ok "two questions wait" eventually 30 asked_is 2
hub_stop
is "$?" 0 "a hub that ends meanwhile ends well"
for i in 1 2; do
    wait "${waiting[i]}"
    like "$(<"$TEST_TMP/waiting-$i")" 'Error' "its caller $i is told"
done
nodes_hub
require "the node answers again" eventually 20 reachable far
call RemoveVcenter main "$none"

# Another master key.
says far test 200 "$about"
login AddVcenter main vc.example +user=u +node=far
hub_stop
head -c 32 /dev/urandom >"$TEST_TMP/credentials/master-key"
nodes_hub
call TestVcenter main "$none"
refused MasterKeyUnusable 'another master key; sendensectl vcenter rotate main' "with another master key the login is worth nothing, and what to do"
done_testing
