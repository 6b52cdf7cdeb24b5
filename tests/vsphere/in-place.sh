#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The disks of a VM that is there are exchanged for those of a backup: it stays the VM that it was, the new content stands before the old
# is touched, the old files stay until they are let go of, and what is given up is taken back. What would surprise somebody is refused
# before anything is made.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
# shellcheck source=tests/vsphere/import.bash
. "$(dirname "$0")/import.bash"
# shellcheck source=tests/vsphere/in-place.bash
. "$(dirname "$0")/in-place.bash"
vsphere_start -empty
web_up
web_is=$(who)
as_it_was 'before'

# The good case.
ok 'it is looked at' look || diag "$(cat "$TEST_TMP/result")"
is "$(res '[.disks[] | "\(.disk_key) \(.controller_key):\(.unit_number) \(.old_file) -> \(.new_file)"] | sort | join("; ")')" \
    "16000 15000:0 [datastore1] web/web_1.vmdk -> [datastore1] web/$mark-16000.vmdk; 2000 1000:0 [datastore1] web/web.vmdk -> [datastore1] web/$mark-2000.vmdk; 2004 1000:4 [fast disks] web/web.vmdk -> [fast disks] web/$mark-2004.vmdk" \
    'each disk has its place, its old file, and a name beside it'
as_it_was 'after the look'
ok 'the disks are made with a VM of their own' bring || diag "$(cat "$TEST_TMP/result")"
is "$(hashes)" "$old_hashes" 'meanwhile it is as it was'
is "$(res '[.disks[].datastore_path] | length')" 3 'where they were made is told'
ok 'they are exchanged' swap || diag "$(cat "$TEST_TMP/result")"
is "$(res '.result + " " + .path + " " + .power_state')" 'ok DC0/vm/Prod/web poweredOff' 'it is there, and off'
it_is 'the new content' "$new_hashes" '["[datastore1] web/web.vmdk","[datastore1] web/web_1.vmdk","[fast disks] web/web.vmdk"]'
simctl calls clear >/dev/null
ok 'asked for once more' swap
is "$(calls_of ReconfigVM_Task)" 0 'nothing is done twice'
ok 'it is kept' keep '.power_on = true' || diag "$(cat "$TEST_TMP/result")"
is "$(res '.power_state + " " + (.left | tojson) + (.kept_files | tojson)')" 'poweredOn [][]' 'and switched on'
it_is 'kept' "$new_hashes" '[]'
ok 'kept once more' keep
simctl vm power vm=web on=0 >/dev/null

# And back, by another restore; the files of before stay when that is wanted.
old_hashes=$(hashes) old_files=$(files_of)
mark=sendense-test-8-1
look && bring && swap
ok 'another one is kept, and the files too' keep '.keep_disks = true'
is "$(res '.kept_files | sort | join(" ")')" "[datastore1] web/sendense-test-7-1-16000.vmdk [datastore1] web/sendense-test-7-1-2000.vmdk [fast disks] web/sendense-test-7-1-2004.vmdk" 'they are told'
is "$(simctl left | jq -c .loose_disks)" '["[datastore1] web/sendense-test-7-1-16000.vmdk","[datastore1] web/sendense-test-7-1-2000.vmdk","[fast disks] web/sendense-test-7-1-2004.vmdk"]' 'and lie there'
keep
old_hashes=$(hashes) old_files=$(files_of)
mark=sendense-test-9-1

# Given up, in each of its steps.
look
: >"$TEST_TMP/import"
echo '{}' >"$TEST_TMP/import"
ok 'given up before anything was made' give_up "$(planned_disks)" || diag "$(cat "$TEST_TMP/result")"
as_it_was 'given up before anything was made'
bring
ok 'given up when the disks are made' give_up || diag "$(cat "$TEST_TMP/result")"
as_it_was 'given up when the disks are made'
bring
swap
ok 'given up when they are exchanged' give_up || diag "$(cat "$TEST_TMP/result")"
as_it_was 'given up when they are exchanged'
ok 'given up once more' give_up
as_it_was 'given up once more'

