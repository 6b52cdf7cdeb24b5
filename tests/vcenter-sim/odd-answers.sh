#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Machines that are hard to tell apart or that do not run, and answers that no
# vCenter gives.
# Switches: bad-xml same-uuid suspended device inaccessible unreadable snapshot-lingers

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -zoo
login >/dev/null

by_uuid() { method FindAllByUuid SearchIndex SearchIndex "<uuid>$1</uuid><vmSearch>true</vmSearch><instanceUuid>true</instanceUuid>" | xall returnval; }
vm=$(by_path DC0/vm/Prod/pgtest1)
uuid=$(props VirtualMachine "$vm" config.instanceUuid | xget val)
is "$(by_uuid "$uuid")" "$vm" 'FindAllByUuid finds a machine'
is "$(by_uuid "${uuid^^}")" "$vm" 'in capitals, too'
is "$(by_uuid 00000000-0000-0000-0000-000000000000)" '' 'and nothing is no fault'
simctl vm same-uuid vm=mixed as=pgtest1 >/dev/null
is "$(by_uuid "$uuid" | wc -l)" 2 'same-uuid: it finds both'

other=$(by_path DC0/vm/mixed)
simctl vm suspended vm=mixed >/dev/null
is "$(props VirtualMachine "$other" runtime.powerState | xget val)" suspended 'suspended: it says so'
is "$(props VirtualMachine "$vm" runtime.powerState | xget val)" poweredOn 'and no other does'

simctl vm inaccessible vm=pgtest1 >/dev/null
mixed_uuid=$(simctl vm list vm=mixed | jq -r .instance_uuid)
is "$(by_uuid "$uuid") $mixed_uuid" "$other $uuid" 'inaccessible: no UUID finds it, but the other one that has it'
is "$(method FindByUuid SearchIndex SearchIndex "<uuid>$uuid</uuid><vmSearch>true</vmSearch><instanceUuid>true</instanceUuid>" | xget returnval)" "$other" 'and neither does FindByUuid'
is "$(props VirtualMachine "$vm" runtime.connectionState | xget val)" inaccessible 'it says so'
is "$(props VirtualMachine "$vm" config.instanceUuid config.hardware.device config name | xall name)" name 'it has a name and no config'
like "$(method CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args x)")" InvalidState 'and no task'
simctl vm inaccessible vm=pgtest1 on=0 >/dev/null
is "$(by_uuid "$uuid" | wc -l) $(props VirtualMachine "$vm" runtime.connectionState | xget val)" '2 connected' 'it is back'

shown() { props VirtualMachine "$vm" snapshot; }
one=$(snapshot "$vm" one)
simctl vm unreadable vm=pgtest1 property=snapshot >/dev/null
is "$(shown | xall name) $(shown | xget path) $(shown | xpath 'string(//*[local-name()="fault"]/@*[local-name()="type"])')" ' snapshot NoPermission' 'unreadable: a property is missing, and why'
is "$(props VirtualMachine "$vm" name | xget path)" '' 'no other is'
simctl vm unreadable vm=pgtest1 >/dev/null
simctl fault snapshot-lingers ms=700 >/dev/null
is "$(unsnapshot "$one") $(simctl snapshots | jq '[.[] | select(.name == "one")] | length')" 'success 0' 'snapshot-lingers: the snapshot is removed'
like "$(shown)" ">$one<" 'and shown'
is_over() { [[ $(shown) != *"$one"* ]]; }
ok 'for a while' eventually 30 is_over

simctl vm add name=bound disks=16M on=1 >/dev/null
bound=$(by_path DC0/vm/bound)
for kind in tpm vgpu; do
    simctl vm device vm=bound kind=$kind >/dev/null
done
like "$(props VirtualMachine "$bound" config.hardware.device)" 'VirtualPCIPassthroughVmiopBackingInfo' 'device: a virtual GPU is shown'
like "$(props VirtualMachine "$bound" config.hardware.device)" 'type="VirtualTPM"' 'and a TPM'
free=$(snapshot "$bound" free)
like "$free" '^snapshot-' 'with them there are snapshots'
unsnapshot "$free" >/dev/null
simctl vm device vm=bound kind=passthrough >/dev/null
like "$(method CreateSnapshot_Task VirtualMachine "$bound" '<name>x</name><memory>false</memory><quiesce>false</quiesce>')" 'NotSupported' \
    'with a device of its host there is none'
simctl vm power vm=bound on=0 >/dev/null
like "$(snapshot "$bound" off)" '^snapshot-' 'but while it is switched off'

bad() { # MODE
    simctl fault bad-xml method=CurrentTime mode="$1" >/dev/null
    method CurrentTime ServiceInstance ServiceInstance >"$TEST_TMP/answer"
}
bad bomb
like "$(cat "$TEST_TMP/answer")" '<!ENTITY' 'bad-xml bomb: entities'
bad doctype
like "$(cat "$TEST_TMP/answer")" 'SYSTEM' 'doctype: a file of this machine'
bad deep
ok 'deep: deeper than libxml2 goes by itself' test "$(grep -o '<x>' "$TEST_TMP/answer" | wc -l)" -gt 1000
bad many
ok 'many: two million elements' test "$(wc -c <"$TEST_TMP/answer")" -gt 8000000
bad huge
ok 'huge: 80 MiB of text' test "$(wc -c <"$TEST_TMP/answer")" -gt 80000000
bad text
is "$(xget x <"$TEST_TMP/answer")" '' 'text: no XML at all'
bad control
like "$(cat "$TEST_TMP/answer")" '&#x9b;' 'control: a fault with what controls a terminal'
bad empty-envelope
is "$(xget Body <"$TEST_TMP/answer")" '' 'empty-envelope: nothing in it'
like "$(simctl fault bad-xml method=Login mode=nonsense 2>&1)" 'needs mode=' 'another mode is refused'
like "$(method CurrentTime ServiceInstance ServiceInstance)" '<returnval>20' 'then it answers as before'
done_testing
