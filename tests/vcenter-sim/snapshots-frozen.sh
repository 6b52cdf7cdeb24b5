#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A snapshot's disks keep their content while the guest goes on writing, read
# over the datastore as a backup would; removing it merges what was written.
# qemu-img is the independent witness of the sparse delta.
# Switches: frozen live-writer user-snapshot consolidation-needed

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/soap.bash"
sim_start -zoo
login >/dev/null
vm=$(by_path DC0/vm/Prod/pgtest1)
like "$vm" '^vm-' 'pgtest1 is at DC0/vm/Prod'
is "$(simctl vm list vm=pgtest1 | jq -c '[.disks[].capacity]')" "[$((102 << 30)),$((5 << 30))]" 'with disks of 102 GiB and 5 GiB'
ok 'that are sparse on disk' test "$(du -s --block-size=1M "$sim/data" | cut -f1)" -lt 200

hash_at_snapshot() { simctl snapshots | jq -r --arg s "$1" --argjson k "$2" '.[] | select(.snapshot == $s).disks[] | select(.key == $k).hash'; }
live_hash() { simctl disk sha256 vm="$1" key="$2" | jq -r .hash; }
flat_hash() { simctl hash "$1"; }
# The file of a datastore path on this machine: a witness beside HTTPS.
host_file() { # DS-PATH SUFFIX
    local p=${1#*] }
    echo "$sim/data/DC0-ds0/${p%.vmdk}$2.vmdk"
}

before=$(live_hash pgtest1 2001)
snap=$(snapshot "$vm" 'first & only')
like "$snap" '^snapshot-' 'a snapshot is made'
is "$(hash_at_snapshot "$snap" 2001)" "$before" 'the control interface knows the hash of each disk at that moment'
file=$(disk_file VirtualMachineSnapshot "$snap" 2001)
is "$file" '[datastore1] pgtest1/pgtest1_1.vmdk' "the snapshot's disk is the base file"
is "$(disk_file VirtualMachine "$vm" 2001)" '[datastore1] pgtest1/pgtest1_1-000001.vmdk' "the machine's is a delta"
is "$(props VirtualMachine "$vm" config.hardware.device | xall parent | wc -l)" 0 'with a parent (text nodes only in its children)'
like "$(disk_xml VirtualMachine "$vm" 2001)" '<parent><fileName>\[datastore1\] pgtest1/pgtest1_1.vmdk</fileName>' 'namely the base'

# The live writer writes; what is read over HTTPS stays as it was.
simctl writer start vm=pgtest1 key=2001 size=64K ms=2 >/dev/null
head=$(get "$(folder_url "$file" -flat)" -r 0-1048575 | sha256sum)
ok 'live-writer: it writes' eventually 30 sh -c "[ \$('$simdir/simctl' -C '$sim' writer list | jq '.[0].writes') -gt 40 ]"
yes 'written by the guest' | head -c 1M | simctl disk write vm=pgtest1 key=2001 offset=0 >/dev/null
is "$(get "$(folder_url "$file" -flat)" -r 0-1048575 | sha256sum)" "$head" 'frozen: the first MiB reads as before'
is "$(flat_hash "$(host_file "$file" -flat)")" "$before" 'frozen: so does the whole disk'
simctl writer stop vm=pgtest1 key=2001 >/dev/null
after=$(live_hash pgtest1 2001)
ok 'the guest sees its own writes' test "$after" != "$before"
is "$(simctl disk read vm=pgtest1 key=2001 length=1M | sha256sum)" "$(yes 'written by the guest' | head -c 1M | sha256sum)" \
    'at the place where it wrote'
is "$(simctl disk read vm=pgtest1 key=2001 length=1M snapshot="$snap" | sha256sum)" "$head" 'and the snapshot holds what was there'

# The delta is a real one: qemu-img sees through it (see also below).
delta=$(host_file "$(disk_file VirtualMachine "$vm" 2001)" '')
at=$(((102 << 10) - 1))
yes 'at the end' | head -c 640K | simctl disk write vm=pgtest1 key=2000 offset=$((at << 20)) >/dev/null
if command -v qemu-img >/dev/null; then
    qemu-img dd -f vmdk -O raw bs=1M skip=$at "if=$(host_file "$(disk_file VirtualMachine "$vm" 2000)" '')" "of=$TEST_TMP/end"
    is "$(sha256sum <"$TEST_TMP/end")" "$(simctl disk read vm=pgtest1 key=2000 offset=$((at << 20)) | sha256sum)" \
        'qemu-img reads the same at the end of 102 GiB'
else
    skip 'qemu-img reads the same at the end of 102 GiB' 'qemu-utils is not installed'
fi
is "$(get "$(folder_url "$(disk_file VirtualMachine "$vm" 2001)" -flat)" -o /dev/null -w '%{http_code}' 2>/dev/null)" 404 \
    'a delta has no flat file'
is "$(head -c 4 "${delta%.vmdk}-delta.vmdk")" COWD 'but a sparse one'

is "$(unsnapshot "$snap")" success 'the snapshot is removed'
is "$(simctl snapshots | jq '[.[] | select(.vm == "pgtest1")] | length')" 0 'and gone from the list'
is "$(disk_file VirtualMachine "$vm" 2001)" "$file" 'the machine is back on its base'
is "$(flat_hash "$(host_file "$file" -flat)")" "$after" 'which now holds what the guest wrote'
ok 'the delta is gone' test ! -e "$delta"
is "$(simctl snapshots all=1 | jq -r '.[-1].disks[] | select(.key == 2001).hash')" "$before" 'the hash at the snapshot is still known'
is "$(method RemoveSnapshot_Task VirtualMachineSnapshot "$snap" '<removeChildren>false</removeChildren>' | fault_of)" \
    ManagedObjectNotFound 'removing it again is ManagedObjectNotFound'

# Two at once, the older one removed first.
one=$(snapshot "$vm" one)
h1=$(hash_at_snapshot "$one" 2001)
simctl disk fill vm=pgtest1 key=2001 bytes=3M seed=5 >/dev/null
two=$(snapshot "$vm" two)
h2=$(hash_at_snapshot "$two" 2001)
simctl disk fill vm=pgtest1 key=2001 bytes=3M seed=6 >/dev/null
h3=$(live_hash pgtest1 2001)
ok 'three moments, three contents' test "$h1" != "$h2" -a "$h2" != "$h3"
is "$(props VirtualMachine "$vm" snapshot | xpath "//*[local-name()='val']//*[local-name()='name']/text()" | paste -sd' ')" 'one two' 'the tree shows both'
is "$(unsnapshot "$one")" success 'the older one is removed'
is "$(disk_file VirtualMachineSnapshot "$two" 2001)" "$file" 'the younger one now rests on the base'
is "$(flat_hash "$(host_file "$file" -flat)")" "$h2" 'which holds its moment'
is "$(unsnapshot "$two")" success 'and goes too'
is "$(flat_hash "$(host_file "$file" -flat)")" "$h3" 'nothing written was lost'

# A user's own snapshot below ours: what we freeze is a delta.
kept=$(by_path DC0/vm/kept)
is "$(simctl snapshots | jq -r '.[] | select(.vm == "kept").user')" true 'user-snapshot: it is there and marked as theirs'
is "$(simctl left | jq -c .snapshots)" '[]' 'and is not counted as left behind'
ours=$(snapshot "$kept" ours)
kfile=$(disk_file VirtualMachineSnapshot "$ours" 2000)
is "$kfile" '[datastore1] kept/kept-000001.vmdk' 'our snapshot rests on a delta'
get "$(folder_url "$kfile" '')" >"$TEST_TMP/descriptor"
like "$(cat "$TEST_TMP/descriptor")" '^createType="vmfsSparse"' 'whose descriptor says so'
get "$(folder_url "$kfile" -delta)" >"$TEST_TMP/delta"
want=$(hash_at_snapshot "$ours" 2000)
truncate -s 16M "$TEST_TMP/delta"
ok 'read as raw it is wrong' test "$(flat_hash "$TEST_TMP/delta")" != "$want"
simctl disk read vm=kept key=2000 snapshot="$ours" >"$TEST_TMP/right"
is "$(flat_hash "$TEST_TMP/right")" "$want" 'read through the chain it is right'
if command -v qemu-img >/dev/null; then
    qemu-img convert -f vmdk -O raw "$(host_file "$kfile" '')" "$TEST_TMP/chain"
    is "$(flat_hash "$TEST_TMP/chain")" "$want" 'and so does qemu-img'
else
    skip 'and so does qemu-img' 'qemu-utils is not installed'
fi
is "$(unsnapshot "$ours")" success 'ours goes'
is "$(simctl snapshots | jq -r '.[].name')" 'before the update' 'the user snapshot stays'

# consolidation-needed
snap=$(snapshot "$vm" unmerged)
simctl disk fill vm=pgtest1 key=2001 bytes=1M seed=9 >/dev/null
live=$(live_hash pgtest1 2001)
simctl fault consolidation-needed >/dev/null
is "$(unsnapshot "$snap")" success 'consolidation-needed: the removal succeeds'
is "$(props VirtualMachine "$vm" runtime.consolidationNeeded | xget val)" true 'and the machine needs consolidation'
is "$(simctl left | jq -c .consolidation_needed)" '["pgtest1"]' 'which counts as left behind'
like "$(disk_file VirtualMachine "$vm" 2001)" '-0000' 'its delta is still there'
is "$(task_end "$(start_task ConsolidateVMDisks_Task VirtualMachine "$vm")")" success 'ConsolidateVMDisks_Task'
is "$(props VirtualMachine "$vm" runtime.consolidationNeeded | xget val)" false 'heals it'
is "$(flat_hash "$(host_file "$file" -flat)")" "$live" 'and loses nothing'

is "$(method RevertToCurrentSnapshot_Task VirtualMachine "$vm" | fault_of)" NotSupported 'reverting is refused, not pretended'
done_testing
