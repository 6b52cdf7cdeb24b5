#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each place in a chain that a backup can be deleted from: what remains reads as before, records, manifests and digests are
# true, nothing is left of what went, and the space is given back.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../image/image.bash"
. "$(dirname "$0")/merge.bash"

images_bytes() { find "$repo" -name '*.qcow2*' -printf '%b\n' | awk '{ n += $1 * 512 } END { print n + 0 }'; }

n_deleted=0
# deleted NAME BACKUP-ID [force]
deleted() {
    local before want freed
    before=$(images_bytes)
    want=$(contents | without "$2")
    image delete "$(spec_delete "$2" "${3:-}")"
    is "$rc $(field '[.result, .outcome] | join(" ")')" "0 ok deleted" "$1: deleted" || return
    freed=$(field '"\(.freed_bytes) \(.bytes_before) \(.bytes_after)"')
    is "$(contents)" "$want" "$1: what remains reads as before"
    ok "$1: scan finds nothing wrong" in_order
    # It takes a while, so not each time.
    [ $((n_deleted++ % 2)) -ne 0 ] || is "$(false_digests)" "" "$1: all digests are true"
    is "$(find "$repo" -name "$2*")" "" "$1: nothing of it is left"
    is "$freed" "$((before - $(images_bytes))) $before $(images_bytes)" "$1: the space is told that was given back, before and after"
    diag "$1: $before bytes before, $(images_bytes) after"
}
parents() { # BACKUP-ID: of the record and what the files say
    local key
    jq -r '"\(.backup_type) " + (.disks | map(.parent_backup_id // "-") | join(" "))' "$repo/$VM/backups/$1.json"
    for key in 2000 2001; do
        qemu-img info --output=json "$(sealed_of "$repo" "$1" $key)" | jq -r '."backing-filename" // "-"'
    done
}

chain_mixed
ok "the chain is in order" in_order
is "$(false_digests)" "" "and its digests are true"
is "$(qemu-img info --output=json "$(sealed_of "$repo" $c 2000)" | jq -r '."backing-filename"')" $b.qcow2 "the third builds on the second"
keep base

deleted "one disk in place, one by a copy" $b
is "$(parents $c | paste -sd' ')" "incremental - $a - $a.qcow2" "the third stands for itself with one disk, and builds on the first with the other"
back base
image delete "$(spec_delete $b)"
is "$(field '[.children[] | [.backup_id, .backup_type, (.disks[] | .disk_key, .backup_type, (.parent_backup_id // "-"))] | join(" ")] | join(", ")')" \
    "$a full 2000 full -, $c incremental 2000 full - 2001 incremental $a" "it tells what became of the layers above"
is "$(field '.children[1].disks[0] | "\(.size_bytes) \(.stored_bytes) \(.manifest_sha256)"')" \
    "$(stat -c %s "$(sealed_of "$repo" $c 2000)") $(($(stat -c %b "$(sealed_of "$repo" $c 2000)") * 512)) $(sha256sum <"$(folder_of "$repo" 2000)/$c.json" | cut -d' ' -f1)" "with sizes and digest"
image delete "$(spec_delete $b)"
is "$rc $(field .outcome)" "0 gone" "deleted again: it is gone"

back base
deleted "a middle one" $c
is "$(parents $d | paste -sd' ')" "incremental $b $b $b.qcow2 $b.qcow2" "the fourth builds on the second"
back base
deleted "the newest" $d
back base
deleted "the oldest, whose one disk nobody needs" $a
is "$(parents $b | paste -sd' ')" "full - - - -" "the second is a full backup now"

# What is taken up is only a figure: a folder that cannot be looked into keeps no deletion from its end that has passed its point.
back base
want=$(contents | without $b) bad=''
kill_at delete.mark.after:1 delete "$(spec_delete $b)"
is "$bad" "" "one that is killed behind its point"
install -d -m 700 "$repo/$VM/999"
image delete "$(spec_delete $b)"
is "$rc $(field '[.result, .outcome, .freed_bytes, .bytes_before, .bytes_after] | map(. // "-") | join(" ")')" "0 ok deleted - - -" \
    "what cannot be counted: it is deleted, and no figure is told"
ok "what cannot be counted: the log says why" grep -q 'Cannot count the layers of a VM' "$TEST_TMP/err"
rmdir "$repo/$VM/999"
is "$(contents)" "$want" "what cannot be counted: what remains reads as before"
is "$(find "$repo" -name "$b*")" "" "what cannot be counted: nothing of it is left"

# A chain of four, shortened from below until one is left, as a retention does.
rm -rf "$repo"
repository_make "$repo"
image health "$(spec_health "$repo")"
backup "$repo" $a '' 'write -P 1 0 9M' 'write -P 2 14M 1M'
backup "$repo" $b $a 'write -P 3 4M 5M' 'write -z 14M 300k'
backup "$repo" $c $b 'write -P 4 8M 64k' 'write -P 5 17M 3M'
backup "$repo" $d $c 'write -z 0 4M'
keep chain
for id in $a $b $c; do deleted "from below, ${id##*-}" "$id"; done
is "$(parents $d | paste -sd' ')" "full - - - -" "the last one is full"
image delete "$(spec_delete $d)"
is "$rc $(field .error_name)" "1 com.sendense.Error.LastBackup" "the last one is not deleted"
ok "and nothing has changed" in_order
deleted "with force" $d force
is "$(ls -A "$repo")" sendense-repository.json "no folder is left"
image delete "$(spec_delete $d)"
is "$rc $(field .outcome)" "0 gone" "a VM without a folder: it is gone"

# Two chains on one layer: the first child gets a copy of the whole, the second takes the layer.
back chain
image delete "$(spec_delete $d)"
image delete "$(spec_delete $c)"
backup "$repo" $c $a 'write -P 6 2M 2M'
is "$(for id in $b $c; do parents "$id"; done | grep -c "^$a.qcow2")" 4 "two build on the first"
deleted "a full one below two" $a
is "$(for id in $b $c; do parents "$id"; done | paste -sd' ')" "full - - - - full - - - -" "both are full now"

# More than one, and each way, between two whole backups.
back chain
deleted "the third" $c
deleted "then the second" $b
is "$(parents $d | paste -sd' ')" "incremental $a $a $a.qcow2 $a.qcow2" "the fourth builds on the first"

image delete "$(spec_delete $d | jq -c '. + {backup_id: "backup-web-1"}')"
is "$rc $(field .outcome)" "0 gone" "one that never was"
done_testing
