#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A disk that is taken off a machine without a file operation stays on its datastore with what it holds: it is moved there, attached to
# another machine under the key of its place, exchanged for another one in one reconfiguration, and deleted. What cannot be done as a
# whole is not done at all.
# Switches: detached

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -empty
simctl set task-ms=0 >/dev/null
simctl vm add name=a disks=16M:fill=2M,8M:fill=1M on=0 >/dev/null
simctl vm add name=b disks=4M:fill=1M on=0 >/dev/null
login >/dev/null
a=$(by_path DC0/vm/a) b=$(by_path DC0/vm/b)
dc=$(by_path DC0)
hash() { simctl disk hash vm="$1" key="$2" | jq -r .hash; }
loose() { simctl left | jq -c .loose_disks; } # detached
off() { # KEY [FILE-OPERATION]
    echo "<deviceChange><operation>remove</operation>${2:+<fileOperation>$2</fileOperation>}<device xsi:type=\"VirtualDisk\"><key>$1</key><capacityInKB>0</capacityInKB></device></deviceChange>"
}
on() { # UNIT FILE [CONTROLLER]
    echo "<deviceChange><operation>add</operation><device xsi:type=\"VirtualDisk\"><key>-1</key><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>$2</fileName><diskMode>persistent</diskMode></backing><controllerKey>${3:-1000}</controllerKey><unitNumber>$1</unitNumber><capacityInKB>0</capacityInKB></device></deviceChange>"
}
reconfig() { task_end "$(start_task ReconfigVM_Task VirtualMachine "$1" "<spec>$2</spec>")"; } # VM CHANGES
files() { # METHOD INNER
    task_end "$(start_task "$1" VirtualDiskManager virtualDiskManager "$2")"
}
move() { files MoveVirtualDisk_Task "<sourceName>$1</sourceName><sourceDatacenter type=\"Datacenter\">$dc</sourceDatacenter><destName>$2</destName><destDatacenter type=\"Datacenter\">$dc</destDatacenter>"; }
delete() { files DeleteVirtualDisk_Task "<name>$1</name><datacenter type=\"Datacenter\">$dc</datacenter>"; }
keys_of() { simctl vm list vm="$1" | jq -c '[.disks[].key]'; }

one=$(hash a 2000) two=$(hash a 2001) other=$(hash b 2000)
uuid=$(simctl vm list vm=a | jq -r '.disks[1].uuid')
is "$(loose)" '[]' 'no disk is loose'
is "$(reconfig "$a" "$(off 2001)")" success 'a disk is taken off'
is "$(keys_of a) $(loose)" '[2000] ["[datastore1] a/a_1.vmdk"]' 'the machine has it no more, its file is there'
is "$(reconfig "$b" "$(on 3 '[datastore1] a/a_1.vmdk')")" success 'it is attached to another machine'
is "$(keys_of b) $(hash b 2003)" "[2000,2003] $two" 'under the key of its place, with what it holds'
is "$(simctl vm list vm=b | jq -r '.disks[1].uuid')" "$uuid" 'and as the disk that it was'
is "$(loose)" '[]' 'it is loose no more'
is "$(reconfig "$a" "$(on 1 '[datastore1] a/a_1.vmdk')") $(task_fault)" 'error FileLocked' 'it hangs at one machine at a time'
is "$(delete '[datastore1] a/a_1.vmdk') $(task_fault)" 'error FileLocked' 'is not deleted while it does'
is "$(move '[datastore1] a/a_1.vmdk' '[datastore1] b/x.vmdk') $(task_fault)" 'error FileLocked' 'nor moved'

