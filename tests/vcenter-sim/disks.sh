#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Disks of every kind: on SCSI, SATA and NVMe, independent, physical mappings,
# templates; and disks that are added, resized, removed or replaced between two
# backups, by the administrator's hand or by reconfiguration over SOAP.
# Switches: controllers independent rdm template disk-add disk-resize
# disk-replace disk-lost

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -zoo
login >/dev/null
keys() { props "$1" "$2" config.hardware.device | xpath "//*[local-name()='VirtualDevice'][@*[local-name()='type']='VirtualDisk']/*[local-name()='key']/text()" | paste -sd' '; }
backing() { disk_xml "$1" "$2" "$3" | xpath "string(/*/*[local-name()='backing']/*[local-name()='$4'])"; }
info() { simctl disk hash vm="$1" key="$2" | jq -r ".$3"; }

# controllers
mixed=$(by_path DC0/vm/mixed)
is "$(keys VirtualMachine "$mixed")" '2000 16000 32000' 'controllers: SCSI, SATA and NVMe keys'
devices=$(props VirtualMachine "$mixed" config.hardware.device)
like "$devices" 'type="VirtualNVMEController"' 'an NVMe controller'
like "$devices" 'type="VirtualAHCIController"' 'a SATA controller'
snap=$(snapshot "$mixed" s)
is "$(keys VirtualMachineSnapshot "$snap")" '2000 16000 32000' 'all are in the snapshot'
for key in 16000 32000; do
    get "$(folder_url "$(disk_file VirtualMachineSnapshot "$snap" $key)" -flat)" >"$TEST_TMP/disk"
    is "$(simctl hash "$TEST_TMP/disk")" "$(info mixed $key hash)" "disk $key reads right"
done
unsnapshot "$snap" >/dev/null

# independent
loner=$(by_path DC0/vm/loner)
tracking_on "$loner" >/dev/null
snap=$(snapshot "$loner" s)
is "$(backing VirtualMachineSnapshot "$snap" 2001 diskMode)" independent_persistent 'independent: the mode is shown'
is "$(disk_change_id VirtualMachineSnapshot "$snap" 2001)" '' 'it has no change id'
like "$(disk_change_id VirtualMachineSnapshot "$snap" 2000)" '/1$' 'its neighbour has'
is "$(disk_file VirtualMachine "$loner" 2001)" '[datastore1] loner/loner_1.vmdk' 'and no delta: it is not frozen'
is "$(simctl snapshots | jq -c '.[] | select(.vm == "loner") | [.disks[].key]')" '[2000]' 'the snapshot does not hold it'
is "$(areas "$loner" "$snap" 2001 0 '*' | fault_of)" InvalidArgument 'and tells nothing about it'
unsnapshot "$snap" >/dev/null

# rdm
mapped=$(by_path DC0/vm/mapped)
xml=$(disk_xml VirtualMachine "$mapped" 2001)
like "$xml" 'type="VirtualDiskRawDiskMappingVer1BackingInfo"' 'rdm: a raw device mapping'
like "$xml" '<compatibilityMode>physicalMode<' 'in physical mode'
like "$(disk_xml VirtualMachine "$mapped" 2000)" 'type="VirtualDiskFlatVer2BackingInfo"' 'its neighbour is an ordinary disk'
like "$(props VirtualMachine "$mapped" config)" 'physicalMode' 'the whole config shows it, too'
like "$(method RetrieveProperties PropertyCollector propertyCollector "<specSet><propSet><type>VirtualMachine</type><pathSet>config.hardware</pathSet></propSet><objectSet><obj type=\"VirtualMachine\">$mapped</obj></objectSet></specSet>")" \
    physicalMode 'and the old RetrieveProperties'
snap=$(snapshot "$mapped" s)
like "$snap" '^snapshot-' 'a snapshot is possible'
is "$(simctl snapshots | jq -c '.[] | select(.vm == "mapped") | [.disks[].key]')" '[2000]' 'without it'
unsnapshot "$snap" >/dev/null

# The guest writes whole sectors, within the disk, as much as it likes.
guest() { head -c "$2" /dev/zero | simctl disk write vm=mixed key=2000 offset="$1"; }
not_ok 'half a sector is refused' guest 0 100
not_ok 'so is a write beyond the end' guest $(((16 << 20) - 512)) 1024
not_ok 'and one at an odd place' guest 100 512
ok 'three and a half MiB are written' guest 512 $((7 << 19))
is "$(simctl disk read vm=mixed key=2000 offset=512 length=$((7 << 19)) | tr -d '\0' | wc -c)" 0 'all of them'

# template
golden=$(by_path DC0/vm/golden)
is "$(props VirtualMachine "$golden" config.template | xget val)" true 'template: it is one'
is "$(method CreateSnapshot_Task VirtualMachine "$golden" "$(snapshot_args x)" | fault_of)" NotSupported 'and cannot have a snapshot'
simctl vm template vm=golden on=0 >/dev/null
is "$(props VirtualMachine "$golden" config.template | xget val)" false 'it can become a machine'
simctl vm template vm=golden on=1 >/dev/null
is "$(props VirtualMachine "$golden" config.template | xget val)" true 'and a template again'

# disk-add
vm=$(by_path DC0/vm/Prod/pgtest1)
tracking_on "$vm" >/dev/null
simctl disk add vm=pgtest1 disk=32M:nvme:fill=1M >/dev/null
is "$(keys VirtualMachine "$vm")" '2000 2001 32000' 'disk-add: on another controller'
simctl disk add vm=pgtest1 disk=48M >/dev/null
is "$(keys VirtualMachine "$vm")" '2000 2001 32000 2002' 'and on the first'
snap=$(snapshot "$vm" s)
like "$(disk_change_id VirtualMachineSnapshot "$snap" 2002)" '/1$' 'the new disk is tracked from its first snapshot'
old=$(disk_change_id VirtualMachineSnapshot "$snap" 2002)
not_ok 'disk-resize is refused while there is a snapshot' simctl disk resize vm=pgtest1 key=2002 size=64M
unsnapshot "$snap" >/dev/null

