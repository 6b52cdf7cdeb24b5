#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Changed areas: every page of them, empty ones in the middle, nothing at the end of the disk; and whatever is
# doubtful means the whole disk, with a reason. The simulator's own list of extents is the witness.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -empty
areas_bin=$SENDENSE_BUILD/tests/vsphere/vsphere-areas
size=$((64 << 20))
simctl vm add name=one disks=64M:fill=4M on=1 >/dev/null
uuid=$(uuid_of one)
take
first=$(res '.disks[0].change_id')
release
# What the guest writes between two backups: the first block, two in the middle, the last one.
for at in 0 $((20 << 20)) $((20 << 20 | 131072)) $((size - 65536)); do
    yes "$at" | head -c 65536 | simctl disk write vm=one key=2000 offset=$at >/dev/null
done
want='[[0,65536],[20971520,65536],[21102592,65536],[67043328,65536]]'
take
now=$(res '.disks[0].change_id')
vm=$(res .vm_moref)
snap=$(res .snapshot_moref)

# areas [JQ]: of the disk above, since the first backup.
areas() {
    jq -nc --argjson vcenter "$vcenter" --arg vm "$vm" --arg snap "$snap" --arg first "$first" --arg now "$now" \
        "{vcenter: \$vcenter, vm: \$vm, snapshot: \$snap, disk_key: 2000, capacity: $size, change_id: \$first, change_id_now: \$now} | ${1:-.}" |
        timeout 60 "$areas_bin" >"$TEST_TMP/result"
    [ "$(simctl left | jq -c .sessions)" = '[]' ] || fail 'no session is left' "$(simctl left)"
}
whole() { # TEXT NAME
    is "$(res '.outcome + " " + (.areas | length | tostring)')" 'whole 0' "$2: the whole disk"
    like "$(res .reason)" "$1" "$2: says why"
}

areas
is "$(res '.outcome + " " + (.areas | tojson)')" "areas $want" 'what the guest wrote, and nothing else'
is "$(res .bytes)" 262144 'in bytes'
areas '.change_id = .change_id_now'
is "$(res '.outcome + " " + (.areas | tojson)')" 'areas []' 'nothing since the snapshot itself'
simctl set area-page=1 empty-page=1 >/dev/null
simctl calls clear >/dev/null
areas
is "$(res '.areas | tojson')" "$want" 'one area a page, and empty pages in the middle: all the same'
ok 'there were seven pages or more' test "$(res .pages)" -ge 7
is "$(calls_of QueryChangedDiskAreas)" "$(res .pages)" 'and nobody asked at the end of the disk, or twice'
for at in 1 2 3 4 5 6 7; do
    simctl fault session-killed method=QueryChangedDiskAreas at=$at >/dev/null
    areas
    is "$(res '.areas | tojson')" "$want" "the session dies at page $at: all the same"
done
for kind in drop-connection empty-500 http-503 'cut-answer bytes=200'; do
    # shellcheck disable=SC2086 # the words of a switch
    simctl fault $kind method=QueryChangedDiskAreas at=3 count=2 >/dev/null
    areas
    is "$(res '.areas | tojson')" "$want" "$kind in the middle: asked again"
done
simctl set area-page=2000 empty-page=0 area-page-bytes=$((3 << 20)) >/dev/null
areas
is "$(res '.areas | tojson')" "$want" 'pages of 3 MiB, which do not end where the disk does'
simctl set area-page-bytes=0 >/dev/null
areas '.change_id = "*" | del(.change_id_now)'
is "$(res .outcome)" areas 'whatever was ever written: asked for by *'
ok 'is more than what changed, and less than the disk' test "$(res .bytes)" -gt 262144 -a "$(res .bytes)" -lt $((size / 2))

for mode in zero-length beyond-disk outside-page overlap wrong-start negative; do
    simctl fault wrong-sums mode=$mode >/dev/null
    areas
    whole 'vCenter (describes|names|answers)|no page of changed areas|without an offset' "wrong sums, $mode"
done
simctl fault file-fault >/dev/null
areas
whole 'FileFault' 'a FileFault'
areas '.change_id = ""'
whole 'knows no change id' 'no change id'
areas '.change_id = "rm -rf / <&>"'
whole 'is none' 'a change id that is none'
areas '.change_id_now = ""'
whole 'not tracked' 'a disk that is not tracked any more'
areas '.change_id = "00 11 22 33 44 55 66 77-88 99 aa bb cc dd ee ff/4"'
whole 'began anew' 'tracking that began anew'
areas '.change_id = "00 11 22 33 44 55 66 77-88 99 aa bb cc dd ee ff/4" | del(.change_id_now)'
whole 'FileFault' 'the same, found by vCenter itself'
simctl vm add name=other disks=64M on=1 >/dev/null
other=$(uuid=$(uuid_of other) && take && res '.disks[0].change_id')
areas ".change_id = \"$other\""
whole 'began anew' 'the change id of another disk'
areas '.change_id |= sub("/.*"; "/99999999999999999999")'
whole 'set back' 'a disk that went back to before the last backup'
simctl fault soap-fault method=QueryChangedDiskAreas fault=NoPermission >/dev/null
areas
whole 'NoPermission.*privilege' 'no right to ask'
areas '.capacity = 0'
is "$(res '.outcome + " " + (.areas | tojson)')" 'areas []' 'a disk of no length is not asked about'
areas ".capacity = $((size / 2))"
whole 'of a disk of 33554432' 'a disk that is longer than we know'
simctl fault bad-xml method=QueryChangedDiskAreas mode=bomb count=0 >/dev/null
areas
is "$(res '.outcome + " " + .error_name')" 'failed com.sendense.Error.VCenterUnreachable' 'an entity bomb is a failure'
simctl reset >/dev/null
for mode in 'many too.many.elements' 'huge more.than.32.MiB'; do
    simctl fault bad-xml method=QueryChangedDiskAreas mode="${mode% *}" >/dev/null
    areas
    whole "${mode#* }" "a page of changes that is ${mode% *}"
done

# What must be a failure and not a reason to read 64 MiB of nothing.
release
areas
is "$(res '.outcome + " " + .error_name')" 'failed com.sendense.Error.NotFound' 'a snapshot that is gone'
done_testing
