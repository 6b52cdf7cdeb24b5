# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of vsphere.bash, and of those who source it
#
# For tests of the verb import: source it after vsphere.bash. Disks are raw files behind qemu-nbd, the record is that of a VM of the peer.

command -v qemu-nbd >/dev/null || skip_all 'qemu-utils is not installed: nothing serves a disk'

# serve NAME [OPTION…]: $TEST_TMP/NAME.raw at $TEST_TMP/NAME.sock, until the test ends.
serve() {
    local name=$1
    shift
    qemu-nbd -f raw -r -t -e 8 -x '' -k "$TEST_TMP/$name.sock" "$@" "$TEST_TMP/$name.raw" >/dev/null 2>&1 &
    eval "pid_of_$name=$!"
    at_end "kill \$pid_of_$name 2>/dev/null"
    eventually 30 test -S "$TEST_TMP/$name.sock" >/dev/null
}
source_of() { printf 'nbd+unix:///?socket=%s' "$TEST_TMP/$1.sock"; }

# disk NAME BYTES: a raw image with content at its ends and in between, and holes.
disk() {
    truncate -s "$2" "$TEST_TMP/$1.raw"
    head -c 700000 /dev/urandom | dd of="$TEST_TMP/$1.raw" bs=64K oflag=seek_bytes seek=$(($2 / 3)) conv=notrunc status=none
    yes "start of $1" | head -c 100000 | dd of="$TEST_TMP/$1.raw" conv=notrunc status=none
    yes "end of $1" | head -c 512 | dd of="$TEST_TMP/$1.raw" bs=512 seek=$(($2 / 512 - 1)) conv=notrunc status=none
}

# hardware_of VM: the record that a snapshot of it makes.
hardware_of() {
    uuid=$(uuid_of "$1")
    take >/dev/null
    res .hardware
    release >/dev/null
}

# import [JQ]: the VM "back again" of $hardware, its disks out of $disks.
hardware='{}' disks='[]'
import_spec() {
    jq -nc --argjson vcenter "$vcenter" --argjson hardware "$hardware" --argjson disks "$disks" \
        "{vcenter: \$vcenter, name: \"back again\", folder: \"DC0/vm/Prod\", datastore: \"datastore1\", hardware: \$hardware,
        disks: \$disks, undo_sec: 60} | ${1:-.}"
}
import() {
    import_spec "${1:-.}" >"$TEST_TMP/spec"
    timeout 120 "$vsphere_bin" import <"$TEST_TMP/spec" >"$TEST_TMP/result" 2>"$TEST_TMP/stderr"
}
import_begin() {
    import_spec "${1:-.}" >"$TEST_TMP/spec"
    timeout 120 "$vsphere_bin" import <"$TEST_TMP/spec" >"$TEST_TMP/result" 2>"$TEST_TMP/stderr" &
    pid=$!
}
# import_end UUID [MOREF]: what was imported is given up.
import_end() {
    jq -nc --argjson vcenter "$vcenter" --arg uuid "$1" --arg moref "${2:-}" '{vcenter: $vcenter, instance_uuid: $uuid, keep: false} + if $moref == "" then {} else {vm_moref: $moref} end' |
        timeout 120 "$vsphere_bin" import-end >"$TEST_TMP/result" 2>"$TEST_TMP/stderr"
}

# What a VM is made of, without keys: kinds, bus numbers, unit numbers, sizes. $1: hardware as a record has it.
shape_of() {
    jq -cS '. as $h | {version, guest_id, firmware, secure_boot, cpus, cores_per_socket, memory_mb,
        controllers: [.controllers[] | {type, bus_number}] | sort,
        disks: [.disks[] | . as $d | ($h.controllers[] | select(.key == $d.controller_key)) as $c
            | "\($c.type)\($c.bus_number):\(.unit_number) \(.mode)"] | sort,
        networks: [.networks[] | {type, network}] | sort}' <<<"$1"
}
hash_at() { # VM ADDRESS-INDEX: the hash of the disk with the K-th key
    simctl disk hash vm="$1" key="$2" | jq -r .hash
}
vms() { simctl vm list | jq -r '[.[].name] | sort | join(" ")'; }

# nothing_new NAME: no lease, session, task, and no VM that was not there before.
vms_before=
nothing_new() {
    ok "$1: nothing is left at vCenter" import_left || diag "$(simctl left) $(vms)"
}
import_left() {
    [ "$(simctl left | jq -c '[.sessions, .tasks, .leases] | flatten')" = '[]' ] && [ "$(vms)" = "$vms_before" ]
}
