#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# No snapshot stays behind: not when its task ends in error or was still running, not after SIGTERM at any moment,
# not when the removal fails at first. And one that vCenter will not give up is called left.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -zoo
uuid=$(uuid_of mixed)
take >/dev/null
release >/dev/null

# Tasks that end in error.
simctl fault task-error method=CreateSnapshot_Task fault=FileLocked >/dev/null
take
refused SnapshotFailed 'FileLocked' 'a task that ends in error'
simctl fault task-error method=CreateSnapshot_Task fault=TooManySnapshotLevels >/dev/null
take
refused SnapshotFailed 'TooManySnapshotLevels' 'another one'

# Slow tasks are waited for, as long as it takes.
simctl fault slow-task method=CreateSnapshot_Task polls=5 >/dev/null
ok 'a slow task is waited for' take
simctl fault slow-task method=RemoveSnapshot_Task polls=5 >/dev/null
ok 'and so is a slow removal' release
clean 'slow tasks'

# The answer that names the task is lost while the task still runs.
simctl fault slow-task method=CreateSnapshot_Task ms=700 >/dev/null
simctl fault cut-answer method=CreateSnapshot_Task bytes=-1 >/dev/null
take
refused VCenterUnreachable 'no answer' 'a lost answer while the task runs'
is "$(simctl snapshots all=1 | jq -r 'last.name')" "$snapshot_name" 'the snapshot was made all the same, later'

# begin [JQ]: the program itself, so that a signal reaches it.
begin() {
    jq -nc --argjson vcenter "$vcenter" --arg uuid "$uuid" --arg name "$snapshot_name" '{vcenter: $vcenter, instance_uuid: $uuid,
        name: $name, leftover_prefix: "sendense-inst1-", quiesce: "auto", cbt: "enable", quiesce_wait_msec: 60000} | '"${1:-.}" >"$TEST_TMP/spec"
    timeout 120 "$vsphere_bin" snapshot <"$TEST_TMP/spec" >"$TEST_TMP/result" 2>"$TEST_TMP/stderr" &
    pid=$!
}
running() { [ "$(simctl tasks | jq "[.[] | select(.method == \"$1\")] | length")" -gt 0 ]; }
simctl fault slow-task method=CreateSnapshot_Task hold=1 >/dev/null
begin
ok 'the snapshot is being made' eventually 30 running CreateSnapshot_Task
kill "$pid"
simctl set task-ms=0 >/dev/null
ok 'after SIGTERM it logs in anew' eventually 30 sh -c "[ \$('$simdir/simctl' -C '$sim' calls | jq '[.[] | select(.method == \"Login\")] | length') -ge 2 ]"
simctl tasks finish >/dev/null
wait "$pid"
refused Cancelled 'cancelled' 'SIGTERM while the task runs'
is "$(simctl snapshots all=1 | jq -r 'last.name')" "$snapshot_name" 'the snapshot was made, and removed'

# Somebody else remembers it: then no task of vCenter is waited for until the unit is killed, and nobody stays logged in.
simctl fault slow-task method=CreateSnapshot_Task hold=1 >/dev/null
begin '.undo_sec = 1'
ok 'another one is being made' eventually 30 running CreateSnapshot_Task
kill "$pid"
wait "$pid"
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'SIGTERM while the task hangs: it ends, and says that a snapshot may be left'
is "$(simctl left | jq -c .sessions)" '[]' 'and is logged out'
simctl tasks finish >/dev/null
is "$(ours)" "$snapshot_name" 'the snapshot came later'
release >/dev/null
clean 'the one who remembers'
simctl set quiesce-ignored=1 >/dev/null
simctl fault slow-task method=RemoveSnapshot_Task hold=1 >/dev/null
begin '.undo_sec = 3600 | .quiesce = "required"'
ok 'one that fails is being removed' eventually 30 running RemoveSnapshot_Task
kill "$pid"
wait "$pid"
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'SIGTERM while its removal hangs: the same'
simctl set quiesce-ignored=0 >/dev/null
simctl tasks finish >/dev/null
release >/dev/null
clean 'that, too'

simctl fault quiesce-fault count=0 >/dev/null
begin
ok 'it waits between two tries' eventually 30 sh -c "'$simdir/simctl' -C '$sim' faults | jq -e '.[0].fired > 0'"
kill "$pid"
wait "$pid"
simctl faults clear >/dev/null
refused Cancelled 'cancelled' 'SIGTERM between two tries'
mkfifo "$TEST_TMP/quiet"
"$vsphere_bin" test <>"$TEST_TMP/quiet" >"$TEST_TMP/result" 2>/dev/null &
pid=$!
eventually 30 grep -q '^SigBlk:.*4003$' "/proc/$pid/status" >/dev/null # it has begun to wait for signals
kill "$pid"
wait "$pid"
is "$? $(res .error_name)" '1 com.sendense.Error.Cancelled' 'SIGTERM while nobody has said what to do'

# A login is waited for, though not for long: a session whose cookie nobody has read stays.
simctl fault delay method=Login ms=2500 >/dev/null
begin
ok 'a login takes its time' eventually 30 sh -c "'$simdir/simctl' -C '$sim' faults | jq -e '.[0].fired > 0'"
kill "$pid"
wait "$pid"
simctl faults clear >/dev/null
refused Cancelled 'cancelled' 'SIGTERM in the middle of a login'

# SIGTERM at each call: it is seen before the next one.
simctl calls clear >/dev/null
take >/dev/null
n=$(simctl calls | jq length)
release >/dev/null
bad=
for ((k = 2; k <= n; k += 3)); do
    simctl fault delay 'method=*' at=$k ms=150 >/dev/null
    begin
    eventually 30 sh -c "'$simdir/simctl' -C '$sim' faults | jq -e '.[0].fired > 0'" >/dev/null
    kill "$pid"
    wait "$pid"
    case $(res '.error_name // .result') in
    com.sendense.Error.Cancelled) nothing_left || bad+="call $k: $(simctl left); " ;;
    ok) release >/dev/null ;;
    *) bad+="call $k: $(cat "$TEST_TMP/result"); " ;;
    esac
    simctl faults clear >/dev/null
