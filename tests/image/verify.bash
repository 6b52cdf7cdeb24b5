# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# A chain of three layers of two disks to be damaged, and verify. Source it after tap.sh and image.bash.

repo=$TEST_TMP/repo
repository_make "$repo"
a=backup-web-1 b=backup-web-2 c=backup-web-3
image health "$(spec_health "$repo")"
# A piece of each of 40 MiB: little to copy and to read, and a table that is used.
mapfile -t pieces < <(for i in {0..39}; do echo "write -P 1 ${i}M 64k"; done)
backup "$repo" $a '' "${pieces[@]}" || diag "$out"
backup "$repo" $b $a 'write -P 2 8M 4M' 'write -P 2 17M 8k' || diag "$out"
require "a chain of three" backup "$repo" $c $b 'write -P 3 16M 64k' 'write -z 24M 4M' 'write -P 4 63M 1M'
cp -a "$repo" "$TEST_TMP/whole"
whole=$TEST_TMP/whole
back() { rm -rf "$repo" && cp -a "$whole" "$repo"; }

# verify BACKUP [JQ-FILTER]: of the spec.
spec_verify() {
    jq -nc --arg repository "$repo" --arg uuid "$(uuid_of "$repo")" --arg vm "$VM" --arg id "$1" \
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
A=$(sealed_of "$repo" $a 2000) B=$(sealed_of "$repo" $b 2000) C=$(sealed_of "$repo" $c 2000)
record=$repo/$VM/backups
