#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A full layer whose own bookkeeping is damaged, though all that it holds reads well: nothing is ever written into it.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

bad=''
repository_make "$repo"
image health "$(spec_health "$repo")"
backup "$repo" $a '' 'write -P 1 0 9M'
backup "$repo" $b $a 'write -P 3 12M 3M'
backup "$repo" $c $b 'write -P 4 13M 64k'
keep base

number_at() { od -An -tu8 --endian=big -j "$2" -N 8 "$1" | tr -d ' '; } # FILE OFFSET
# lose_count FILE GUEST-OFFSET: the cluster that holds it is counted as free.
lose_count() {
    local cluster bits host table
    cluster=$((1 << $(od -An -tu4 --endian=big -j 20 -N 4 "$1")))
    bits=$(qemu-img info --output=json "$1" | jq '."format-specific".data."refcount-bits"')
    host=$(qemu-img map --output=json -f qcow2 "$1" | jq -r --argjson at "$2" 'map(select(.start <= $at and .start + .length > $at))[0] | .offset + $at - .start')
    table=$(number_at "$1" "$(number_at "$1" 48)")
    chmod u+w "$1"
    head -c $((bits / 8)) /dev/zero | dd of="$1" bs=$((bits / 8)) seek=$((table / (bits / 8) + host / cluster)) conv=notrunc status=none
    chmod u-w "$1"
}
full=$(sealed_of "$repo" $a 2000)
lose_count "$full" $((4 * MIB))
qemu-img check -q "$full" >"$TEST_TMP/check" 2>&1
is $? 2 "qemu-img check finds the damage" || diag "$(<"$TEST_TMP/check")"
want=$(contents | without $a)
ok "scan does not" in_order
keep damaged
image delete "$(spec_delete $a)"
is "$rc $(field .outcome)" "0 deleted" "the full layer is deleted: the one above gets a copy" || diag "$out"
is "$(contents)" "$want" "what remains reads as before"
ok "and is in order" in_order
is "$(false_digests)" "" "its digests are true"
for image in "$repo/$VM"/2*/*.qcow2; do qemu-img check -q "$image" >/dev/null 2>&1 || fail "${image##*/} is sound"; done

# Damaged after the point of no return, before it is merged into.
back base
kill_at delete.mark-sync.after:1 delete "$(spec_delete $a)"
is "$bad" "" "killed behind the point of no return"
lose_count "$full" $((4 * MIB))
image delete "$(spec_delete $a)"
is "$rc $(field .outcome)" "0 deleted" "damaged then: deleted, by a copy" || diag "$out"
is "$(contents)" "$want" "what remains reads as before"
ok "and is in order" in_order

# flip FILE GUEST-OFFSET: a byte of it rots.
flip() {
    chmod u+w "$1"
    printf 'damage' | dd of="$1" bs=1 conv=notrunc status=none \
        seek="$(qemu-img map --output=json -f qcow2 "$1" | jq -r --argjson at "$2" 'map(select(.depth == 0 and .start <= $at and .start + .length > $at))[0] | .offset + $at - .start')"
    chmod u-w "$1"
}

# The child is compared with its digests before anything is written.
back base
flip "$(sealed_of "$repo" $b 2000)" $((13 * MIB))
now=$(contents)
image delete "$(spec_delete $a)"
is "$rc $(field .error_name)" "1 com.sendense.Error.ImageDamaged" "a flipped byte in the layer above" || diag "$out"
is "$(contents)" "$now" "all reads as it did"
ok "nothing was written into the full layer" cmp "$full" "$fast/base/$VM/2000/$a.qcow2"
image delete-undo "$(spec_delete $a)"
is "$rc $(field .outcome)" "0 kept" "delete-undo keeps it"

# What the full layer alone holds is not read, whatever its size: it stays where it is, and its digests go with it.
back base
flip "$full" $((2 * MIB))
now=$(contents | without $a)
image delete "$(spec_delete $a)"
is "$rc $(field .outcome)" "0 deleted" "a flipped byte in the full layer that no layer above covers" || diag "$out"
is "$(contents)" "$now" "what remains reads as it did"
image verify "$(spec_delete $b)"
like "$out" "disk 2000, layer $b: block 0 .* is not what was backed up" "and verify finds the damage by the digest that was taken over"
done_testing
