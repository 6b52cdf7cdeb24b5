#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The snapshot of a backup: all disks at one moment, tracking switched on where it can be, quiescing told as it
# was, leftovers gone first, users' snapshots left alone; and its removal, asked for once or many times.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -zoo

uuid=$(uuid_of pgtest1)
simctl calls clear >/dev/null
ok 'a snapshot of two disks' take
is "$(res '[.cbt_enabled, .quiesced, .removed_leftovers, (.excluded | length), (.warnings | length)] | join(" ")')" 'true true 0 0 0' 'tracked, quiesced, nothing left out'
is "$(res '[.disks[].disk_key] | join(" ")')" '2000 2001' 'with both disks'
is "$(res '[.disks[] | select(.change_id | test("^[0-9a-f -]{40,}/[0-9]+$"))] | length')" 2 'and their change ids'
is "$(res '[.disks[].verdict] | unique | join(" ")')" incremental 'so the next backup can be an increment'
is "$(res '[.vm_moref, .datacenter, .path] | join(" ")')" "$(simctl vm list vm=pgtest1 | jq -r .vm) DC0 DC0/vm/Prod/pgtest1" 'with what a copy must know'
is "$(res '.hardware | [.version, .guest_id, .firmware, .cpus, .memory_mb, (.controllers[] | select(.key == 1000).type)] | join(" ")')" \
    'vmx-13 otherGuest64 efi 2 2048 ParaVirtualSCSIController' 'and with what a restore must build'
is "$(res '.hardware.disks | map([.key, .controller_key, .unit_number, .mode]) | tojson')" \
    '[[2000,1000,0,"persistent"],[2001,1000,1,"persistent"]]' 'its disks in their places'
is "$(ours)" "$snapshot_name" 'one snapshot is held'
is "$(simctl left | jq -c .sessions)" '[]' 'by no session'
is "$(calls_of CreateSnapshot_Task) $(calls_of ReconfigVM_Task)" '2 1' 'tracking was switched on, and began with a snapshot of its own'
ok 'release' release
is "$(res '[.removed, .consolidation_needed, .vm_missing] | join(" ")')" '1 false false' 'it is removed'
clean release
ok 'released again' release
is "$(res .removed)" 0 'it is gone already, which is fine'
simctl calls clear >/dev/null
take
is "$(calls_of CreateSnapshot_Task) $(calls_of ReconfigVM_Task)" '1 0' 'the next time tracking is on'
# However many tasks the VM has had, and however deep its folders are: each question is a round trip.
ok 'it asks for tasks of others, the VM, the task, the truth, the disks' [ "$(calls_of RetrievePropertiesEx)" -le 8 ] || diag "$(simctl calls)"

# The same attempt once more, and another one: what was left goes first.
ok 'the same name again' take
is "$(res .removed_leftovers) $(ours)" "1 $snapshot_name" 'the leftover went first'
ok 'another job' take '.name = "sendense-inst1-8-1"'
is "$(res .removed_leftovers) $(ours)" '1 sendense-inst1-8-1' 'removes what a crash left'
ok 'another installation' take '.name = "sendense-inst2-1-1" | .leftover_prefix = "sendense-inst2-" | .transport = "vddk"'
is "$(ours)" 'sendense-inst1-8-1 sendense-inst2-1-1' 'leaves what is not its own'
release '.name = "sendense-inst1-8-1"'
release '.name = "sendense-inst2-1-1"'
clean 'other jobs'

# Left out, or not asked for: every disk is in one of the two lists.
for vm in loner mapped; do
    uuid=$(uuid_of "$vm")
    ok "$vm" take
    is "$(res '[.disks[].disk_key, .excluded[].disk_key] | join(" ")')" '2000 2001' "$vm: one disk, and one left out"
    like "$(res '.excluded[0].reason')" 'never in a snapshot' "$vm: with its reason"
    release
done
uuid=$(uuid_of mixed)
take '.disks = [{disk_key: 32000, label: "as discover said"}]'
is "$(res '[.disks[].disk_key] | join(" ")') $(res '[.excluded[] | "\(.disk_key) \(.reason)"] | join(" ")')" \
    '32000 16000 the job does not ask for it 2000 the job does not ask for it' 'disks that the job does not ask for'
release

# A user's snapshot stays, and tracking cannot be switched on beside it.
uuid=$(uuid_of kept)
ok "beside a user's snapshot" take '.transport = "vddk"'
is "$(res '[.cbt_enabled, .disks[0].verdict] | join(" ")')" 'false full' 'a full backup'
like "$(res '.warnings | join(" ")')" 'cannot be switched on: the VM has snapshots' 'and it says why'
release
is "$(simctl snapshots | jq -r '.[].name')" 'before the update' "theirs is there, ours is not"