# Somebody uses it: nothing of his is touched.
look && bring && swap
version=$(jq -r .change_version "$TEST_TMP/in-place-swap")
new_files=$(files_of)
simctl vm power vm=web on=1 >/dev/null
ok 'one that somebody has switched on is not taken back, which is the end of it' give_up
like "$(res .used)" 'keeps the disks of a restore that was given up, because it is switched on. Those of before lie where they lay, .datastore1. web/' 'and why, and where the others are'
is "$(res '.old_files | length')" 3 'each of them is told'
is "$(files_of)" "$new_files" 'it keeps what it runs on'
simctl vm power vm=web on=0 >/dev/null
with_version() { swap_filter | sed "s/$/ | .keep = false | .change_version = \"$version\"/"; }
ok 'when it is off again' verb in-place-end "$(with_version)"
like "$(res .used)" 'because its configuration has changed since' 'it has been used, and stays so'
is "$(files_of)" "$new_files" 'it keeps what it has'
ok 'where nobody knows what the exchange told' verb in-place-end "$(swap_filter) | .keep = false"
like "$(res .used)" 'because nobody knows whether somebody has used it since they were exchanged' 'it may have been used, and nothing is taken back'
is "$(files_of) $(simctl left | jq '.loose_disks | length')" "$new_files 3" 'nor deleted'
# In the way for a while, and no use: it is asked again.
swap
version=$(res .change_version)
simctl vm user-snapshot vm=web >/dev/null
ok 'one with a snapshot' verb in-place-end "$(with_version)"
like "$(res .used)" 'because it has snapshots' 'is used'
simctl fault consolidation-needed >/dev/null
is "$(unsnapshot "$(simctl snapshots | jq -r '.[0].snapshot')")" success 'its snapshot goes, and a delta stays'
swap
version=$(res .change_version)
verb in-place-end "$(with_version)"
is "$(res .error_name)" com.sendense.Error.VmNotUsable 'one that needs consolidation is not taken back yet: VmNotUsable'
like "$(res .error_text)" 'needs consolidation of its disks' 'which is no use of it'
task=$(start_task ConsolidateVMDisks_Task VirtualMachine "$web" '')
is "$(task_end "$task")" success 'its disks are consolidated'
swap
version=$(res .change_version)
ok 'then it is given back' verb in-place-end "$(with_version)"
as_it_was 'taken back later'
look && bring && swap
version=$(jq -r .change_version "$TEST_TMP/in-place-swap")
ok 'one that nobody has touched is given back' verb in-place-end "$(with_version)"
as_it_was 'untouched'

# The host where it is registered takes nothing new: the disks are made at another one of its cluster.
simctl host state host=DC0-esx0 maintenance=1 >/dev/null
look
not_ok 'its host is in maintenance mode, and there is no other' bring
like "$(res '.error_name + " " + .error_text')" 'TargetFailed no host .* takes a new VM now: the host DC0-esx0 is in maintenance mode; end that, or move' 'which is told'
simctl host add name=DC0-esx1 >/dev/null
ok 'with another one beside it they are made there' bring || diag "$(cat "$TEST_TMP/result")"
swap
ok 'and given up' give_up
simctl host state host=DC0-esx0 >/dev/null
as_it_was 'by another host'
look && bring
simctl vm power vm=web on=1 >/dev/null
swap
is "$(res .error_name)" com.sendense.Error.VmNotUsable 'one that somebody has switched on gets no other disks: VmNotUsable'
like "$(res .error_text)" 'web is switched on; switch it off' 'and says so'
ok 'what was made is removed all the same' give_up
simctl vm power vm=web on=0 >/dev/null
as_it_was 'switched on meanwhile'
look && bring
simctl vm user-snapshot vm=web >/dev/null
swap
like "$(res .error_text)" "has 1 snapshots, 'before the update' among them; remove them" 'nor one that got a snapshot meanwhile'
ok 'what was made is removed beside the snapshot' give_up || diag "$(cat "$TEST_TMP/result")"
is "$(vms) $(simctl left | jq -c .loose_disks)" "$vms_before []" 'nothing else is'

