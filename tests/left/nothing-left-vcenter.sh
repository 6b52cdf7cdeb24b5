#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# nothing-left at the vCenter peer: a snapshot, a session, a task, an import lease and an unmerged disk are planted by
# plain SOAP, and exactly these must be seen. The snapshot that the user made is not ours.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/left/plants.bash
. "$(dirname "$0")/plants.bash"

NOTHING_LEFT=$SENDENSE_SRC/tests/lib/nothing-left
look() { "$NOTHING_LEFT" --here --only vcenter --vcenter "$sim" "$@" 2>&1; }
[ "$EUID" -eq 0 ] || skip_all "nothing-left takes root"

sim_start -zoo
like "$(simctl snapshots all=1 | jq -c '[.[].user]')" true "a machine has a snapshot of its user"
is "$(look)$?" 0 "which is not ours: clean"
login >/dev/null
vm=$(by_path DC0/vm/Prod/pgtest1)
cluster=$(by_path DC0/host/DC0_C0)
pool=$(props ClusterComputeResource "$cluster" resourcePool | xget val)
folder=$(by_path DC0/vm/Prod)
logout >/dev/null

plant_session() { login >/dev/null; }
unplant_session() { logout >/dev/null; }
plants session sessions 'session [0-9a-f-]+ of'
plant_snapshot() { login >/dev/null && snap=$(snapshot "$vm" 'job 5') && logout >/dev/null; }
unplant_snapshot() { login >/dev/null && unsnapshot "$snap" && logout >/dev/null; }
plants snapshot snapshots '"job 5" of pgtest1'
plant_task() {
    login >/dev/null && simctl fault slow-task hold=1 >/dev/null &&
        task=$(start_task ReconfigVM_Task VirtualMachine "$vm" '<spec><annotation>held</annotation></spec>') && logout >/dev/null
}
unplant_task() { simctl faults clear >/dev/null && simctl tasks finish >/dev/null; }
plants task tasks 'of pgtest1 is running'
plant_unmerged() {
    login >/dev/null && snap=$(snapshot "$vm" unmerged) && simctl disk fill vm=pgtest1 key=2001 bytes=64K seed=9 >/dev/null &&
        simctl fault consolidation-needed >/dev/null && unsnapshot "$snap" >/dev/null && logout >/dev/null
}
unplant_unmerged() {
    login >/dev/null && task_end "$(start_task ConsolidateVMDisks_Task VirtualMachine "$vm")" && logout >/dev/null
}
plants unmerged consolidation 'pgtest1 needs consolidation'
plant_import() {
    login >/dev/null && lease=$(method ImportVApp ResourcePool "$pool" "<spec xsi:type=\"VirtualMachineImportSpec\"><configSpec><name>restored</name><guestId>otherGuest64</guestId><files><vmPathName>[datastore1]</vmPathName></files><deviceChange><operation>add</operation><device xsi:type=\"ParaVirtualSCSIController\"><key>1000</key><busNumber>0</busNumber><sharedBus>noSharing</sharedBus></device></deviceChange><deviceChange><operation>add</operation><fileOperation>create</fileOperation><device xsi:type=\"VirtualDisk\"><key>-10</key><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName></fileName><diskMode>persistent</diskMode></backing><controllerKey>1000</controllerKey><unitNumber>0</unitNumber><capacityInKB>1024</capacityInKB></device></deviceChange></configSpec></spec><folder type=\"Folder\">$folder</folder>" | xget returnval)
}
unplant_import() {
    props HttpNfcLease "$lease" state >/dev/null && props HttpNfcLease "$lease" state >/dev/null &&
        method HttpNfcLeaseAbort HttpNfcLease "$lease" >/dev/null && logout >/dev/null
}
# A lease belongs to the session that asked for it.
plants import "imports sessions" 'import lease .* of restored'

all_tried --only vcenter

# It cannot be asked: not clean.
like "$("$NOTHING_LEFT" --here --only vcenter 2>&1; echo "rc $?")" '^rc 2' "no peer named: could not look"
simctl stop
out=$(look)
is "$? $(grep -c '^could not look at' <<<"$out")" "2 5" "the peer is gone: could not look, five times"
look --vcenter "$TEST_TMP" >/dev/null
is $? 2 "a folder without a peer: could not look"
done_testing
