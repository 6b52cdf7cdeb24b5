#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What verify finds: each kind of damage is done to a chain of three layers of two disks, and the right layer must be
# named, no other, and nothing when all is well.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo
repository_make "$repo"
a=backup-web-1 b=backup-web-2 c=backup-web-3
image health "$(spec_health "$repo")"
backup "$repo" $a '' 'write -P 1 0 40M' || diag "$out"
backup "$repo" $b $a 'write -P 2 8M 4M' 'write -P 2 17M 8k' || diag "$out"
require "a chain of three" backup "$repo" $c $b 'write -P 3 16M 64k' 'write -z 24M 4M' 'write -P 4 63M 1M'
cp -a "$repo" "$TEST_TMP/whole"
whole=$TEST_TMP/whole
back() { rm -rf "$repo" && cp -a "$whole" "$repo"; }

# verify BACKUP [JQ-FILTER]: of the spec.
spec_verify() {
    jq -nc --arg repository "$repo" --arg uuid "$(uuid_of "$repo")" --arg vm $VM --arg id "$1" \
        "{repository: \$repository, repository_uuid: \$uuid, instance_uuid: \$vm, backup_id: \$id} | ${2:-.}"
}
verify() { image verify "$(spec_verify "$@")"; }
# verdicts [KEY]: of the layers of a disk, the full one last.
verdicts() { field ".disks[] | select(.disk_key == ${1:-2000}).layers | map(.verdict) | join(\" \")"; }
problems() { field '.disks[].layers[].problems[]'; }
# finds NAME VERDICTS TEXT [BACKUP [FILTER]]: of disk 2000. Then all is put back.
finds() {
    verify "${4:-$c}" ". + {disk_keys: [2000]} | ${5:-.}"
    is "$rc $(verdicts)" "0 $2" "$1"
    like "$(problems)" "$3" "$1: says what"
    back
}

files() { find "$repo" -type f -exec sha256sum {} + | sort; }
before=$(files; tree "$repo")
verify $c
is "$rc $(field .result) $(field .damaged)" "0 ok 0" "a chain that is whole"
is "$(verdicts) $(verdicts 2001)" "ok ok ok ok ok ok" "every layer is fine"
is "$(field '.disks[0].layers | map(.backup_id) | join(" ")')" "$c $b $a" "the backup's own first"
is "$(field '.disks[0].layers | map(.bytes / 4194304) | join(" ")')" "3 2 10" "each layer's own blocks are read"
is "$(field '.bytes_read')" "$((15 * 4 * MIB + 3 * 2 * MIB))" "and the short block at the end"
is "$(problems)" "" "no word is said"
verify $c '. + {chain: false, disk_keys: [2001]}'
is "$(field '.disks | map("\(.disk_key) \(.layers | map(.backup_id) | join(" "))") | join(" ")')" "2001 $c" "one disk, one layer"
verify $b
is "$(verdicts)" "ok ok" "a backup in the middle"
is "$(files; tree "$repo")" "$before" "nothing has changed in the repository"
is "$(ls -A "$TEST_TMP/sockets")" "" "no socket is left"