done
is "$bad" '' "SIGTERM at each third of $n calls"

# Removals that fail.
take >/dev/null
simctl fault remove-snapshot-fails count=2 >/dev/null
ok 'a removal that fails twice' release
clean 'a removal that fails twice'
take >/dev/null
simctl fault remove-snapshot-fails count=0 >/dev/null
release
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'a removal that fails for ever: the snapshot is left'
like "$(res .error_text)" "$snapshot_name of DC0/vm/mixed stays" 'and is named'
is "$(ours)" "$snapshot_name" 'it is'
simctl faults clear >/dev/null
ok 'asked again, it goes' release
clean 'the retry'
simctl fault remove-snapshot-fails count=0 >/dev/null
simctl set quiesce-ignored=1 >/dev/null
take '.quiesce = "required"'
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'a failed job whose snapshot stays says so'
like "$(res .error_text)" 'without quiescing' 'and still says why it failed'
simctl reset >/dev/null
simctl set task-ms=0 >/dev/null
release >/dev/null
clean 'that, too'

# What is shown for a while after its removal is looked at again, and not at once.
take >/dev/null
simctl fault snapshot-lingers ms=1500 >/dev/null
ok 'a snapshot that is shown for a while still' release || diag "$(cat "$TEST_TMP/result")"
simctl faults clear >/dev/null
clean 'that, too'

# A VM of which vCenter has lost sight has no UUID, and its snapshot is there all the same.
take >/dev/null
vm=$(res .vm_moref)
known=".vm_moref = \"$vm\""
simctl vm inaccessible vm=mixed >/dev/null
release "$known"
is "$(res .error_name)" com.sendense.Error.VmNotUsable 'a VM that is inaccessible is not one that is gone'
like "$(res .error_text)" "the VM 'mixed' \($vm\) is there and inaccessible at vCenter.*look at its host" 'and why is told'
release "$known | .instance_uuid = null | del(.instance_uuid) | .path = \"DC0/vm/mixed\""
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'found by its path, it shows no snapshot: that is not believed'
like "$(res .error_text)" 'DC0/vm/mixed is inaccessible at vCenter, so nobody can see whether it has a snapshot' 'and why is told, too'
is "$(ours)" "$snapshot_name" 'it has it'
simctl vm inaccessible vm=mixed on=0 >/dev/null
ok 'when it is back' release "$known"
is "$(res '"\(.removed) \(.vm_missing)"')" '1 false' 'it goes'
clean 'a VM that was inaccessible'
simctl fault slow-task method=CreateSnapshot_Task hold=1 >/dev/null
begin
ok 'one is being made' eventually 30 running CreateSnapshot_Task
simctl vm inaccessible vm=mixed >/dev/null
kill "$pid"
simctl tasks finish >/dev/null
wait "$pid"
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'SIGTERM, and the VM is inaccessible: one may be left'
is "$(ours)" "$snapshot_name" 'it is'
simctl vm inaccessible vm=mixed on=0 >/dev/null
release >/dev/null
clean 'one that was made meanwhile'