# Quiescing.
uuid=$(uuid_of mixed)
simctl set quiesce-ignored=1 >/dev/null
take
is "$(res .quiesced)" false 'silently not quiesced: told as it is'
like "$(res '.warnings | join(" ")')" 'not quiesced.*VMware Tools' 'with a warning'
release
take '.quiesce = "required"'
refused QuiesceFailed 'without quiescing the guest' 'required, and silently ignored'
take '.quiesce = "no"'
is "$(res '[.quiesced, (.warnings | length)] | join(" ")')" 'false 0' 'not asked for: no warning'
release
simctl set quiesce-ignored=0 >/dev/null
simctl fault quiesce-fault count=2 >/dev/null
take
is "$(res '[.quiesced, (.warnings | length)] | join(" ")')" 'true 0' 'two faults, and the third try works'
release
simctl fault quiesce-fault count=0 fault=FilesystemQuiesceFault >/dev/null
take
is "$(res .quiesced)" false 'faults for ever: without, if that is allowed'
like "$(res '.warnings | join(" ")')" 'FilesystemQuiesceFault' "with vCenter's reason"
release
take '.quiesce = "required"'
refused QuiesceFailed 'in 3 tries.*FilesystemQuiesceFault' 'faults for ever, and required'
simctl reset >/dev/null
simctl set task-ms=0 >/dev/null
simctl vm power vm=mixed on=0 >/dev/null
take '.quiesce = "required"'
is "$(res '[.quiesced, .power_state] | join(" ")')" 'false poweredOff' 'switched off: nobody to quiesce, and nothing that needs it'
release
simctl vm power vm=mixed on=1 >/dev/null
simctl vm suspended vm=mixed >/dev/null
take
like "$(res '.warnings | join(" ")')" 'suspended' 'suspended: with a warning'
release
take '.quiesce = "required"'
refused QuiesceFailed 'suspended' 'suspended, and required'

# Consolidation.
uuid=$(uuid_of pgtest1)
take
simctl disk fill vm=pgtest1 key=2001 bytes=1M seed=9 >/dev/null
simctl fault consolidation-needed >/dev/null
ok 'a removal that leaves deltas' release
is "$(res .consolidation_needed) $(simctl left | jq -c .consolidation_needed)" 'false []' 'is consolidated'
take
simctl disk fill vm=pgtest1 key=2001 bytes=1M seed=10 >/dev/null
simctl calls clear >/dev/null
simctl fault consolidation-needed >/dev/null
simctl fault task-error method=ConsolidateVMDisks_Task >/dev/null
ok 'a removal that leaves deltas, and vCenter cannot consolidate them' release
is "$(res '[.removed, .consolidation_needed] | join(" ")') $(simctl left | jq -c '[.consolidation_needed, .snapshots]')" '1 false [[],[]]' \
    'they go with a snapshot that is made and removed for that'
is "$(calls_of CreateSnapshot_Task)" 1 'one, and no more'
take
simctl disk fill vm=pgtest1 key=2001 bytes=1M seed=11 >/dev/null
simctl calls clear >/dev/null
simctl fault consolidation-needed count=0 >/dev/null
simctl fault task-error method=ConsolidateVMDisks_Task count=0 >/dev/null
release
is "$(res '[.removed, .consolidation_needed] | join(" ")')" '1 true' 'what could not be consolidated is told'
is "$(calls_of CreateSnapshot_Task) $(simctl left | jq -c .snapshots)" '1 []' 'after one such snapshot, which is gone'
# Of a file that somebody has open nothing can be merged: another delta would only be one more.
simctl faults clear >/dev/null
simctl fault task-error method=ConsolidateVMDisks_Task fault=FileLocked >/dev/null
simctl calls clear >/dev/null
release
is "$(res .consolidation_needed) $(calls_of CreateSnapshot_Task)" 'true 0' 'where a file is locked none is made'
# Below somebody's snapshot each delta is his.
simctl fault consolidation-needed count=0 >/dev/null
simctl fault task-error method=ConsolidateVMDisks_Task count=0 >/dev/null
simctl vm user-snapshot vm=pgtest1 >/dev/null
simctl calls clear >/dev/null
release
is "$(res .consolidation_needed) $(calls_of CreateSnapshot_Task)" 'true 0' 'beside a snapshot of a user none is made'
simctl faults clear >/dev/null
login >/dev/null
unsnapshot "$(simctl snapshots | jq -r '.[] | select(.user and .vm == "pgtest1").snapshot')" >/dev/null
logout >/dev/null
take
simctl disk fill vm=pgtest1 key=2001 bytes=1M seed=12 >/dev/null
simctl fault consolidation-needed count=2 >/dev/null
simctl fault task-error method=ConsolidateVMDisks_Task count=2 >/dev/null
release
is "$(res .consolidation_needed)" true 'it needs it once more'
ok 'the next snapshot consolidates first' take
is "$(res '.disks | length') $(simctl left | jq -c .consolidation_needed)" '2 []' 'and is whole'
release

# Tracking that cannot be switched on costs an increment, and leaves nothing.
simctl vm add name=plain disks=16M on=1 >/dev/null
uuid=$(uuid_of plain)
simctl fault task-error method=ReconfigVM_Task fault=NoPermission >/dev/null
ok 'tracking refused' take
is "$(res '[.cbt_enabled, .disks[0].verdict] | join(" ")')" 'false full' 'a full backup'
like "$(res '.warnings | join(" ")')" 'could not be switched on: .*NoPermission' 'that says why'
release
take '.cbt = "as-is"'
is "$(res '[.cbt_enabled, (.warnings | length)] | join(" ")')" 'false 0' 'as it is: not switched on'
release
clean 'all of it'
done_testing
