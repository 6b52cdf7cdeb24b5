# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# sendense-image as the hub runs it: under the users that own and that export a repository, with specs made
# here. Source it after tap.sh. Nobody of these users need exist on the machine.

[ "$EUID" -eq 0 ] || skip_all "takes root, to run as other users"

HUB_UID=7001
EXPORT_UID=7002
EXPORT_GID=$(getent group sendense-export | cut -d: -f3)
: "${EXPORT_GID:=7100}"

VM=4210a1b2-0000-1111-2222-333344445555
MIB=1048576
# The disks of the VM, by their keys. The second ends in the middle of a block.
declare -A capacity=([2000]=$((64 * MIB)) [2001]=$((6 * MIB)))

# The tree may be in a folder that other users cannot enter.
chmod 755 "$TEST_TMP"
install -m 755 "$SENDENSE_BUILD/helpers/image/sendense-image" "$TEST_TMP/sendense-image"
install -m 755 "$SENDENSE_BUILD/tests/image/image-faulty" "$TEST_TMP/image-faulty"
image_program=$TEST_TMP/sendense-image
image_faulty=$TEST_TMP/image-faulty
install -d -m 777 "$TEST_TMP/sockets"
export TMPDIR=$TEST_TMP/sockets

as_hub() { setpriv --reuid=$HUB_UID --regid=$HUB_UID --groups="$EXPORT_GID" "$@"; }
as_export() { setpriv --reuid=$EXPORT_UID --regid="$EXPORT_GID" --clear-groups "$@"; }

# repository_make FOLDER: an empty one.
repository_make() { install -d -o $HUB_UID -g "$EXPORT_GID" -m 2750 "$1"; }

# image VERB SPEC: runs it as the right user; sets out and rc. What it printed is in $TEST_TMP/out too, since `ok` runs it
# in a subshell; messages go to $TEST_TMP/err.
image() {
    local user=as_hub
    case $1 in create | finish | verify) user=as_export ;; esac
    out=$("$user" "${image_now:-$image_program}" "$1" <<<"$2" 2>"$TEST_TMP/err")
    rc=$?
    printf '%s\n' "$out" | tee "$TEST_TMP/out"
    return "$rc"
} >&2
# field EXPRESSION: of the last line of what it printed.
field() { tail -n 1 "$TEST_TMP/out" | jq -r "$1"; }

# fails NAME ERROR TEXT VERB SPEC: it must fail with that error and say so in one line.
fails() {
    image "$4" "$5"
    is "$rc $(field .result) $(field .error_name)" "1 failed com.sendense.Error.$2" "$1: $2"
    like "$(field .error_text)" "$3" "$1: the text names thing and remedy"
    is "$(wc -l <<<"$out")" 1 "$1: one line"
}

spec_health() { jq -nc --arg repository "$1" '$ARGS.named'; }
spec_undo() { # REPOSITORY BACKUP-ID
    jq -nc --arg repository "$1" --arg repository_uuid "$(uuid_of "$1")" --arg instance_uuid $VM --arg backup_id "$2" \
        '$ARGS.named + {disk_keys: [2000, 2001]}'
}
spec_prepare() { spec_undo "$@" | jq -c '. + {reserve_bytes: 1000000}'; }
uuid_of() { jq -r .repository_uuid "$1/sendense-repository.json"; }

folder_of() { printf '%s/%s/%s\n' "$1" $VM "$2"; } # REPOSITORY KEY
partial_of() { printf '%s/%s.qcow2.partial\n' "$(folder_of "$1" "$3")" "$2"; } # REPOSITORY BACKUP-ID KEY
sealed_of() { printf '%s/%s.qcow2\n' "$(folder_of "$1" "$3")" "$2"; }

spec_disk() { # REPOSITORY BACKUP-ID KEY [PARENT]
    jq -nc --arg path "$(partial_of "$1" "$2" "$3")" --argjson capacity "${capacity[$3]}" --arg parent "${4:-}" \
        '{path: $path, capacity_bytes: $capacity} + if $parent == "" then {} else {backing: ($parent + ".qcow2")} end'
}

