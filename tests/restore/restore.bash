# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# Backups whose content is known, and restores of them by sendense-image alone. What a disk held is kept beside the
# repository: every write of a layer goes to a raw file too. Source it after tap.sh.

. "$(dirname "$0")/../image/image.bash"

# In memory, because what syncs is slow on a disk.
fast=$TEST_TMP/fast
mkdir "$fast"
mount -t tmpfs -o size=1G,mode=755 tmpfs "$fast" || skip_all "cannot mount a tmpfs"
at_end 'umount "$fast"'
repo=$fast/repo
kept=$fast/kept
out_dir=$fast/restored
mkdir -p "$kept" "$out_dir"

# layer BACKUP PARENT COMMAND...: a backup of both disks, the commands write the first; kept/BACKUP-KEY is what the guest saw.
layer() {
    local id=$1 parent=$2 key args command commands
    image prepare "$(spec_prepare "$repo" "$id")" || return
    for key in 2000 2001; do
        commands=("${@:3}")
        [ $key = 2000 ] || commands=('write -P 7 5M 1M')
        image create "$(spec_disk "$repo" "$id" $key "$parent")" || return
        [ -z "$parent" ] || cp --sparse=always "$kept/$parent-$key" "$kept/$id-$key"
        truncate -s "${capacity[$key]}" "$kept/$id-$key"
        write_disk "$repo" "$id" $key "${commands[@]}"
        args=()
        for command in "${commands[@]}"; do args+=(-c "$command"); done
        qemu-io -f raw "${args[@]}" "$kept/$id-$key" >/dev/null || return
        finish_disk "$repo" "$id" $key "$parent" || return
    done
    image commit "$(spec_commit "$repo" "$id" "$parent")"
}

# target_file PATH [FORMAT], target_device PATH, target_nbd URI: with force when $force is set.
target_file() { jq -nc --arg path "$1" --arg format "${2:-raw}" '{kind: "file", $path, $format}' | forced; }
target_device() { jq -nc --arg path "$1" '{kind: "device", $path}' | forced; }
target_nbd() { jq -nc --arg uri "$1" '{kind: "nbd", $uri}'; }
forced() { if [ -n "${force:-}" ]; then jq -c '. + {force: true}'; else cat; fi; }

# spec_restore BACKUP KEY TARGET [MORE]
spec_restore() {
    jq -nc --arg repository "$repo" --arg repository_uuid "$(uuid_of "$repo")" --arg instance_uuid $VM --arg backup_id "$1" \
        --argjson disk_key "$2" --argjson target "$3" --argjson more "${4:-{\}}" \
        '{$repository, $repository_uuid, $instance_uuid, $backup_id, $disk_key, $target, job: 7} + $more'
}

# restore SPEC: as root; sets out and rc as image does.
restore() {
    out=$("${image_now:-$image_program}" "${verb:-restore}" <<<"$1" 2>"$TEST_TMP/err")
    rc=$?
    printf '%s\n' "$out" | tee "$TEST_TMP/out"
    return "$rc"
} >&2

# refuses NAME ERROR TEXT SPEC
refuses() {
    restore "$4"
    is "$rc $(field .result) $(field .error_name)" "1 failed com.sendense.Error.$2" "$1: $2"
    like "$(field .error_text)" "$3" "$1: the text names thing and remedy"
}

sum() { sha256sum <"$1" | cut -d' ' -f1; }
# partials FOLDER: what restores that did not end left in it.
partials() { find "$1" -name '.*.partial' | wc -l; }

# chain_make: five layers of a disk that grows in the fourth, and is cut on purpose at no border of anything.
b=(backup-web-1 backup-web-2 backup-web-3 backup-web-4 backup-web-5)
chain_make() {
    repository_make "$repo"
    image health "$(spec_health "$repo")"
    capacity[2000]=$((37 * MIB + 512))
    require "a full" layer "${b[0]}" '' 'write -P 1 0 9M' 'write -P 2 20M 1M' 'write -P 3 37M 512'
    require "an increment" layer "${b[1]}" "${b[0]}" 'write -P 4 1M 64k' 'write -P 5 24M 4M'
    require "one that writes zeroes over data" layer "${b[2]}" "${b[1]}" 'write -z 2M 3M' 'write -P 6 30M 4k' 'write -P 0 25M 1M'
    capacity[2000]=$((70 * MIB))
    require "one of a larger disk" layer "${b[3]}" "${b[2]}" 'write -P 8 60M 1M' 'write -P 9 5M 8k'
    require "one more" layer "${b[4]}" "${b[3]}" 'write -P 10 6M 100k' 'write -P 11 69M 1M'
}

# wait_socket PATH: until a server has made it.
wait_socket() { timeout 20 bash -c "until [ -S '$1' ]; do sleep 0.05; done"; }
