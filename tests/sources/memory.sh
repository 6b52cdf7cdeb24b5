#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The memory of a copy task as vSphere makes it: more than 100,000 changed areas of a disk, named in pages of 50,000 and in a single one,
# and read over HTTPS by as many connections as there are. At most 64 MiB and 32 MiB for the disk would be good enough; but a list is
# taken from its answer as it comes, so the size of a page must make no difference.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
command -v nbdkit >/dev/null || skip_all 'nbdkit is not installed'
[ -x /usr/bin/time ] || skip_all 'time is not installed (package time)'
sources_start

limit=$((64 * 1024)) # KiB
size=$((64 << 20))
simctl set task-ms=0 area-bytes=512 area-page=50000 area-page-bytes=0 >/dev/null
simctl vm add name=big disks=64M:fill=1M on=1 >/dev/null
simctl vm cbt vm=big on=1 >/dev/null
vm=$(simctl vm list vm=big | jq -r .vm)
before=$(snapshot "$vm" before)
change_id=$(disk_change_id VirtualMachineSnapshot "$before" 2000)
unsnapshot "$before" >/dev/null
head -c $((52 << 20)) /dev/urandom | simctl disk write vm=big key=2000 offset=0 >/dev/null
now=$(snapshot "$vm" now)
n_page=$(areas "$vm" "$now" 2000 0 "$change_id" | grep -o '<changedArea>' | wc -l)
is "$n_page" 50000 'a page names 50,000 areas'

# The target forgets what it gets.
nbdkit -f -U "$TEST_TMP/target.sock" null $size </dev/null >>"$TEST_TMP/nbdkit.log" 2>&1 &
at_end "kill $! 2>/dev/null"
eventually 20 test -S "$TEST_TMP/target.sock"
spec '' DC0
jq -c --arg uri "nbd+unix:///?socket=$TEST_TMP/target.sock" --arg vm "$vm" --arg snapshot "$now" --argjson size $size --arg before "$change_id" \
    --arg now "$(disk_change_id VirtualMachineSnapshot "$now" 2000)" --arg path "$(disk_file VirtualMachineSnapshot "$now" 2000)" '
    {job: 7, vcenter, vm: {moref: $vm, snapshot_moref: $snapshot}, disks: [{disk_key: 2000, capacity_bytes: $size, target: $uri,
        parent: true, read: "changed", change_id: $before, change_id_now: $now,
        source: {kind: "https", datastore_path: $path, datacenter: "DC0"}}]}' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"

# copied NAME PAGES: copies, with the list in so many pages; the peak in KiB.
copied() {
    simctl calls clear >/dev/null
    /usr/bin/time -f %M -o "$TEST_TMP/kib" "$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
    is "$(answer result)" ok "$1: the copy" || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
    is "$(jq -r '.disks[0] | "\(.backup_type) \(.bytes_read)"' "$TEST_TMP/answer")" "incremental $((52 << 20))" "$1: of what has changed"
    is "$(simctl calls | jq '[.[] | select(.method == "QueryChangedDiskAreas")] | length')" "$2" "$1: the pages"
    kib=$(tail -n 1 "$TEST_TMP/kib")
    diag "$1: $(((52 << 20) / 512)) areas over HTTPS: $kib KiB"
    ok "$1: at most $limit KiB" test "${kib:-$((limit + 1))}" -le $limit
}
copied 'in three pages' 3
several=$kib
simctl set area-page=200000 >/dev/null
n_page=$(areas "$vm" "$now" 2000 0 "$change_id" | grep -o '<changedArea>' | wc -l)
is "$n_page" $(((52 << 20) / 512)) 'a page names all areas'
copied 'in one page' 1
ok 'one page takes what three take' test "$kib" -le $((several + 8 * 1024))
done_testing