# Refused before anything is made.
refuses() { # NAME ERROR TEXT [JQ]
    simctl calls clear >/dev/null
    look "${4:-.}"
    is "$(res .error_name)" "com.sendense.Error.$2" "$1: $2"
    like "$(res .error_text)" "$3" "$1: says why"
    is "$(calls_of ReconfigVM_Task) $(calls_of ImportVApp)" '0 0' "$1: nothing is done"
}
refuses 'a VM with a snapshot' VmNotUsable "web has 1 snapshots, 'before the update' among them; remove them, or restore it as a new VM"
refuses 'a VM with a snapshot, by force' VmNotUsable 'remove them' '.force = true'
ref=$(simctl snapshots | jq -r '.[0].snapshot')
is "$(unsnapshot "$ref")" success 'the snapshot goes'
old_hashes=$(hashes)
simctl vm power vm=web on=1 >/dev/null
refuses 'a VM that runs' VmNotUsable 'web is switched on; switch it off; nothing is restored into a VM that runs' '.force = true'
simctl vm suspended vm=web >/dev/null
refuses 'a VM that is suspended' VmNotUsable 'is suspended' '.force = true'
simctl vm power vm=web on=1 >/dev/null
simctl vm power vm=web on=0 >/dev/null
refuses 'a VM that is not there' VmMissing 'no VM with the instance UUID' '.instance_uuid = "00000000-0000-0000-0000-000000000000"'
refuses 'a controller that is gone' VmNotUsable 'disk 16000 .*no VirtualAHCIController 3 any more. Restore it as a new VM' '(.hardware.controllers[] | select(.key == 15000).bus_number) = 3'
refuses 'a controller of another kind' VmNotUsable 'ParaVirtualSCSIController now where it had a VirtualLsiLogicController then.*--force' '(.hardware.controllers[] | select(.key == 1000).type) = "VirtualLsiLogicController"'
refuses 'another firmware' VmNotUsable 'firmware efi now and had bios then' '.hardware.firmware = "bios"'
refuses 'a disk that the backup does not have' VmNotUsable 'disk 2004 .*is not in the backup, and stays as it is now .--force goes on' 'del(.disks[2])'
refuses 'a place that is empty now' VmNotUsable 'no disk any more where the disk 2000 of the backup was' '(.hardware.disks[] | select(.key == 2000).unit_number) = 9'
refuses 'a disk that no record knows' VmNotUsable 'disk 2009 .*nothing of its place' '.disks[0].disk_key = 2009'
refuses 'a mark that is a path' InvalidArgument 'mark' '.mark = "../x"'
simctl vm encrypted vm=web >/dev/null
refuses 'an encrypted disk' VmNotUsable 'disk 2000 .* of DC0/vm/Prod/web is encrypted by vSphere, and what comes into its place is not .--force goes on'
ok 'an encrypted disk, by force' look '.force = true'
is "$(res '[.warnings[] | select(test("is encrypted by vSphere"))] | length')" 3 'an encrypted disk, by force: each is told'
simctl vm encrypted vm=web on=0 >/dev/null
simctl disk add vm=web disk=4M:rdm >/dev/null
rdm=$(simctl vm list vm=web | jq '.disks[] | select(.rdm).key')
refuses 'a raw device beside' VmNotUsable "disk $rdm .*is not in the backup"
simctl disk remove vm=web key="$rdm" >/dev/null
as_it_was 'after the refusals'

# By force: what is not in the backup stays, what the VM has no more comes back.
before=$(hashes)
ok 'only two of three disks, by force' look 'del(.disks[2]) | .force = true'
like "$(res '.warnings | join(" ")')" 'disk 2004 .*stays as it is now' 'with a warning'
disks_all=$disks
disks=$(jq -c 'del(.[2])' <<<"$disks")
bring && swap
is "$(hashes)" "$(grep -v ^2004 <<<"$new_hashes"; grep ^2004 <<<"$before")" 'two are exchanged, the third is as it was'
ok 'and given up' give_up
as_it_was 'two of three, given up'
disks=$disks_all
task=$(start_task ReconfigVM_Task VirtualMachine "$web" '<spec><deviceChange><operation>remove</operation><fileOperation>destroy</fileOperation><device xsi:type="VirtualDisk"><key>2004</key><backing xsi:type="VirtualDiskFlatVer2BackingInfo"><fileName>[fast disks] web/sendense-test-8-1-2004.vmdk</fileName><diskMode>persistent</diskMode></backing><capacityInKB>0</capacityInKB></device></deviceChange></spec>')
is "$(task_end "$task")" success 'a disk is taken away from it'
old_hashes=$(hashes) old_files=$(files_of)
ok 'it is brought back by force' look '.force = true'
bring && swap
is "$(hashes)" "$new_hashes" 'with the others'
ok 'and given up, the place is empty again' give_up
as_it_was 'an empty place, given up'