# place FILE OFFSET: where a byte of the disk lies in the file of the layer.
place() {
    qemu-img map --output=json -f qcow2 "$1" |
        jq --argjson at "$2" '.[] | select(.depth == 0 and .data and .start <= $at and .start + .length > $at) | .offset + $at - .start'
}
# put FILE OFFSET BYTE: a byte of the file, in octal.
put() { printf '%b' "\\0$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
number() { echo $((0x$(xxd -p -s "$2" -l "$3" "$1"))); } # FILE OFFSET SIZE: big-endian
l1_of() { number "$1" 40 8; }
l2_of() { echo $(($(number "$1" "$(l1_of "$1")" 8) & 0x00fffffffffffe00)); }
A=$(sealed_of "$repo" $a 2000) B=$(sealed_of "$repo" $b 2000) C=$(sealed_of "$repo" $c 2000)
record=$repo/$VM/backups

# Bits that flip.
put "$A" "$(place "$A" $((1 * MIB)))" 3
finds "a byte of the full layer" "ok ok damaged" "^disk 2000, layer $a: block 0 \(bytes 0 to 4194303\) is not what was backed up\$"
put "$A" "$(place "$A" $((9 * MIB)))" 3
finds "a byte that a layer above hides" "ok ok damaged" "layer $a: block 2 "
put "$A" "$(place "$A" $((18 * MIB)))" 3
verify $c
is "$(verdicts 2001)" "ok ok ok" "damage of one disk is not that of the other"
is "$(verdicts) $(field '.disks[0].layers | map(.blocks_through // 0) | join(" ")')" "ok ok damaged 1 1 0" \
    "what shows through the layers above is put down to the one below"
verify $c '. + {chain: false}'
is "$(verdicts)" damaged "alone, a layer is damaged that shows it"
back
put "$B" "$(place "$B" $((17 * MIB)))" 3
finds "a byte of the layer in the middle" "ok damaged ok" "layer $b: block 4 "
put "$C" "$(place "$C" $((63 * MIB + 1048575)))" 3
finds "the last byte of the disk" "damaged ok ok" "layer $c: block 15 \(bytes 62914560 to 67108863\)"
for at in 0 12 30; do put "$A" "$(place "$A" $((at * MIB)))" 3; done
put "$A" "$(place "$A" $((34 * MIB)))" 3
verify $a
is "$(problems | sed 's/.*: //; s/ (.*//' | paste -sd,)" "block 0,block 3,blocks 7 to 8" "neighbours are one line"
back

# Tables. Entries of extended L2 tables have 16 bytes; one for each MiB here.
put "$B" $(($(l2_of "$B") + 8 * 16 + 5)) 0
finds "an L2 entry that points elsewhere" "ok damaged ok" "layer $b: qemu-img check finds"
put "$A" $(($(l2_of "$A") + 2 * 16 + 6)) 2
finds "an L2 entry that points between clusters" "ok ok damaged" "layer $a: block 0 .* is unreadable: Input/output error"
put "$A" "$(l1_of "$A")" 0
for i in 1 2 3 4 5 6 7; do put "$A" $(($(l1_of "$A") + i)) 0; done
finds "an L1 entry that is gone" "ok ok damaged" "layer $a: blocks 0 to 9 .* are not what was backed up"
refcounts=$(number "$A" "$(number "$A" 48 8)" 8)
put "$A" $((refcounts + 2 * 10 + 1)) 2
finds "a reference count that is too high" "ok ok damaged" "layer $a: qemu-img check finds 1 (leaked clusters|errors)"
put "$A" $((refcounts + 2 * 10 + 1)) 0
finds "a reference count that is too low" "ok ok damaged" "layer $a: qemu-img check finds"
chmod 660 "$B"
as_export qemu-io -f qcow2 -c 'write -P 9 60M 64k' "$B" >/dev/null
chmod 440 "$B"
finds "data that nobody backed up" "ok damaged ok" "layer $b: block 15 .* is held by the layer, and no digest covers it"
head -c 4096 /dev/zero | dd of="$A" conv=notrunc status=none
finds "no header" "unread unread damaged" "layer $a: the image is no QCOW2"

# Files.
truncate -s -1M "$A"
finds "a file that was cut off" "ok ok damaged" "layer $a: the image's file has [0-9]* bytes, the record"
rm "$A"
finds "a layer that is missing" "unread unread damaged" "layer $a: the image cannot be opened: No such file"
rm "$A"
finds "a layer below is missing" "damaged" "layer $c: a layer below is missing or damaged; verify the whole chain" $c '. + {chain: false}'
mv "$B" "$B.x" && mv "$C" "$B" && mv "$B.x" "$C"
finds "two layers swapped" "damaged damaged ok" "layer $b: the image builds on \"$b.qcow2\" and should on \"$a.qcow2\""
mv "$B" "$B.x" && mv "$C" "$B" && mv "$B.x" "$C"
qemu-img rebase -q -u -f qcow2 -F qcow2 -b $a.qcow2 "$B" && qemu-img rebase -q -u -f qcow2 -F qcow2 -b $b.qcow2 "$C"
finds "swapped, with the links mended" "damaged damaged ok" "layer $b: block 2 .* is not what was backed up"
qemu-img rebase -q -u -f qcow2 -F raw -b /etc/passwd "$B"
finds "a link that leads away" "unread damaged ok" "layer $b: the image builds on \"/etc/passwd\""
qemu-img rebase -q -u -f qcow2 -F raw -b $a.qcow2 "$B"
finds "a layer below that would be read as raw" "unread damaged ok" "tells the format \"raw\""
put "$B" 79 2
finds "an image that says it is corrupt" "unread damaged ok" "layer $b: the image is marked as corrupt"
put "$B" 79 4
finds "an image with a data file" "unread damaged ok" "layer $b: the image is one with a data file"
chmod 640 "$B"
finds "an image that can be written to" "ok damaged ok" "layer $b: the image can be written to"
rm -r "$(folder_of "$repo" 2000)"
finds "no folder" "damaged" "layer $c: the folder of the disk is not there"

# Manifests. lie FILE FILTER [vouched]: the record vouches for the lie.
lie() {
    local file=${1%.qcow2}.json id
    id=$(basename "$file" .json)
    jq -Sc "$2" "$file" >"$TEST_TMP/lie" && cat "$TEST_TMP/lie" >"$file"
    [ -z "${3:-}" ] || lie_record "$id" "(.disks[] | select(.disk_key == 2000)).manifest_sha256 = \"$(sha256sum <"$file" | cut -d' ' -f1)\""
}
lie_record() { jq -Sc "$2" "$record/$1.json" >"$TEST_TMP/lie" && cat "$TEST_TMP/lie" >"$record/$1.json"; }
lie "$B" '.digest.blocks["2"] = .digest.blocks["4"]'
finds "a digest that lies" "ok damaged ok" "layer $b: the manifest is not the one that was committed"
lie "$B" '.digest.blocks["2"] = .digest.blocks["4"]' vouched
finds "one that the record vouches for" "ok damaged ok" "^disk 2000, layer $b: block 2 .* is not what was backed up\$"
lie "$B" 'del(.digest.blocks["2"])' vouched
finds "a digest that is missing" "ok damaged ok" "layer $b: block 2 .* is held by the layer, and no digest covers it"
lie "$C" ".parent_backup_id = \"$a\"" vouched
finds "a manifest with another parent" "damaged ok ok" "layer $c: manifest and record differ in parent_backup_id"
lie "$C" '.size_bytes += 1' vouched
finds "a manifest with another length" "damaged ok ok" "layer $c: manifest and record differ in size_bytes"
lie "$C" '.capacity_bytes += 512' vouched
finds "a manifest with another capacity" "damaged ok ok" "layer $c: manifest and record differ in capacity_bytes"
lie "$C" '.backup_id = "backup-web-9"' vouched
finds "a manifest of another backup" "damaged ok ok" "layer $c: the manifest is that of another layer"
lie "$C" '.disk_key = 2001' vouched
finds "a manifest of another disk" "damaged ok ok" "layer $c: the manifest is that of another layer"
echo '{' >"${B%.qcow2}.json"
finds "no manifest" "ok damaged ok" "layer $b: the manifest is not one JSON object"
rm "${B%.qcow2}.json"
finds "a manifest that is gone" "ok damaged ok" "layer $b: the manifest cannot be read: No such file"

# Records.
lie_record $c '.disks[0].size_bytes += 1'
finds "a record with another length" "damaged ok ok" "layer $c: the image's file has"
lie_record $c ".disks[0].parent_backup_id = \"$a\""
finds "a record with another parent" "damaged ok" "layer $c: the image builds on \"$b.qcow2\" and should on \"$a.qcow2\""
lie_record $c '.disks[0].capacity_bytes += 512'
finds "a record with another capacity" "damaged ok ok" "layer $c: the image has 67108864 bytes for the guest, the record 67109376"
lie_record $b ".disks[0].parent_backup_id = \"$c\""
finds "records that go round in a ring" "unread damaged" "it builds on $c, so the chain has no end"
lie_record $b 'del(.disks[0])'
finds "a record without the disk" "ok damaged ok" "layer $b: the record does not name this disk"
mv "$record/$b.json" "$record/$b.json.away"
verify $c
is "$(verdicts) $(verdicts 2001)" "ok damaged ok ok damaged ok" "a record that is gone"
like "$(problems)" "layer $b: there is no commit record, so there is no such backup" "says so"
fails "of the backup itself" BackupDamaged "$b: there is no commit record.*name its disks" verify "$(spec_verify $b)"
verify $b '. + {disk_keys: [2000]}'
is "$(verdicts)" "damaged ok" "unless its disks are named"
back
cp "$record/$a.json" "$record/$b.json"
verify $b '. + {disk_keys: [2000]}'
like "$(problems)" "layer $b: the record is that of $a" "a record of another backup"
back
verify $c '. + {disk_keys: [2000, 2009]}'
is "$(verdicts) $(verdicts 2009)" "ok ok ok damaged" "a disk that no record names"

# Damage is a result, and what is none is a failure.
mv "$record/$b.json" "$record/$b.deleting"
fails "a layer whose deletion has begun" Busy "the deletion of $b has begun and not ended" verify "$(spec_verify $c)"
back
fails "a member that is unknown" InvalidArgument '"more" is unknown' verify "$(spec_verify $c '. + {more: 1}')"
fails "a choice that is none" InvalidArgument 'chain must be true or false' verify "$(spec_verify $c '. + {chain: 1}')"
fails "a key that is none" InvalidArgument 'is no disk key' verify "$(spec_verify $c '. + {disk_keys: ["x"]}')"
fails "another repository" RepositoryMissing 'another repository is mounted' verify \
    "$(spec_verify $c '.repository_uuid = "00000000-0000-4000-8000-000000000000"')"
install -d -m 755 "$TEST_TMP/bin"
ln -sf "$(type -P qemu-img)" "$TEST_TMP/bin/qemu-img"
with_path() { # NAME ERROR TEXT
    as_export env PATH="$TEST_TMP/bin" "$image_program" verify <<<"$(spec_verify $c)" >"$TEST_TMP/out" 2>/dev/null
    is "$? $(field .error_name)" "1 com.sendense.Error.$2" "$1: $2"
    like "$(field .error_text)" "$3" "$1: says why"
}
with_path "without qemu-nbd" ToolMissing 'qemu-nbd cannot be started.*qemu-utils'
install -m 755 /dev/stdin "$TEST_TMP/bin/qemu-nbd" <<<$'#!/bin/sh\nkill -9 $$'
with_path "a qemu-nbd that is killed" Failed 'qemu-nbd was ended by signal 9'

# A disk that grew, and a longer chain: each layer is read as large as it was.
capacity[2000]=$((65 * MIB + 512))
d=backup-web-4
require "a disk that grew" backup "$repo" $d $c 'write -P 5 65M 512'
verify $d
is "$(verdicts)" "ok ok ok ok" "each layer as large as it was"
parent=$d
for ((i = 10; i < 20; i++)); do
    backup "$repo" backup-web-$i $parent "write -P $i $((i * 3))M 8k" || diag "$out"
    parent=backup-web-$i
done
start=${EPOCHREALTIME/[.,]/}
verify $parent '. + {disk_keys: [2000]}'
is "$(field '.damaged, .disks[0].n_layers')" $'0\n14' "a chain of 14"
diag "14 layers, $(field .bytes_read) bytes: $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
done_testing
