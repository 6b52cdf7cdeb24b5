#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Calls and tasks that go wrong on order: each fault does what it says, once,
# at the call it was set to, and nothing else; then the peer is as before.
# Switches: soap-fault task-error remove-snapshot-fails quiesce-fault
# quiesce-ignored slow-task task-ms cut-answer drop-connection empty-500
# http-503 delay

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start
login >/dev/null
vm=$(by_path DC0/vm/Prod/pgtest1)
clock() { method CurrentTime ServiceInstance ServiceInstance; }
count() { simctl snapshots | jq length; }
create() { # [QUIESCE]: starts a snapshot and waits; prints the state
    task_end "$(start_task CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args x "${1:-false}")")"
}
clean() { for s in $(simctl snapshots | jq -r '.[].snapshot'); do unsnapshot "$s" >/dev/null; done; }

# soap-fault
simctl fault soap-fault method=CurrentTime fault=NoPermission at=2 count=2 message='no & never' >/dev/null
got=
for _ in 1 2 3 4; do got+="$(clock | fault_of),"; done
is "$got" ',NoPermission,NoPermission,,' 'soap-fault: at the second call, twice'
is "$(simctl faults | jq -c '.[] | [.seen, .fired]')" '[4,2]' 'and the rule has counted'
simctl faults clear >/dev/null
simctl fault soap-fault method='Retrieve*' fault=NotAuthenticated count=0 >/dev/null
is "$(props VirtualMachine "$vm" name | fault_of)$(props VirtualMachine "$vm" name | fault_of)" NotAuthenticatedNotAuthenticated \
    'soap-fault: patterns, and for ever'
simctl reset >/dev/null
is "$(props VirtualMachine "$vm" name | fault_of)" '' 'until reset'
simctl fault soap-fault method=FindByInventoryPath fault=NoPermission vm=other >/dev/null
is "$(by_path DC0/vm/Prod/pgtest1)" "$vm" 'a rule for another machine does not act'
simctl faults clear >/dev/null
not_ok 'an unknown fault is refused' simctl fault soap-fault method=Login fault=Nonsense
not_ok 'so is an unknown switch' simctl fault nonsense
not_ok 'an unknown parameter' simctl fault delay ms=1 nonsense=1
not_ok 'and a setting that does not exist' simctl set nonsense=1

# HTTP that breaks
simctl fault empty-500 method=CurrentTime >/dev/null
is "$(clock | wc -c) $(status)" '0 500' 'empty-500: no body'
simctl fault http-503 method=CurrentTime >/dev/null
like "$(clock) $(status)" 'HTML.* 503$' 'http-503: a page that is no SOAP'
is "$(clock | fault_of) $(status)" ' 200' 'then as before'
simctl fault drop-connection method=CreateSnapshot_Task >/dev/null
method CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args x)" >/dev/null
is "$(grep -o '000$' "$TEST_TMP/status")$(count)" 0000 'drop-connection: no answer and no snapshot'
simctl fault cut-answer method=CreateSnapshot_Task bytes=300 >/dev/null
is "$(method CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args x)" | wc -c)" 300 'cut-answer: 300 bytes'
ok 'but the snapshot comes' eventually 30 sh -c "[ \$('$simdir/simctl' -C '$sim' snapshots | jq length) = 1 ]"
like "$(props VirtualMachine "$vm" recentTask)" 'task-[0-9]+' 'and recentTask knows the task'
clean
simctl fault cut-answer method=CreateSnapshot_Task bytes=-1 >/dev/null
method CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args x)" >/dev/null
is "$(grep -o '000$' "$TEST_TMP/status")" 000 'cut-answer bytes=-1: not even a header'
ok 'and the snapshot comes all the same' eventually 30 sh -c "[ \$('$simdir/simctl' -C '$sim' snapshots | jq length) = 1 ]"
clean
simctl fault delay method=CurrentTime ms=300 >/dev/null
t=${EPOCHREALTIME/[.,]/}
clock >/dev/null
ok 'delay: 300 ms' test $((${EPOCHREALTIME/[.,]/} - t)) -ge 300000

