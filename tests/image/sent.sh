#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a copier says it has sent is held against the image: sums of sendense-backup-client for a full, and for an increment of pieces of every
# length; read out of the files, and through qemu-nbd. What is not the same is found, and what is no list of sums is refused.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"
copy_bin=$SENDENSE_BUILD/helpers/backup-client/sendense-backup-client
[ -x "$copy_bin" ] || skip_all "no build in $SENDENSE_BUILD"
command -v nbdkit >/dev/null || skip_all 'nbdkit is not installed'

repo=$TEST_TMP/repo
repository_make "$repo"
capacity[2000]=$((37 * MIB + 512))
disk=$TEST_TMP/disk.raw
a=backup-web-1 b=backup-web-2
image health "$(spec_health "$repo")"

put() { head -c "$2" "$3" | dd of="$disk" bs=512 seek=$(($1 / 512)) conv=notrunc status=none; } # OFFSET LENGTH FROM
# copy ID [MORE]: the disk into the partial image, as an export serves it; the sums are in $TEST_TMP/sent then.
copy() {
    local server
    qemu-nbd -t --shared=10 -f qcow2 -k "$TEST_TMP/target.sock" "$(partial_of "$repo" "$1" 2000)" </dev/null &
    server=$!
    eventually 30 nbdinfo --size "nbd+unix:///?socket=$TEST_TMP/target.sock" || return
    jq -nc --argjson size "${capacity[2000]}" --arg s "nbd+unix:///?socket=$TEST_TMP/source.sock" --arg t "nbd+unix:///?socket=$TEST_TMP/target.sock" \
        "{job: 1, digests: true, disks: [{disk_key: 2000, capacity_bytes: \$size, target: \$t, source: {kind: \"nbd\", uri: \$s}, read: \"allocated\"}]} ${2:-}" |
        nbdkit -U "$TEST_TMP/source.sock" file "$disk" --run "'$copy_bin' copy" >"$TEST_TMP/copied" 2>"$TEST_TMP/copy-err" || diag "$(head -c 1500 "$TEST_TMP/copied")" "$(tail -n 5 "$TEST_TMP/copy-err")"
    kill "$server" && wait "$server"
    rm -f "$TEST_TMP/target.sock" "$TEST_TMP/source.sock"
    jq -c '.disks[0].digest' "$TEST_TMP/copied" >"$TEST_TMP/sent"
}
# spec_sent ID PARENT [CHANGE]: the task of finish, with the sums as a filter of jq changes them.
spec_sent() { jq -c --slurpfile sent "$TEST_TMP/sent" ". + {sent: (\$sent[0] | ${3:-.})}" <<<"$(spec_disk "$repo" "$1" 2000 "$2")"; }
compared() { field '"\(.compared_bytes) \(.untold_blocks)"'; }

# A full: data, zeroes that were never written, and a last sector.
truncate -s "${capacity[2000]}" "$disk"
put 0 300000 /dev/urandom
put $((9 * MIB + 4096)) $((5 * MIB)) /dev/urandom
put $((37 * MIB)) 512 /dev/urandom
image prepare "$(spec_prepare "$repo" $a)"
image create "$(spec_disk "$repo" $a 2000)"
copy $a
require "a full" image finish "$(spec_sent $a '')"
is "$(compared)" "${capacity[2000]} 0" "all of the disk is what was sent, zeroes too"
is "$(field '.digest.blocks | keys | join(" ")')" "0 2 3 9" "and has digests of what the layer holds alone"
partial=$(partial_of "$repo" $a 2000)
# flip OFFSET: a byte of the image, where the guest sees that offset.
flip() {
    local place byte
    place=$(qemu-img map --output=json -f qcow2 -U "$partial" | jq ".[] | select(.depth == 0 and .data and .start <= $1 and .start + .length > $1) | .offset + $1 - .start")
    byte=$(od -An -tu1 -j "$place" -N 1 "$partial")
    printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$partial" bs=1 seek="$place" conv=notrunc status=none
}
for at in 0 $((10 * MIB)) $((37 * MIB + 511)); do
    flip "$at"
    fails "another byte at $at" CopyFailed "does not hold what was read from the source: 1 blocks of $((4 * MIB)) bytes are something else, the first at offset $((at / MIB / 4 * 4 * MIB));" \
        finish "$(spec_sent $a '')"
    flip "$at"
