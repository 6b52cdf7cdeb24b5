#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What verify finds: each kind of damage is done to a chain of three layers of two disks, and the right layer must be
# named, no other, and nothing when all is well.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"
. "$(dirname "$0")/verify.bash"

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
is "$(verdicts) $(field '.disks[0].layers | map(.blocks_through // 0) | join(" ")')" "ok ok damaged 1 1 0" \
    "also when that layer alone was asked for: what differs is followed down"
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
finds "a layer below is missing" "unread unread damaged" "layer $a: the image cannot be opened: No such file" $c '. + {chain: false}'
rm "$C"
finds "the layer alone is missing" "damaged" "layer $c: the image cannot be opened: No such file" $c '. + {chain: false}'
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

# A server of files that is away says nothing about what lies there. On one processor two threads read 40 pieces, so that one of them
# comes to its 12th read; qemu-img makes fewer.
cat >"$TEST_TMP/traced" <<X
#!/bin/sh
exec taskset -c "\$(taskset -cp \$\$ | sed -E 's/.*: ([0-9]+).*/\\1/')" strace -f -o /dev/null -P "\$(cat "$TEST_TMP/path")" -e trace=pread64,newfstatat -e "inject=\$(cat "$TEST_TMP/inject")" "$image_program" "\$@"
X
chmod 755 "$TEST_TMP/traced"
while read -r path inject text; do
    echo "$path" >"$TEST_TMP/path"
    echo "$inject" >"$TEST_TMP/inject"
    image_now=$TEST_TMP/traced fails "${path##*/}, $inject" RepositoryMissing "$text" verify "$(spec_verify $a '. + {disk_keys: [2000]}')"
done <<X
$A pread64:error=ESTALE:when=12+ Stale.*mount.it.again
$A pread64:error=ENOTCONN:when=12+ not.connected.*mount.it.again
$A pread64:error=ETIMEDOUT:when=12+ timed.out.*does.not.answer
$A pread64:error=EHOSTDOWN:when=12+ down.*does.not.answer
$A newfstatat:error=ESTALE Stale.*mount.it.again
$record/$a.json newfstatat:error=ESTALE Stale.*mount.it.again
X
image_now=$TEST_TMP/traced fails "the record, and no disk is named" RepositoryMissing 'Stale file handle; mount it again' verify "$(spec_verify $a)"
echo "$A" >"$TEST_TMP/path"
echo pread64:error=EIO:when=12+ >"$TEST_TMP/inject"
image_now=$TEST_TMP/traced verify $a '. + {disk_keys: [2000]}'
is "$rc $(verdicts)" "0 damaged" "a disk that fails does say something"
done_testing