# Tasks that end in error
simctl fault task-error fault=FileLocked >/dev/null
is "$(create) $(task_fault) $(count)" 'error FileLocked 0' 'task-error: the task ends in error and did nothing'
is "$(create) $(count)" 'success 1' 'the next one works'
snap=$(simctl snapshots | jq -r '.[0].snapshot')
simctl fault remove-snapshot-fails >/dev/null
is "$(unsnapshot "$snap") $(task_fault) $(count)" 'error GenericVmConfigFault 1' 'remove-snapshot-fails: the snapshot stays'
is "$(unsnapshot "$snap") $(count)" 'success 0' 'and goes at the second try'
simctl fault quiesce-fault >/dev/null
is "$(create false) $(count)" 'success 1' 'quiesce-fault: a snapshot without quiescing works'
clean
is "$(create true) $(task_fault) $(count)" 'error ApplicationQuiesceFault 0' 'a quiesced one ends in its fault'
is "$(simctl tasks all=1 | jq -r '.[-1] | .state + " " + .error')" 'error ApplicationQuiesceFault' 'the list of tasks knows'
quiesced() { props VirtualMachine "$vm" snapshot.rootSnapshotList | xget quiesced; }
is "$(create true) $(quiesced)" 'success true' 'a quiesced snapshot says so'
clean
simctl set quiesce-ignored=1 >/dev/null
is "$(create true) $(quiesced)" 'success false' 'quiesce-ignored: it was not, and only the tree tells'
clean
simctl set quiesce-ignored=0 >/dev/null
task=$(start_task CreateSnapshotEx_Task VirtualMachine "$vm" '<name>ex</name><memory>false</memory><quiesceSpec><timeout>5</timeout></quiesceSpec>')
is "$(task_end "$task") $(quiesced)" 'success true' 'CreateSnapshotEx_Task works, too'
clean

# Slow tasks
state() { props Task "$1" info.state | xget val; }
simctl fault slow-task polls=3 >/dev/null
task=$(start_task CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args slow)")
got="$(count)"
for _ in 1 2 3; do got+=" $(state "$task")"; done
is "$got $(count)" '0 running running success 1' 'slow-task polls=3: done at the third look, and not before'
snap=$(simctl snapshots | jq -r '.[0].snapshot')
simctl fault slow-task hold=1 method=RemoveSnapshot_Task >/dev/null
task=$(start_task RemoveSnapshot_Task VirtualMachineSnapshot "$snap" '<removeChildren>false</removeChildren>')
is "$(state "$task") $(count)" 'running 1' 'slow-task hold=1: it runs, the snapshot is still there'
is "$(simctl left | jq -r '.tasks[0] | .method + " " + .vm')" 'RemoveSnapshot_Task pgtest1' 'and it counts as left behind'
is "$(method CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args y)" | fault_of)" TaskInProgress 'a busy machine refuses another task'
simctl sessions kill >/dev/null
is "$(clock | fault_of)" NotAuthenticated 'the session dies'
is "$(simctl tasks | jq length)" 1 'the task does not'
simctl tasks finish id="$task" >/dev/null
is "$(simctl tasks | jq length) $(count)" '0 0' 'and ends on order'
rm -f "$jar"
login >/dev/null
simctl fault slow-task ms=400 >/dev/null
t=${EPOCHREALTIME/[.,]/}
is "$(create)" success 'slow-task ms=400'
ok 'took that long' test $((${EPOCHREALTIME/[.,]/} - t)) -ge 400000
clean
simctl set task-ms=0 >/dev/null
task=$(start_task CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args quick)")
is "$(state "$task")" success 'task-ms=0: done at the first look'
clean
is "$(simctl left | jq -c 'del(.sessions)')" '{"consolidation_needed":[],"leases":[],"loose_disks":[],"snapshots":[],"tasks":[]}' 'nothing is left'
logout >/dev/null
is "$(simctl left | jq -c '[.[] | length] | add')" 0 'nothing at all'
done_testing