done
fails "zeroes that were not sent as such" CopyFailed "the first at offset $((4 * MIB));" finish "$(spec_sent $a '' '.blocks["1"] = .blocks["9"]')"
ok "and nothing has changed" image finish "$(spec_sent $a '')"
cp "$TEST_TMP/out" "$TEST_TMP/$a-2000.out"
image create "$(spec_disk "$repo" $a 2001)" && finish_disk "$repo" $a 2001
require "the full is sealed" image commit "$(spec_commit "$repo" $a)"

# An increment: sectors, pieces over the border of two leaves, a whole leaf beside pieces, zeroes over data, the end of the disk.
areas=()
change() {
    put "$@"
    areas+=("[$1,$2]")
}
change 512 1024 /dev/urandom
change $((65536 * 3)) 65536 /dev/zero
change $((2 * MIB)) $MIB /dev/urandom
change $((4 * MIB - 512)) 1024 /dev/urandom
change $((9 * MIB + 4096)) $((2 * MIB)) /dev/zero
change $((16 * MIB)) $((4 * MIB)) /dev/urandom
change $((30 * MIB + 1536)) 262144 /dev/urandom
change $((37 * MIB)) 512 /dev/zero
changed=0
for area in "${areas[@]}"; do area=${area#*,} changed=$((changed + ${area%]})); done
image prepare "$(spec_prepare "$repo" $b)"
image create "$(spec_disk "$repo" $b 2000 $a)"
copy $b "| .disks[0] += {parent: true, read: \"changed\", areas: [$(IFS=,; echo "${areas[*]}")]}"
partial=$(partial_of "$repo" $b 2000)
require "an increment" image finish "$(spec_sent $b $a)"
is "$(compared)" "$changed 0" "what was sent is there, and that is all that changed" || diag "$(jq -c .parts "$TEST_TMP/sent")"
is "$(jq -r '.parts["0"].pieces' "$TEST_TMP/sent")" "512+1024 196608+65536 2097152+1048576 4193792+512" "the pieces of a block are told in its order"
for at in 600 $((2 * MIB + 7)) $((4 * MIB - 1)) $((18 * MIB)) $((30 * MIB + 200000)); do
    flip "$at"
    fails "another byte of a piece, at $at" CopyFailed "1 blocks of .* the first at offset $((at / MIB / 4 * 4 * MIB));" finish "$(spec_sent $b $a)"
    flip "$at"
done
for lie in '.parts["0"].pieces |= sub("512.1024 "; "")' '.parts["0"].pieces |= sub("512.1024"; "512+512 1024+512")' '.parts["0"].count += 1' \
    '.parts["0"].sum |= "0" + .[1:63] + "f"' '.parts["2"].pieces |= sub(".1044480"; "+1044479")'; do
    fails "other sums: $lie" CopyFailed "does not hold what was read" finish "$(spec_sent $b $a "$lie")"
done
for lie in '.parts["7"].pieces = ""' '.parts["0"].pieces = "0+512 0+512"' '.parts["0"].pieces = "1024+512 0+512"' '.parts["0"].more = 1' '.parts = []' \
    '.parts["0"].count = 0' '.parts["01"] = .parts["0"]' '.parts["0"].pieces = "0"' '.parts["0"].pieces = "0+"' '.parts["0"].pieces = "0+512,"' '.parts["0"].pieces = "0+0"' '.parts["0"].pieces = "4194304+512"' \
    '.parts["0"].pieces = "1048064+1024"' '.parts["0"].pieces = "99999999999999999999999+1"' '.parts["0"].pieces = "x+512"' '.parts["0"].pieces = "0+-512"' '.parts["0"].sum = "0"' \
    'del(.parts["0"].sum)' '.parts["10"] = .parts["0"]' '.parts["-1"] = .parts["0"]' '.parts["0"] = 7' '.block_bytes *= 2' '.leaf_bytes = 7' '.algorithm = "md5"' '.blocks["4"] = "0"' \
    '.blocks["99"] = .blocks["4"]' 'del(.blocks)' '.more = 1'; do
    fails "no sums: $lie" InvalidArgument 'the spec: sent: ' finish "$(spec_sent $b $a "$lie")"
done
image finish "$(spec_sent $b $a 'del(.parts["0"].pieces)')"
is "$rc $(field .untold_blocks)" "0 1" "a block whose pieces are too many to be told is counted"
only_for_qemu "$partial"
ok "through qemu-nbd" image finish "$(spec_sent $b $a)"
is "$(compared)" "$changed 0" "it is the same"
fails "there, too, another sum" CopyFailed 'does not hold what was read' finish "$(spec_sent $b $a '.parts["0"].sum |= .[1:] + "0"')"
done_testing
