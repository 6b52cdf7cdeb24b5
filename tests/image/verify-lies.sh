#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Manifests and records that lie, or are gone: verify names the layer. And what is no damage but a failure, disks that grew,
# and a longer chain.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/image.bash"
. "$(dirname "$0")/verify.bash"

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
lie_record $c '.hardware = {firmware: "efi", nvram: {bytes: 6, sha256: ("a" * 64), gzip: "H4sIAAAAAAAAA8tIzcnJ5wIAIDA6NgYAAAA="}}'
finds "a record whose NVRAM is another" "damaged ok ok" "layer $c: the NVRAM in the record is not what its SHA-256 says"
lie_record $c ".hardware = {firmware: \"efi\", nvram: {bytes: 6, sha256: \"$(echo hello | sha256sum | cut -d' ' -f1)\", gzip: \"$(echo hello | gzip -n | base64 -w0)\"}}"
finds "one whose NVRAM is what it says" "ok ok ok" '^$'
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

# What the catalog has. rows FILTER: all that the records say of disk 2000, but for what the filter makes of it.
rows() {
    jq -sc "map(.backup_id as \$id | .disks[] | select(.disk_key == 2000) | {disk_key, backup_id: \$id, backup_type, parent_backup_id, capacity_bytes, file,
        size_bytes, backing_uuid, change_id} | map_values(select(. != null))) | $1" "$record"/*.json
}
finds "a catalog that says the same" "ok ok ok" '^$' $c ". + {rows: $(rows .)}"
for key in change_id parent_backup_id file; do
    finds "one with another $key" "ok damaged ok" "^disk 2000, layer $b: catalog and record differ in $key\$" $c \
        ". + {rows: $(rows "map(if .backup_id == \"$b\" then .$key = \"x\" else . end)")}"
done
finds "one without a change id" "damaged ok ok" "layer $c: catalog and record differ in change_id" $c ". + {rows: $(rows "map(if .backup_id == \"$c\" then del(.change_id) else . end)")}"

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
only_for_qemu "$A"
verify $c
is "$(verdicts)" "ok ok ok" "a chain that is left to qemu-nbd"
with_path "without qemu-nbd" ToolMissing 'qemu-nbd cannot be started.*qemu-utils'
install -m 755 /dev/stdin "$TEST_TMP/bin/qemu-nbd" <<<$'#!/bin/sh\nkill -9 $$'
with_path "a qemu-nbd that is killed" Failed 'qemu-nbd was ended by signal 9'
back

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