is "$(reconfig "$b" "$(off 2003)")" success 'taken off again'
is "$(move '[datastore1] a/a_1.vmdk' '[datastore1] b/b.vmdk') $(task_fault)" 'error FileAlreadyExists' 'it is not moved over another one'
is "$(move '[datastore1] a/none.vmdk' '[datastore1] b/c.vmdk') $(task_fault)" 'error FileNotFound' 'what is not there is not moved'
is "$(move '[datastore1] a/a_1.vmdk' '[datastore1] b/moved.vmdk')" success 'it is moved'
is "$(loose)" '["[datastore1] b/moved.vmdk"]' 'and lies there'
get "$(folder_url '[datastore1] b/moved.vmdk' -flat)" >"$TEST_TMP/flat"
is "$(simctl hash "$TEST_TMP/flat")" "$two" 'with what it holds'
like "$(get "$(folder_url '[datastore1] b/moved.vmdk' '')")" 'VMFS "moved-flat.vmdk"' 'and its descriptor names the new file'

# Exchanged in one reconfiguration, or not at all.
version() { props VirtualMachine "$1" config.changeVersion | xget val; }
was=$(version "$a")
is "$(reconfig "$a" "$(off 2000)$(on 0 '[datastore1] a/none.vmdk')") $(task_fault)" 'error FileNotFound' 'an exchange for what is not there'
is "$(keys_of a) $(hash a 2000) $(version "$a")" "[2000] $one $was" 'changes nothing'
is "$(reconfig "$a" "$(off 2000)$(on 0 '[datastore1] b/moved.vmdk')$(on 0 '[datastore1] b/moved.vmdk')")" error 'one that fails in its last part'
is "$(keys_of a) $(hash a 2000)" "[2000] $one" 'neither'
is "$(reconfig "$a" "<changeVersion>other</changeVersion>$(off 2000)") $(task_fault)" 'error ConcurrentAccess' 'one of a configuration that is not the present one'
is "$(keys_of a)" '[2000]' 'neither'
is "$(reconfig "$a" "<changeVersion>$was</changeVersion>$(off 2000)$(on 0 '[datastore1] b/moved.vmdk')")" success 'one disk for another at its place'
is "$(keys_of a) $(hash a 2000)" "[2000] $two" 'has its key, and its own content'
ok 'and the configuration is another one' test "$(version "$a")" != "$was"
is "$(loose)" '["[datastore1] a/a.vmdk"]' 'the other one lies where it lay'
is "$(reconfig "$a" "$(off 2000)$(on 0 '[datastore1] a/a.vmdk')")" success 'and back'
is "$(keys_of a) $(hash a 2000)" "[2000] $one" 'is what it was'
simctl disk write vm=a key=2000 offset=0 < <(head -c 4096 /dev/urandom) >/dev/null
ok 'and can be written' test "$(hash a 2000)" != "$one"

# What a machine takes along when it goes, and what not.
is "$(task_end "$(start_task Destroy_Task VirtualMachine "$b")")" success 'a machine is removed'
is "$(loose)" '[]' 'its folder goes with it, and what lay in there'
is "$(reconfig "$a" "$(off 2000)")" success 'a disk is taken off'
is "$(delete '[datastore1] a/a.vmdk')" success 'and deleted'
is "$(loose)" '[]' 'it is gone'
is "$(delete '[datastore1] a/a.vmdk') $(task_fault)" 'error FileNotFound' 'and is not deleted twice'
ok 'all of them were different' test "$other" != "$one"

# A disk that was tracked and is exchanged has no changes that anybody could ask for.
simctl vm add name=t disks=4M:fill=1M,4M:fill=1M cbt=1 on=0 >/dev/null
t=$(by_path DC0/vm/t)
snap=$(snapshot "$t" s)
id=$(disk_change_id VirtualMachineSnapshot "$snap" 2000)
unsnapshot "$snap" >/dev/null
is "$(reconfig "$t" "$(off 2001)")" success 'one of two tracked disks is taken off'
is "$(reconfig "$t" "$(off 2000)$(on 0 '[datastore1] t/t_1.vmdk')")" success 'and takes the place of the other'
snap=$(snapshot "$t" s)
is "$(areas "$t" "$snap" 2000 0 "$id" | fault_of)" FileFault 'the change id of the other is not its own'
unsnapshot "$snap" >/dev/null
logout >/dev/null
done_testing
