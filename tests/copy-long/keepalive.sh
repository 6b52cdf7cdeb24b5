#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A copy that waits for its target asks vCenter nothing. vCenter ends a session that is idle for 30 minutes, or for what the site has
# set, here five minutes: the session gives a sign of life before, and is there when the target is back.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/../sources/sources.bash"
command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed'
sources_start -empty

size=$((64 << 20))
simctl vm add name=web disks=64M:fill=48M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
spec '' DC0
target 2000 $size || exit
jq -c --argjson size $size --arg uri "$(target_uri 2000)" --arg file "$(disk_file VirtualMachineSnapshot "$snap" 2000)" --arg vm "$vm" --arg snap "$snap" '{job: 7, vcenter, vm: {moref: $vm, snapshot_moref: $snap}, disks: [{disk_key: 2000,
    capacity_bytes: $size, target: $uri, read: "all", source: {kind: "https", datastore_path: $file, datacenter: "DC0"}}]}' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"
logout >/dev/null

calls_of() { simctl calls | jq --arg m "$1" '[.[] | select(.method == $m)] | length'; }
asked() { [ "$(calls_of "$1")" -gt "$2" ]; }
simctl set idle-expiry=300000 >/dev/null
simctl fault delay method=FolderGet at=20 ms=2000 count=0 >/dev/null
"$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr" &
copier=$!
require 'a copy is in its middle' eventually 60 asked FolderGet 20
kill -KILL "${target_pids[@]}"
targets_end
simctl faults clear >/dev/null
require 'and has lost its target' eventually 60 grep -q 'disk 2000: the target is gone' "$TEST_TMP/stderr"
before=$(calls_of CurrentTime)
logins=$(calls_of Login)
is "$(simctl sessions | jq length)" 1 'there is a session'
ok 'before it would be over vCenter hears of it' eventually 290 asked CurrentTime "$before"
# Its time counts from there again.
simctl sessions age key="$(simctl sessions | jq -r '.[0].key')" ms=250000 >/dev/null
is "$(simctl sessions | jq length)" 1 'and it is there'
target 2000 '' || exit
wait $copier
is "$? $(answer result)" '0 ok' 'the target is back, and the disk is copied' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
targets_end
qemu-img check -q -r leaks "$TEST_TMP/2000.qcow2" >/dev/null
is "$(image_hash 2000)" "$(frozen "$snap" 2000)" 'as it was at the snapshot'
is "$(calls_of Login)" "$logins" 'by the same login'
is "$(simctl sessions)" '[]' 'which is logged out'
done_testing
