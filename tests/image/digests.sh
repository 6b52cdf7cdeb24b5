#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The digests prove something: a byte that flips changes the digest of its block and of no other, what they
# say stays true when layers are merged, and of a layer they name all that it holds, zeroes too.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"

repo=$TEST_TMP/repo
repository_make "$repo"
capacity[2000]=$((37 * MIB + 512))
a=backup-web-1 b=backup-web-2 c=backup-web-3
image health "$(spec_health "$repo")"
backup "$repo" $a '' 'write -P 1 0 37M' || diag "$out"
is "$rc" 0 "a full of data everywhere"
backup "$repo" $b $a 'write -P 2 8M 1M' 'write -P 2 17M 8k' || diag "$out"
is "$rc" 0 "a layer above it"
# Zeroes that hide data below, an 8 KiB piece, and the last sector of the disk.
image prepare "$(spec_prepare "$repo" $c)"
image create "$(spec_disk "$repo" $c 2000 $b)"
write_disk "$repo" $c 2000 'write -P 3 17032K 4k' 'write -z 24M 4M' 'write -P 4 37M 512'
require "a third" finish_disk "$repo" $c 2000 $b
digests() { jq -r '.digest.blocks | to_entries | sort_by(.key | tonumber)[] | "\(.key) \(.value)"' "$1"; }
want=$(digests "$TEST_TMP/$c-2000.out")
is "$(cut -d' ' -f1 <<<"$want" | paste -sd' ')" "4 6 9" "blocks of data, of zeroes, and the short one at the end"
partial=$(partial_of "$repo" $c 2000)
for block in 4 6 9; do
    is "$(grep "^$block " <<<"$want")" "$block $(block_digest "$partial" 2000 $block)" "block $block is what a guest reads"
done
is "$(grep '^6 ' <<<"$want")" "6 $(head -c $((4 * MIB)) /dev/zero | tree_digest)" "zeroes are zeroes"

# flip OFFSET: writes one byte through qemu and makes the digests anew.
flip() {
    write_disk "$repo" $c 2000 "write -P $2 $1 1"
    image finish "$(spec_disk "$repo" $c 2000 $b)"
    diff <(echo "$want") <(digests "$TEST_TMP/out") | sed -n 's/^> \([0-9]*\) .*/\1/p' | paste -sd' '
}
is "$(flip 17440768 99)" 4 "a byte of block 4 changes its digest and no other"
is "$(flip 17440768 3)" "" "and back"
is "$(flip $((37 * MIB + 511)) 99)" 9 "the very last byte"
is "$(flip $((37 * MIB + 511)) 4)" "" "and back"
# A byte on the disk, beneath qemu: its place is asked of qemu itself.
place=$(qemu-img map --output=json -f qcow2 "$partial" |
    jq '.[] | select(.depth == 0 and .data and .start <= 17440768 and .start + .length > 17440768) | .offset + 17440768 - .start')
printf '\377' | dd of="$partial" bs=1 seek="$place" conv=notrunc status=none
image finish "$(spec_disk "$repo" $c 2000 $b)"
is "$(diff <(echo "$want") <(digests "$TEST_TMP/out") | grep -c '^> 4 ')" 1 "a byte that rots in the file is seen, though qemu-img check is content"
printf '\003' | dd of="$partial" bs=1 seek="$place" conv=notrunc status=none
image finish "$(spec_disk "$repo" $c 2000 $b)"
is "$(digests "$TEST_TMP/out")" "$want" "and back"

# Data below that changes shows in the layer above, whose digests see through.
below=$(sealed_of "$repo" $b 2000)
chmod 660 "$below"
as_export qemu-io -f qcow2 -c 'write -P 77 18M 1' "$below" >/dev/null
image finish "$(spec_disk "$repo" $c 2000 $b)"
is "$(diff <(echo "$want") <(digests "$TEST_TMP/out") | sed -n 's/^> \([0-9]*\) .*/\1/p')" 4 "a byte that changes in the layer below"
as_export qemu-io -f qcow2 -c 'write -P 1 18M 1' "$below" >/dev/null

# Merging B and C: every digest of C is that of the same block of the merged layer.
merged=backup-web-4
image prepare "$(spec_prepare "$repo" $merged)"
# qemu-img convert -B would drop B silently; the way that keeps all is a copy that is rebased.
cp "$partial" "$(partial_of "$repo" $merged 2000)"
ok "a copy of C is rebased onto A" qemu-img rebase -f qcow2 -b $a.qcow2 -F qcow2 "$(partial_of "$repo" $merged 2000)"
image finish "$(spec_disk "$repo" $merged 2000 $a)"
is "$rc" 0 "and finished"
is "$(digests "$TEST_TMP/out" | grep -E '^(4|6|9) ')" "$want" "the digests of C stay true"
is "$(digests "$TEST_TMP/out" | grep '^2 ')" "$(digests "$TEST_TMP/$b-2000.out" | grep '^2 ')" "and so does that of B where C holds nothing"
rm "$(partial_of "$repo" $merged 2000)"
install -o $HUB_UID -g "$EXPORT_GID" -m 660 /dev/null "$(partial_of "$repo" $merged 2000)"
ok "the whole chain becomes one full image" qemu-img convert -f qcow2 -O qcow2 "$partial" "$(partial_of "$repo" $merged 2000)"
image finish "$(spec_disk "$repo" $merged 2000)"
is "$rc" 0 "and is finished"
for block in 4 9; do
    is "$(digests "$TEST_TMP/out" | grep "^$block ")" "$(grep "^$block " <<<"$want")" "its digest of block $block is that of C"
done

# What is dear: a large empty disk, and one with a piece in each block.
capacity[2000]=$((4 * 1024 * 1024 * MIB))
d=backup-web-5
image prepare "$(spec_prepare "$repo" $d)"
image create "$(spec_disk "$repo" $d 2000)"
write_disk "$repo" $d 2000 'write -P 1 3T 1M'
finish_disk "$repo" $d 2000
is "$rc $(field '.digest | "\(.block_bytes) \(.blocks | keys | join(" "))"')" "0 $((2048 * MIB)) 1536" "4 TiB: blocks of 2 GiB, one of them held"
capacity[2000]=$((8192 * MIB))
d=backup-web-6
image prepare "$(spec_prepare "$repo" $d)"
image create "$(spec_disk "$repo" $d 2000)"
mapfile -t writes < <(for ((i = 0; i < 2048; i++)); do echo "write -P 1 $((i * 4))M 8k"; done)
write_disk "$repo" $d 2000 "${writes[@]}"
start=${EPOCHREALTIME/[.,]/}
finish_disk "$repo" $d 2000
is "$rc $(field '.digest.blocks | length')" "0 2048" "2048 digests, the most there are"
diag "8 GiB with 8 KiB of data in each block: $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
is "$(field '.digest.blocks | [.[]] | unique | length')" 1 "of the same content, all the same"
ok "the result is within the limit of its readers" test "$(wc -c <"$TEST_TMP/out")" -le $((256 * 1024))
done_testing
