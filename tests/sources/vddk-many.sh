#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A VM of many disks through nbdkit, of which two are copied at a time: children that have done their part are gone at once, and what the
# kernel has little of for each user is held by none.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
vddk_host

n=12
simctl vm add name=web disks="16M:fill=16M$(printf ',1M:fill=1M%.0s' $(seq 2 $n))" >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
keys=$(simctl vm list vm=web | jq -r '.disks[].key')
is "$(wc -l <<<"$keys")" $n "a VM of $n disks"
spec '' DC0 "$(more "$vm" "$snap")"
disks='[]'
for key in $keys; do
    size=$(simctl vm list vm=web | jq ".disks[] | select(.key == $key).capacity")
    target "$key" "$size" || exit
    disks=$(jq -c --argjson key "$key" --argjson size "$size" --arg uri "$(target_uri "$key")" \
        --arg path "$(disk_file VirtualMachineSnapshot "$snap" "$key")" '. + [{disk_key: $key, capacity_bytes: $size,
        target: $uri, read: "all", source: {kind: "vddk", datastore_path: $path}}]' <<<"$disks")
done
jq -c --argjson disks "$disks" '{job: 7, connections: 2, disks: $disks, vcenter, vm, vddk}' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"

# The large disk stands still in its middle until all others are copied.
echo 40 >"$host/stop-at-read"
"$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr" &
pid=$!
require 'the large disk is in its middle' eventually 60 test -e "$host/stopped"
opened() { [ "$(grep -c '^open' "$host/log")" -ge "$1" ]; }
require 'and each other was opened, looked at, and opened again' eventually 60 opened $((2 * n - 2))
one_is_left() { [ "$(pgrep -P "$pid" | wc -l)" = 1 ]; }
ok 'of the children of the others none is left, nor as a zombie' eventually 10 one_is_left ||
    diag "$(ps -o pid,stat,comm --ppid $pid)"
is "$(find "/proc/$pid/fd" -lname 'anon_inode:inotify' | wc -l)" 0 'and nobody waits for a folder any more'
is "$(find "$RUNTIME_DIRECTORY" -mindepth 1 -maxdepth 1 | wc -l)" 1 'one folder is left'
kill -CONT "$(pgrep -P $pid)"
wait $pid
is "$? $(answer result)" '0 ok' 'all disks are copied' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(find "$RUNTIME_DIRECTORY" -mindepth 1)" '' 'no folder is left'
targets_end
for key in $keys; do
    is "$(image_hash "$key")" "$(frozen "$snap" "$key")" "disk $key is as it was at the snapshot"
done
done_testing