# Another instance UUID makes no other VM of it; and one that is gone is gone.
simctl vm add name=moved disks=16M >/dev/null
uuid=$(uuid_of moved)
take >/dev/null
known=".vm_moref = \"$(res .vm_moref)\""
simctl vm same-uuid vm=moved as=mixed >/dev/null
ok 'a VM that has another UUID meanwhile' release "$known"
is "$(res '"\(.removed) \(.vm_missing)"') $(ours)" '1 false ' 'is the one that it was'
ok 'one that has it not' release "$known"
is "$(res '"\(.removed) \(.vm_missing)"')" '0 true' 'is another one, and ours is missing'
simctl vm remove vm=moved >/dev/null
ok 'one that was removed' release "$known"
is "$(res .vm_missing)" true 'is missing'
uuid=$(uuid_of mixed)

# A user who may not see the snapshots cannot know that there is none.
take >/dev/null
simctl vm unreadable vm=mixed property=snapshot >/dev/null
release
is "$(res .error_name)" com.sendense.Error.SnapshotLeft 'snapshots that this user may not see are left'
like "$(res .error_text)" 'does not tell this user of the snapshots of DC0/vm/mixed' 'and why is told'
simctl vm unreadable vm=mixed >/dev/null
ok 'when he may' release
clean 'what nobody could see'
simctl vm unreadable vm=mixed property=snapshot >/dev/null
take
refused VmNotUsable 'the snapshots of DC0/vm/mixed' 'none is made that nobody would see'
simctl vm unreadable vm=mixed >/dev/null

# Something else than the VM is gone: a folder above it, a task. What is said to be removed is.
uuid=$(uuid_of pgtest1)
simctl set property-page=1 >/dev/null
take >/dev/null
simctl calls clear >/dev/null
release >/dev/null
n=$(calls_of RetrievePropertiesEx)
ok 'a release reads properties many times' test "$n" -gt 8
bad=
for ((k = 1; k <= n; k++)); do
    take >/dev/null
    simctl fault soap-fault method=RetrievePropertiesEx fault=ManagedObjectNotFound at=$k >/dev/null
    release
    simctl faults clear >/dev/null
    [ "$(res .result)" = failed ] || [ -z "$(ours)" ] || bad+="read $k: $(cat "$TEST_TMP/result"); "
    release >/dev/null
done
is "$bad" '' "something is gone at each of $n reads"
simctl set property-page=0 >/dev/null
clean 'something that is gone'
uuid=$(uuid_of mixed)

# Somebody else's task on the same VM; and when vCenter answers in parts what is asked together.
for path in DC0/vm/mixed DC0/vm/Prod/pgtest1; do
    how=" (${path##*/})"
    uuid=$(uuid_of "${path##*/}")
    [ "$path" = DC0/vm/mixed ] || simctl set property-page=1 >/dev/null
    login >/dev/null
    vm=$(by_path "$path")
    simctl fault slow-task method=CreateSnapshot_Task hold=1 >/dev/null
    start_task CreateSnapshot_Task VirtualMachine "$vm" "$(snapshot_args theirs)" >/dev/null
    logout >/dev/null
    simctl calls clear >/dev/null
    begin
    ok "somebody else's snapshot is seen$how" eventually 30 sh -c "[ \$('$simdir/simctl' -C '$sim' calls | jq '[.[] | select(.method == \"RetrievePropertiesEx\")] | length') -gt 5 ]"
    ok "and waited for$how" kill -0 "$pid"
    simctl tasks finish >/dev/null
    wait "$pid"
    is "$(res '.error_name')" com.sendense.Error.VmNotUsable "then the disks are above their snapshot, which HTTPS cannot read$how"
    is "$(ours | tr ' ' '\n' | sort -u)" theirs "theirs stays, and ours was never made$how"
done
done_testing
