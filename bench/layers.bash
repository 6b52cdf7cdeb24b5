# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # $program, $gib and $bench_dir are of who sources it
#
# A repository with a chain of backups of one disk, made by sendense-image ($program) itself. For benchmarks that read it.

vm=4210a1b2-0000-1111-2222-333344445555

# repository_make FOLDER
repository_make() {
    install -d -m 2750 -g "$(getent group sendense-export | cut -d: -f3 || echo 0)" "$1" 2>/dev/null || install -d -m 2750 "$1"
    "$program" health <<<"$(jq -nc --arg r "$1" '{repository: $r}')" >/dev/null || exit 2
}

# layer REPOSITORY N SOURCE [PARENT]: backup N, above PARENT or backup N-1, with what SOURCE copies into it.
layer() {
    local id=backup-bench-$2 parent="" spec type=full file=$1/$vm/2000/backup-bench-$2.qcow2.partial
    [ "$2" = 0 ] || parent=backup-bench-${4:-$(($2 - 1))} type=incremental
    spec=$(jq -nc --arg r "$1" --arg vm $vm --arg id "$id" '{repository: $r, instance_uuid: $vm, backup_id: $id}')
    "$program" prepare <<<"$(jq -c '. + {reserve_bytes: 1, disk_keys: [2000]}' <<<"$spec")" >/dev/null || exit 2
    "$program" create <<<"$(disk_spec "$file" "$parent")" >/dev/null || exit 2
    "$3" "$file" || bench_die "cannot write layer $2"
    "$program" finish <<<"$(disk_spec "$file" "$parent")" >"$bench_dir/finish" || exit 2
    "$program" commit >/dev/null <<<"$(jq -c --arg type $type --arg parent "$parent" --arg out "$bench_dir/finish" --argjson n $((gib << 30)) \
        --arg uuid "$(jq -r .repository_uuid "$1/sendense-repository.json")" '
        ({backup_type: $type, capacity_bytes: $n, disk_key: 2000} + if $parent == "" then {} else {parent_backup_id: $parent} end) as $disk |
        {format: 1, backup_id, instance_uuid} as $who | . + {repository_uuid: $uuid,
         record: ($who + {context_id: "ctx-bench-20231114-221320", vm_name: "bench", vm_path: "/bench", backup_type: $type, created_usec: 1,
            committed_usec: 2, principal: "uid:0", version: "0", disks: [$disk + {unit_number: 0, controller: "scsi0"}], excluded: []}),
         disks: [{disk_key: 2000, finish_result: $out, manifest: ($who + $disk + {created_usec: 1})}]}' <<<"$spec")" || exit 2
}
disk_spec() { # FILE PARENT
    jq -nc --arg path "$1" --arg parent "$2" --argjson n $((gib << 30)) \
        '{path: $path, capacity_bytes: $n} + if $parent == "" then {} else {backing: "\($parent).qcow2"} end'
}
