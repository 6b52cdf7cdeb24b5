#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An increment that cannot be trusted: that disk is read whole, and whole means what it holds and not what it could hold.
# Its image lies on an older one, of which nothing may shine through.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed'
plugin=$SENDENSE_BUILD/tests/vddk-stand-in/nbdkit-vddk-stand-in.so
sources_start -empty

size=$((64 << 20))
held=$((8 << 20)) # what the disk holds, and some more for what lies between
simctl vm add name=web disks=64M:fill=6M on=1 >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
tracking_on "$vm" >/dev/null
first=$(snapshot "$vm" first)
then=$(disk_change_id VirtualMachineSnapshot "$first" 2000)
unsnapshot "$first" >/dev/null
yes changed | head -c 65536 | simctl disk write vm=web key=2000 offset=$((1 << 20)) >/dev/null
snap=$(snapshot "$vm" second)
now=$(disk_change_id VirtualMachineSnapshot "$snap" 2000)
file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
spec '' DC0
other='00 11 22 33 44 55 66 77-88 99 aa bb cc dd ee ff/4'

# The older image: old data everywhere.
yes old | head -c $size >"$TEST_TMP/old.raw"

# copy JQ: of the disk since the first snapshot, into an image of its own on top of the older one.
copy() {
    targets_end
    rm -f "$TEST_TMP/2000.qcow2" "$TEST_TMP/target-2000.sock"
    qemu-img create -q -f qcow2 -b "$TEST_TMP/old.raw" -F raw "$TEST_TMP/2000.qcow2" || return
    target 2000 '' || return
    jq -c --argjson size $size --arg uri "$(target_uri 2000)" --arg file "$file" --arg since "$then" --arg now "$now" --arg vm "$vm" --arg snap "$snap" \
        "{job: 7, vcenter, vm: {moref: \$vm, snapshot_moref: \$snap}, disks: [{disk_key: 2000, capacity_bytes: \$size, target: \$uri, parent: true,
        read: \"changed\", change_id: \$since, change_id_now: \$now, source: {kind: \"https\", datastore_path: \$file, datacenter: \"DC0\"}}]} | ${1:-.}" \
        "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"
    timeout 100 "$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
    targets_end
}
# is_held NAME PATTERN: all of the disk is in the image, by what it holds alone, and why is told.
is_held() {
    is "$(answer 'disks[0].backup_type')" full "$1: a full" || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
    like "$(answer 'disks[0].reason')" "$2" "$1: says why"
    is "$(answer "disks[0].bytes_read | . >= 4194304 and . < $held")" true "$1: what was never written is not read" || diag "$(cat "$TEST_TMP/answer")"
    is "$(image_hash 2000)" "$(frozen "$snap" 2000)" "$1: the disk is as it was"
}

copy
is "$(answer 'disks[0] | "\(.backup_type) \(.bytes_read)"')" 'incremental 65536' 'with nothing in doubt: what has changed' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
copy ".disks[0].change_id = \"$other\""
is_held 'tracking began anew' 'began anew'
simctl fault file-fault >/dev/null
copy
is_held 'a fault' 'FileFault'
for mode in beyond-disk overlap; do
    simctl fault wrong-sums mode=$mode >/dev/null
    copy
    is_held "sums that are $mode" 'vCenter'
done
simctl fault bad-xml method=QueryChangedDiskAreas mode=many >/dev/null
copy
is_held 'a list that is too long' 'too many elements'
copy 'del(.disks[0].change_id)'
is_held 'no change id' 'nobody says what has changed'

# Nor can it be told what was ever written: everything.
everything() { # NAME
    is "$(answer 'disks[0] | "\(.backup_type) \(.bytes_read)"')" "full $size" "$1: every byte is read" || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
    is "$(image_hash 2000)" "$(frozen "$snap" 2000)" "$1: the disk is as it was"
}
simctl fault file-fault count=0 >/dev/null
copy
everything 'faults and nothing else'
simctl faults clear >/dev/null
simctl calls clear >/dev/null
copy 'del(.disks[0].change_id, .disks[0].change_id_now)'
everything 'a disk that is not tracked'
is "$(simctl calls | jq '[.[] | select(.method == "QueryChangedDiskAreas")] | length')" 0 'and vCenter is not asked in vain'

# By VDDK the plugin knows what is allocated.
if [ -e "$plugin" ]; then
    host=$TEST_TMP/host
    mkdir -p "$host/datastores"
    simctl ready datastores | jq -r '.[] | select(.dc == "DC0") | [.name, .dir] | @tsv' |
        while IFS=$'\t' read -r name folder; do ln -s "$folder" "$host/datastores/$name"; done
    simctl ready sha1 >"$host/thumbprint"
    cp "$sim/password" "$host/password"
    export RUNTIME_DIRECTORY=$TEST_TMP/run
    mkdir -m 0755 "$RUNTIME_DIRECTORY"
    copy ".disks[0].change_id = \"$other\" | .disks[0].source.kind = \"vddk\" | .vddk = {plugin: \"$plugin\", libdir: \"$host\"}"
    is_held 'by VDDK' 'began anew'
else
    skip 'by VDDK' 'nbdkit-plugin-dev is not installed: the stand-in was not built'
fi
logout >/dev/null
is "$(simctl sessions)" '[]' 'no session is left'
done_testing
