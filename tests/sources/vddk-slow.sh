#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A host that takes its time to let VDDK in: a busy vCenter, a blocked port. It is waited for as long as VDDK itself waits, and what
# it says in the end is heard.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
vddk_host

size=$((8 << 20))
simctl vm add name=web disks=8M:fill=6M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
spec "$file" DC0 "$(more "$vm" "$snap")"

echo 15 >"$host/open-takes"
is "$(read_disk vddk $size)" ok 'a host that opens the disk after 15 s' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(answer opens)" 1 'is asked once'
is_frozen "$snap" 2000 'and read'

# The same before a copy begins.
target 2000 $size || exit
jq -c --argjson size $size --arg uri "$(target_uri 2000)" --arg file "$file" --argjson more "$(more "$vm" "$snap")" '{job: 7, vcenter, disks: [{disk_key: 2000,
    capacity_bytes: $size, target: $uri, read: "all", source: {kind: "vddk", datastore_path: $file}}]} + $more' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"
: >"$host/complain"
"$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
is "$? $(answer error_name)" '1 com.sendense.Error.SourceFailed' 'one that refuses after 15 s'
like "$(answer error_text)" 'VixDiskLib_ConnectEx: not with.*nothing was written' 'told in its own words'
unlike "$(answer error_text)" 'no answer within' 'and not as silence'
is "$(find "$RUNTIME_DIRECTORY" -mindepth 1)" '' 'nothing is left of it'
is "$(others)" 1 'no session neither'

# Cancelled while the host takes its time.
rm "$host/complain"
echo 600 >"$host/open-takes"
timeout -k 30 100 "$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr" &
copier=$!
eventually 30 pgrep -P $copier
client_pid=$(pgrep -P $copier)
require 'a copy waits for its host' eventually 30 sh -c "grep -c '^start' '$host/log' | grep -qx 3"
kill -TERM "$client_pid"
wait $copier
is "$? $(answer error_name)" '1 com.sendense.Error.Cancelled' 'SIGTERM ends the wait' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
done_testing