spec_commit() { # REPOSITORY BACKUP-ID [PARENT]
    jq -nc --arg repository "$1" --arg uuid "$(uuid_of "$1")" --arg vm $VM --arg id "$2" --arg parent "${3:-}" \
        --arg results "$TEST_TMP" --argjson c0 "${capacity[2000]}" --argjson c1 "${capacity[2001]}" '
        ([[2000, $c0], [2001, $c1]] | map({disk_key: .[0], capacity_bytes: .[1], change_id: "52 aa/1"} +
            if $parent == "" then {backup_type: "full"} else {backup_type: "incremental", parent_backup_id: $parent} end)) as $disks |
        (if $parent == "" then "full" else "incremental" end) as $type |
        {repository: $repository, repository_uuid: $uuid, instance_uuid: $vm, backup_id: $id,
         record: {format: 1, backup_id: $id, instance_uuid: $vm, context_id: "ctx-web-20231114-221320", vm_name: "wéb [1]",
             vm_path: "/DC/vm/wéb [1]", backup_type: $type, created_usec: 1, committed_usec: 2, principal: "uid:0", version: "0.1.0",
             disks: ($disks | map(. + {unit_number: 0, controller: "scsi0"})),
             excluded: [{disk_key: 2002, unit_number: 2, controller: "scsi0", capacity_bytes: 512, reason: "independent"}]},
         disks: ($disks | map({disk_key, finish_result: "\($results)/\($id)-\(.disk_key).out",
             manifest: (. + {format: 1, backup_id: $id, instance_uuid: $vm, created_usec: 1})}))}'
}

# write_disk REPOSITORY BACKUP-ID KEY COMMAND...: commands of qemu-io; with write_cache=unsafe nothing of it is flushed.
write_disk() {
    local file args=() command
    file=$(partial_of "$1" "$2" "$3")
    for command in "${@:4}"; do args+=(-c "$command"); done
    as_export qemu-io -t "${write_cache:-writeback}" -f qcow2 "${args[@]}" "$file" >"$TEST_TMP/qemu-io" 2>&1 || diag "$(<"$TEST_TMP/qemu-io")"
}

# only_for_qemu IMAGE: with a bit in a table that qemu passes over, and at which sendense-image leaves the image to qemu-nbd.
only_for_qemu() {
    local table entry
    table=$((0x$(xxd -p -s "$((0x$(xxd -p -s 40 -l 8 "$1")))" -l 8 "$1") & 0x00fffffffffffe00))
    entry=$((table + 7))
    printf '%b' "\\x$(printf %02x $((0x$(xxd -p -s "$entry" -l 1 "$1") | 1)))" | dd of="$1" bs=1 seek="$entry" conv=notrunc status=none
}

finish_disk() { # REPOSITORY BACKUP-ID KEY [PARENT]: the result is kept where spec_commit says
    image finish "$(spec_disk "$@")" || return
    cp "$TEST_TMP/out" "$TEST_TMP/$2-$3.out"
}

# backup_written REPOSITORY BACKUP-ID PARENT COMMAND...: prepared, made, both disks finished; the commands write the first.
backup_written() {
    local key
    image prepare "$(spec_prepare "$1" "$2")" || return
    for key in 2000 2001; do
        image create "$(spec_disk "$1" "$2" $key "$3")" || return
        if [ $key = 2000 ]; then write_disk "$1" "$2" $key "${@:4}"; else write_disk "$1" "$2" $key 'write -P 7 5M 1M'; fi
        finish_disk "$1" "$2" $key "$3" || return
    done
}

backup() { backup_written "$@" && image commit "$(spec_commit "$1" "$2" "$3")"; }

# tree_digest: of a block on standard input: the sum of the sums of its leaves of 1 MiB.
tree_digest() {
    split -b 1M --filter=sha256sum | cut -d' ' -f1 | xxd -r -p | sha256sum | cut -d' ' -f1
}

# block_digest FILE KEY BLOCK: of the content that a guest sees, made by other means.
block_digest() {
    local block=$((4 * MIB)) length
    length=$((capacity[$2] - $3 * block))
    [ $length -le $block ] || length=$block
    qemu-img convert -f qcow2 -O raw "$1" "$TEST_TMP/raw" || return
    dd if="$TEST_TMP/raw" bs=$block skip="$3" count=1 status=none | head -c $length | tree_digest
}

# tree FOLDER: modes, owners and names of all that is in it.
tree() { (cd "$1" && find . -mindepth 1 -printf '%M %U:%G %P\n' | LC_ALL=C sort -k3); }