# vCenter's no: before the exchange, in it, and where files are removed.
says_no() { # NAME METHOD FAULT AT TEXT: of the swap, which is then given up
    look '.force = true' && bring
    simctl fault task-error method="$2" fault="$3" at="$4" >/dev/null
    swap
    is "$(res .result)" failed "$1: it fails"
    like "$(res .error_text)" "$5" "$1: with vCenter's words"
    simctl faults clear >/dev/null
    ok "$1: given up" give_up || diag "$(cat "$TEST_TMP/result")"
    as_it_was "$1"
}
says_no 'the disks cannot be taken off' ReconfigVM_Task GenericVmConfigFault 1 'cannot be taken off the VM that they were made with.*GenericVmConfigFault'
says_no 'a disk cannot be moved' MoveVirtualDisk_Task NoDiskSpace 2 'NoDiskSpace'
says_no 'the exchange is refused' ReconfigVM_Task GenericVmConfigFault 2 'does not exchange the disks.*GenericVmConfigFault'
look '.force = true' && bring && swap
simctl fault task-error method=DeleteVirtualDisk_Task fault=FileLocked count=1 >/dev/null
ok 'kept, and one old file cannot be removed' keep '.power_on = true'
is "$(res '.left | length') $(res .power_state)" '1 poweredOn' 'it is told, and the VM runs'
like "$(res '.left[0].why')" FileLocked 'and why'
simctl faults clear >/dev/null
ok 'asked again' keep
is "$(res '.left | length')" 0 'it goes'
it_is 'at the end' "$new_hashes" '[]'

# An old disk that another VM has got meanwhile is that VM's.
simctl vm power vm=web on=0 >/dev/null
old=$(jq -r '.[0]' <<<"$(files_of)")
mark=sendense-test-10-1
look && bring && swap
simctl vm add name=other folder=Prod disks=4M on=0 >/dev/null
other=$(by_path DC0/vm/Prod/other)
task=$(start_task ReconfigVM_Task VirtualMachine "$other" "<spec><deviceChange><operation>add</operation><device xsi:type=\"VirtualDisk\"><key>-1</key><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>$old</fileName><diskMode>persistent</diskMode></backing><controllerKey>1000</controllerKey><unitNumber>5</unitNumber><capacityInKB>0</capacityInKB></device></deviceChange></spec>")
is "$(task_end "$task")" success 'an old disk is given to another VM'
simctl vm inaccessible vm=other >/dev/null
simctl calls clear >/dev/null
ok 'that VM is inaccessible' keep
like "$(res '.warnings | join(" ")')" "${old//[][]/.} hangs at DC0/vm/Prod/other, or may, so it stays" 'whatever is not known to be free stays'
is "$(calls_of DeleteVirtualDisk_Task)" 0 'all of it'
simctl vm inaccessible vm=other on=0 >/dev/null
simctl calls clear >/dev/null
ok 'kept all the same' keep
like "$(res '.warnings | join(" ")')" "${old//[][]/.} hangs at DC0/vm/Prod/other, or may, so it stays" 'the other one keeps it, and that is told'
is "$(res '.left | length') $(calls_of DeleteVirtualDisk_Task)" '0 2' 'only the others are removed'
is "$(simctl vm list vm=other | jq '.disks | length')" 2 'it has its two disks'
simctl vm remove vm=other >/dev/null
known=".vm_moref = \"$web\""
simctl vm inaccessible vm=web >/dev/null
keep "$known"
is "$(res .error_name)" com.sendense.Error.VmNotUsable 'one that is inaccessible is not one that is gone'
like "$(res .error_text)" "the VM 'web' .* inaccessible" 'and why is told'
simctl vm inaccessible vm=web on=0 >/dev/null
ok 'it is back' keep "$known"
is "$(res .vm_missing)" null 'and not missing'
mark=sendense-test-11-1
look && bring
made=$(res .vm_moref)
simctl vm inaccessible vm=sendense-restore-test >/dev/null
give_up '' ".staging_moref = \"$made\""
is "$(res .error_name)" com.sendense.Error.VmNotUsable 'given up while the VM of the new disks is inaccessible: it is owed'
simctl vm inaccessible vm=sendense-restore-test on=0 >/dev/null
ok 'when it is back' give_up '' ".staging_moref = \"$made\""
is "$(vms)" "$vms_before" 'it goes'
simctl vm remove vm=web >/dev/null
ok 'one that somebody has removed since' keep "$known"
is "$(res '.vm_missing')" true 'is missing, and no failure'
like "$(res '.warnings[0]')" 'was removed meanwhile' 'with a word about its files'
done_testing
