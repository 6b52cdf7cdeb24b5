#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A snapshot that somebody else removes while it is read: path, size and answers of its files stay the same, and their content
# does not. Such a copy fails, and one fails whose snapshot cannot be asked for; one that was waited for does not.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed'
sources_start

size=$((32 << 20))
simctl vm add name=web disks=32M:fill=30M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
simctl writer start vm=web key=2000 size=64K ms=1 >/dev/null

# prepare [SECONDS]: a snapshot, and a spec that reads it and has so much patience.
prepare() {
    snap=$(snapshot "$vm" one)
    spec '' DC0
    rm -f "$TEST_TMP/2000.qcow2" "$TEST_TMP/target-2000.sock"
    target 2000 $size || exit
    jq -c --argjson size $size --arg uri "$(target_uri 2000)" --arg vm "$vm" --arg snap "$snap" \
        --arg file "$(disk_file VirtualMachineSnapshot "$snap" 2000)" --argjson away "${1:-2}" '{job: 7, source_away_sec: $away, vcenter,
        vm: {moref: $vm, snapshot_moref: $snap}, disks: [{disk_key: 2000, capacity_bytes: $size, target: $uri, read: "all",
        source: {kind: "https", datastore_path: $file, datacenter: "DC0"}}]}' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"
}
start_copy() {
    timeout 100 "$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr" &
    copier=$!
}
fired() { [ "$(simctl faults | jq '[.[].fired] | add')" -gt 0 ]; }
# The copier stands still in its middle until the faults are cleared.
held_amid() {
    simctl fault delay method=FolderGet at=12 ms=25000 count=0 >/dev/null
    start_copy
    require 'a copy is in its middle' eventually 30 fired
}
go_on() { simctl faults clear >/dev/null; }
# ended NAME: all that was under way.
ended() {
    is "$(others)" 1 "$1: no session is left"
    simctl reset >/dev/null
    targets_end
    [ "$(simctl snapshots)" = '[]' ] || unsnapshot "$snap" >/dev/null
}

# Left alone.
prepare
start_copy
wait $copier
is "$? $(answer result)" '0 ok' 'a copy whose snapshot is left alone is done' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
ended 'left alone'
is "$(image_hash 2000)" "$(frozen "$snap" 2000)" 'and is what the snapshot was'

# Removed in the middle.
prepare
held_amid
is "$(unsnapshot "$snap")" success 'somebody removes its snapshot'
go_on
wait $copier
is "$? $(answer result)" '1 failed' 'a copy whose snapshot was removed fails'
is "$(answer error_name)" com.sendense.Error.SourceFailed 'as its source, so that it is tried again'
like "$(answer error_text)" "snapshot $snap was removed while it was read.*back up again.*who removes" 'and says what to do'
ended 'removed'
ok 'what was copied is not what the snapshot was' test "$(image_hash 2000)" != "$(frozen "$snap" 2000)"

# Its removal is under way when all is read: the task is waited for.
prepare
held_amid
simctl fault slow-task method=RemoveSnapshot_Task hold=1 >/dev/null
task=$(start_task RemoveSnapshot_Task VirtualMachineSnapshot "$snap" '<removeChildren>false</removeChildren><consolidate>true</consolidate>')
looks() { simctl calls | jq '[.[] | select(.method == "RetrievePropertiesEx")] | length'; }
has_asked() { [ "$(looks)" -gt "$before" ]; }
before=$(looks)
go_on
ok 'when all is read, vCenter is asked' eventually 60 has_asked
ok 'and a removal that runs is waited for' kill -0 $copier
simctl tasks finish >/dev/null
is "$(task_end "$task")" success 'it ends'
wait $copier
is "$? $(answer error_name)" '1 com.sendense.Error.SourceFailed' 'and the copy fails' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
like "$(answer error_text)" 'was removed while it was read' 'because the snapshot is gone'
ended 'under way'

# vCenter cannot be asked.
prepare 60
simctl fault http-503 method='Retrieve*' at=2 count=7 >/dev/null
start_copy
wait $copier
is "$? $(answer result)" '0 ok' 'a vCenter that is away for a while is waited for' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
ok 'it was away' test "$(simctl faults | jq '[.[].fired] | add')" -eq 7
like "$(cat "$TEST_TMP/stderr")" 'whether the snapshot is there still .*trying again' 'the journal says so'
ended 'away'
prepare
simctl fault http-503 method='Retrieve*' at=2 count=0 >/dev/null
start_copy
wait $copier
is "$? $(answer error_name)" '1 com.sendense.Error.SourceFailed' 'one that stays away is no yes' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
like "$(answer error_text)" 'all disks are read, but vCenter cannot be asked .*503' 'and that is what is told'
ended 'stays away'

# Cancelled while it waits.
prepare
simctl fault delay method='Retrieve*' at=2 ms=60000 count=0 >/dev/null
start_copy
require 'a copy waits for the answer' eventually 60 fired
kill -TERM "$(pgrep -P $copier)"
wait $copier
is "$? $(answer error_name)" '1 com.sendense.Error.Cancelled' 'SIGTERM ends the wait'
ended 'cancelled'
done_testing