# disk-resize
uuid=$(info pgtest1 2002 uuid)
simctl disk resize vm=pgtest1 key=2002 size=64M >/dev/null
is "$(disk_xml VirtualMachine "$vm" 2002 | xpath 'string(/*/*[local-name()="capacityInBytes"])')" $((64 << 20)) 'disk-resize: it has grown'
is "$(info pgtest1 2002 uuid)" "$uuid" 'and is the same disk'
snap=$(snapshot "$vm" s)
is "$(areas "$vm" "$snap" 2002 0 "$old" | fault_of)" FileFault 'the change id from before is void'
get "$(folder_url "$(disk_file VirtualMachineSnapshot "$snap" 2002)" -flat)" >"$TEST_TMP/disk"
is "$(stat -c %s "$TEST_TMP/disk")" $((64 << 20)) 'its file has grown, too'
is "$(simctl hash "$TEST_TMP/disk")" "$(info pgtest1 2002 hash)" 'and reads right'
old=$(disk_change_id VirtualMachineSnapshot "$snap" 2002)
unsnapshot "$snap" >/dev/null

# disk-replace
file=$(disk_file VirtualMachine "$vm" 2002)
simctl disk replace vm=pgtest1 key=2002 size=48M >/dev/null
is "$(keys VirtualMachine "$vm")" '2000 2001 32000 2002' 'disk-replace: the key is the same'
ok 'the disk is not' test "$(info pgtest1 2002 uuid)" != "$uuid"
ok 'nor its file' test "$(disk_file VirtualMachine "$vm" 2002)" != "$file"
is "$(info pgtest1 2002 capacity)" $((48 << 20)) 'nor its size'
simctl disk replace vm=pgtest1 key=2002 size=40M >/dev/null && simctl disk replace vm=pgtest1 key=2002 size=48M >/dev/null
is "$(info pgtest1 2002 capacity)" $((48 << 20)) 'and that as often as you like'
simctl disk lost vm=pgtest1 key=2002 >/dev/null
is "$(disk_xml VirtualMachine "$vm" 2002 | xpath "concat(//*[local-name()='capacityInKB'], //*[local-name()='capacityInBytes'])")" 0 \
    'disk-lost: it is shown without a capacity'
simctl disk lost vm=pgtest1 key=2002 on=0 >/dev/null
is "$(disk_xml VirtualMachine "$vm" 2002 | xpath "string(//*[local-name()='capacityInBytes'])")" $((48 << 20)) 'until it is back'
snap=$(snapshot "$vm" s)
is "$(areas "$vm" "$snap" 2002 0 "$old" | fault_of)" FileFault 'the old change id is void'
unsnapshot "$snap" >/dev/null
simctl disk remove vm=pgtest1 key=2002 >/dev/null
is "$(keys VirtualMachine "$vm")" '2000 2001 32000' 'a disk is removed'

# The same by SOAP, as a restore would do it.
edit=$(disk_xml VirtualMachine "$vm" 32000 | sed 's/XMLSchema-instance:type/xsi:type/g; s/<VirtualDevice /<device /; s/<\/VirtualDevice>/<\/device>/' |
    sed "s/<capacityInKB>[0-9]*</<capacityInKB>$((40 << 10))</; s/<capacityInBytes>[0-9]*</<capacityInBytes>$((40 << 20))</")
state=$(task_end "$(start_task ReconfigVM_Task VirtualMachine "$vm" "<spec><deviceChange><operation>edit</operation>$edit</deviceChange></spec>")")
is "$state $(info pgtest1 32000 capacity)" "success $((40 << 20))" 'ReconfigVM_Task resizes a disk'
add='<spec><deviceChange><operation>add</operation><fileOperation>create</fileOperation><device xsi:type="VirtualDisk"><key>-1</key><backing xsi:type="VirtualDiskFlatVer2BackingInfo"><fileName>[datastore1]</fileName><diskMode>persistent</diskMode></backing><controllerKey>1000</controllerKey><unitNumber>5</unitNumber><capacityInKB>16384</capacityInKB></device></deviceChange></spec>'
is "$(task_end "$(start_task ReconfigVM_Task VirtualMachine "$vm" "$add")")" success 'ReconfigVM_Task adds one'
is "$(simctl vm list vm=pgtest1 | jq '[.disks[].capacity] | length')" 4 'which is taken over'

# A machine goes with everything.
is "$(task_end "$(start_task Destroy_Task VirtualMachine "$mixed")")" error 'a running machine is not destroyed'
simctl vm power vm=mixed on=0 >/dev/null
is "$(task_end "$(start_task Destroy_Task VirtualMachine "$mixed")")" success 'a stopped one is'
is "$(by_path DC0/vm/mixed)" '' 'and found no more'
ok 'nor are its files' test ! -e "$sim/data/DC0-ds0/mixed"
simctl vm add name=fresh folder=a/b disks=1M,2M:sata >/dev/null
like "$(by_path DC0/vm/a/b/fresh)" '^vm-' 'a machine is added at run time'
simctl vm remove vm=fresh >/dev/null
is "$(by_path DC0/vm/a/b/fresh)" '' 'and removed'
not_ok 'a disk of nonsense is refused' simctl vm add name=bad disks=1M:floppy
done_testing
