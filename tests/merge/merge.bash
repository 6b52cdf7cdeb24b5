# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it, and of image.bash
#
# A repository with chains, and the questions of this suite: does every backup read as it did, is the repository in
# order, are all digests true. Source it after tap.sh and image.bash.

# In memory: a kill keeps the page cache, so that nothing is shown by a disk, which is slow.
fast=$TEST_TMP/fast
mkdir "$fast"
require "a tmpfs" mount -t tmpfs -o size=256M,mode=755 tmpfs "$fast"
at_end 'umount "$fast"'
repo=$fast/repo
export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/faults
install -d -m 777 "$SENDENSE_FAULT_POINT_DIR"

# Small ones, since everything is read again and again.
capacity[2000]=$((20 * MIB))
a=backup-web-1700000000 b=backup-web-1700000100 c=backup-web-1700000200 d=backup-web-1700000300

spec_delete() { # BACKUP-ID [force]
    jq -nc --arg repository "$repo" --arg repository_uuid "$(uuid_of "$repo")" --arg instance_uuid "$VM" --arg backup_id "$1" \
        '$ARGS.named' | if [ -n "${2:-}" ]; then jq -c '. + {force: true}'; else cat; fi
}

# backup_mixed BACKUP-ID PARENT COMMAND...: the first disk is read as a whole again, the second is not.
backup_mixed() {
    local key parent
    image prepare "$(spec_prepare "$repo" "$1")" || return
    for key in 2000 2001; do
        parent=$2
        [ $key = 2001 ] || parent=''
        image create "$(spec_disk "$repo" "$1" $key "$parent")" || return
        if [ $key = 2000 ]; then write_disk "$repo" "$1" $key "${@:3}"; else write_disk "$repo" "$1" $key 'write -P 70 1M 1M'; fi
        finish_disk "$repo" "$1" $key "$parent" || return
    done
    image commit "$(spec_commit "$repo" "$1" "$2" | jq -c 'def whole: if .disk_key == 2000 then del(.parent_backup_id) + {backup_type: "full"} else . end;
        .record.disks |= map(whole) | .disks |= map(.manifest |= whole)')"
}

backups() { (cd "$repo/$VM/backups" && printf '%s\n' *.json | sed 's/\.json$//'); }

# contents: what each disk of each backup that has a record reads as, by qemu alone.
contents() {
    local id key
    for id in $(backups); do
        for key in 2000 2001; do
            qemu-img convert -f qcow2 -O raw "$(sealed_of "$repo" "$id" $key)" "$fast/raw" 2>&1
            printf '%s %s %s\n' "$id" $key "$(sha256sum <"$fast/raw")"
        done
    done
    rm -f "$fast/raw"
}
without() { grep -v "^$1 "; } # BACKUP-ID

# in_order: scan finds nothing wrong.
in_order() {
    image scan "$(spec_health "$repo")"
    [ "$rc $(field '[.problems, .n_strays] | join(" ")')" = "0 0 0" ] || { diag "$out"; false; }
}

# false_digests: of all manifests, those that are not what the guest reads.
false_digests() {
    local manifest image key block want got length
    for manifest in "$repo/$VM"/2*/*.json; do
        [ -e "$manifest" ] || continue
        image=${manifest%.json}.qcow2 key=$(basename "$(dirname "$manifest")")
        qemu-img convert -f qcow2 -O raw "$image" "$fast/raw" || echo "$image"
        while read -r block want; do
            length=$((${capacity["$key"]} - block * 4 * MIB))
            [ $length -le $((4 * MIB)) ] || length=$((4 * MIB))
            got=$(dd if="$fast/raw" bs=4M skip="$block" count=1 status=none | head -c $length | tree_digest)
            [ "$got" = "$want" ] || echo "$manifest block $block"
        done < <(jq -r '.digest.blocks | to_entries[] | "\(.key) \(.value)"' "$manifest")
    done
    rm -f "$fast/raw"
}

# truth: all that is small, but for lengths of images, which depend on where the writer was killed.
truth() {
    (cd "$repo" && find . -name '*.json*' -o -name '*.deleting' | LC_ALL=C sort | while read -r file; do
        printf '%s %s\n' "$file" "$(jq -Sc 'del(.size_bytes) | if .disks then .disks |= map(del(.size_bytes, .manifest_sha256)) else . end' "$file")"
    done)
    tree "$repo"
}

keep() { rm -rf "${fast:?}/$1" && cp -a "$repo" "$fast/$1"; }
back() { rm -rf "$repo" && cp -a "$fast/$1" "$repo"; }

# hits_of VERB SPEC: NAME:HIT of each fault point that this run passes.
hits_of() {
    install -m 666 /dev/null "$SENDENSE_FAULT_POINT_DIR/hits"
    image_now=$image_faulty image "$1" "$2" || diag "$out"
    hits=$(cut -d' ' -f1,2 "$SENDENSE_FAULT_POINT_DIR/hits" | tr ' ' :)
    rm "$SENDENSE_FAULT_POINT_DIR/hits"
}
# kill_at HIT VERB SPEC: it must be killed there.
kill_at() {
    { SENDENSE_FAULT_POINT=$1:kill image_now=$image_faulty image "$2" "$3"; } 2>/dev/null
    [ "$rc" -eq 137 ] || bad+=$'\n'"$2 at $1 was not killed but ended with $rc: $out"
}

# chain_mixed: A, then B whose first disk is whole and whose second builds on A, then C and D. To delete B, one disk is
# merged in place and one by a copy.
chain_mixed() {
    repository_make "$repo"
    image health "$(spec_health "$repo")"
    backup "$repo" $a '' 'write -P 1 0 9M' 'write -P 2 14M 1M'
    backup_mixed $b $a 'write -P 11 0 6M' 'write -P 12 10M 3M' 'write -P 13 17M 200k'
    backup "$repo" $c $b 'write -P 21 1M 64k' 'write -z 11M 1M' 'write -P 22 18M 2M'
    backup "$repo" $d $c 'write -P 31 18M 64k'
}
