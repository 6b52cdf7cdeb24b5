#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# "The hub is gone" of docs/RESTORE.md does what it says: its commands, as they stand there, bring back what was kept, and
# they find what is damaged.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/restore.bash"

chain_make
page=$SENDENSE_SRC/docs/RESTORE.md
by_hand=$TEST_TMP/commands
awk '/^## / { on = /^## The hub is gone/ } on && /^    / { print substr($0, 5) }' "$page" |
    sed -e "s|^repository=.*|repository=$repo|" -e "s|^backup=.*|backup=${b[4]}|" >"$by_hand"
sed -i "1i layer_to_try=$(sealed_of "$repo" "${b[4]}" 2000)" "$by_hand"
ok "the page has commands" test "$(wc -l <"$by_hand")" -ge 30

# What a backup of a VM with an EFI has besides.
head -c 3000 /dev/urandom >"$TEST_TMP/nvram"
head -c 200000 /dev/zero >>"$TEST_TMP/nvram"
record=$(ls "$repo"/*/backups/"${b[4]}.json")
jq -Sc --arg gzip "$(gzip -n <"$TEST_TMP/nvram" | base64 -w0)" --arg sum "$(sum "$TEST_TMP/nvram")" \
    '.hardware = {firmware: "efi", nvram: {bytes: 203000, sha256: $sum, gzip: $gzip}}' "$record" >"$TEST_TMP/record"
chmod u+w "$record"
cat "$TEST_TMP/record" >"$record"
run_by_hand() { (mkdir -p "$fast/hand" && cd "$fast/hand" && bash -eu "$by_hand" 2>&1); }
out=$(run_by_hand)
is "$?" 0 "they succeed" || diag "$out"
like "$out" "${b[0]}.*wéb \[1\].*1970-01-01T00:00:00Z" "they list the backups"
like "$out" $'2001\tscsi0\t0\t'"${capacity[2001]}" "and the disks"
is "$(sum "$fast/hand/restored/2000.raw")" "$(sum "$kept/${b[4]}-2000")" "the first disk comes back"
is "$(sum "$fast/hand/restored/2001.raw")" "$(sum "$kept/${b[4]}-2001")" "and the second"
is "$(sum "$fast/hand/restored/vm.nvram")" "$(sum "$TEST_TMP/nvram")" "and the variables of its EFI"
is "$(grep -cE 'was changed|is missing|is damaged|is not what' <<<"$out")" 0 "nothing is said of a backup that is whole" || diag "$out"
is "$(qemu-img compare -q "$fast/hand/try.qcow2" "$fast/hand/restored/2000.raw" && echo same)" same "a layer above it shows the disk"

# A byte that rots in the middle of the chain.
place=$(qemu-img map --output=json -f qcow2 "$(sealed_of "$repo" "${b[1]}" 2000)" |
    jq --argjson at $((27 * MIB)) '.[] | select(.depth == 0 and .data and .start <= $at and .start + .length > $at) | .offset + $at - .start')
printf '\377' | dd of="$(sealed_of "$repo" "${b[1]}" 2000)" bs=1 seek="$place" conv=notrunc status=none
rm -r "$fast/hand"
like "$(run_by_hand)" 'disk 2000: block 6 is not what was backed up' "a byte that rotted is found"
chmod u+w "$(folder_of "$repo" 2001)/${b[4]}.json"
echo >>"$(folder_of "$repo" 2001)/${b[4]}.json"
rm -r "$fast/hand"
like "$(run_by_hand)" "the manifest of .*/2001/${b[4]}.qcow2 was changed" "and a manifest that was changed"
done_testing
