# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of sendense-import: source it after tap.sh, make servers with source_raw, source_nbdkit and
# target_qcow2, name them in disk, run import. Sources are on unix sockets, targets on ports of the
# loopback interface that nobody else has. Everything ends with the test.

import_bin=$SENDENSE_BUILD/helpers/import/sendense-import
import_spec=$TEST_TMP/spec.json
import_progress=$TEST_TMP/progress.sock
import_disks=()
declare -A import_pid=() # of each server, by its name

for import_tool in nbdcopy nbdkit qemu-nbd qemu-img jq socat; do
    command -v "$import_tool" >/dev/null || skip_all "$import_tool is not installed"
done
[ -x "$import_bin" ] || skip_all "no build in $SENDENSE_BUILD"

server_end() { # NAME [SIGNAL]
    [ -n "${import_pid[$1]:-}" ] || return 0
    kill -s "${2:-TERM}" "${import_pid[$1]}" 2>/dev/null
    wait "${import_pid[$1]}" 2>/dev/null
    unset "import_pid[$1]"
}
servers_end() {
    local name
    for name in "${!import_pid[@]}"; do
        server_end "$name"
    done
    return 0
}
at_end servers_end

# source_nbdkit KEY ARGUMENT...: nbdkit in the foreground, so that its process is known.
source_nbdkit() {
    local key=$1
    shift
    rm -f "$TEST_TMP/source-$key.sock"
    nbdkit -f -U "$TEST_TMP/source-$key.sock" "$@" </dev/null 2>>"$TEST_TMP/nbdkit.log" &
    import_pid[source-$key]=$!
    eventually 30 test -S "$TEST_TMP/source-$key.sock" || {
        diag "nbdkit $* did not start"
        return 1
    }
}
source_uri() { printf 'nbd+unix:///?socket=%s\n' "$TEST_TMP/source-$1.sock"; }

# raw KEY SIZE: a disk with holes, data at its ends and in the middle; $TEST_TMP/KEY.raw
raw() {
    local at
    truncate -s "$2" "$TEST_TMP/$1.raw"
    for at in 0 $((RANDOM % 8 + 4)) 20; do
        head -c 1500000 /dev/urandom | dd of="$TEST_TMP/$1.raw" bs=1M seek="$at" conv=notrunc status=none
    done
    head -c 70000 /dev/urandom | dd of="$TEST_TMP/$1.raw" bs=1 seek=$(($(stat -c %s "$TEST_TMP/$1.raw") - 70000)) \
        obs=64k conv=notrunc iflag=fullblock status=none
}

instance() { printf '%032x\n' "$((0xabc0000 + $1))"; }

# target_nbd KEY FILE: a qemu-nbd of FILE, which calls itself as the hub's would. Its export has a name that no test beside
# this one has: where one of those took the port first, it is that one that answers.
target_nbd() {
    local key=$1 port
    for _ in 1 2 3 4 5 6 7 8; do
        port=$((20000 + RANDOM % 12000))
        qemu-nbd -t --shared=10 -x "disk-$key-$$" -D "$(instance "$key")" -f qcow2 --cache=writeback --discard=unmap \
            -b 127.0.0.1 -p "$port" "$2" </dev/null 2>>"$TEST_TMP/qemu-nbd.log" &
        import_pid[target-$key]=$!
        target_uri[key]="nbd://127.0.0.1:$port/disk-$key-$$"
        eventually 30 nbd_answers "$key" && nbd_answers_right "$key" && return 0
        server_end "target-$key" KILL
    done
    diag "no qemu-nbd for $2"
    return 1
}
declare -a target_uri=()
nbd_answers() { ! kill -0 "${import_pid[target-$1]}" 2>/dev/null || nbd_answers_right "$1"; }
nbd_answers_right() { nbdinfo --size "${target_uri[$1]}" >/dev/null 2>&1; }

# target_qcow2 KEY SIZE [BACKING]: an image of its own behind target_nbd.
target_qcow2() {
    if [ -n "${3:-}" ]; then
        qemu-img create -q -f qcow2 -F qcow2 -b "$3" "$TEST_TMP/$1.qcow2" "$2" || return
    else
        qemu-img create -q -f qcow2 "$TEST_TMP/$1.qcow2" "$2" || return
    fi
    target_nbd "$1" "$TEST_TMP/$1.qcow2"
}

# disk KEY CAPACITY [SOURCE-KEY [TARGET-KEY [INSTANCE]]]: one more disk of the spec.
disk() {
    import_disks+=("$(jq -cn --argjson key "$1" --argjson size "$2" --arg source "$(source_uri "${3:-$1}")" \
        --arg target "${target_uri[${4:-$1}]}" --arg id "${5:-$(instance "${4:-$1}")}" \
        '{disk_key: $key, source: $source, target: $target, capacity_bytes: $size, invocation_id: $id}')")
}

# spec [JQ-FILTER]: writes it, from the disks so far.
spec() {
    printf '%s\n' "${import_disks[@]}" | jq -cs --arg progress "$import_progress" \
        '{job: 7, progress: $progress, disks: .} | '"${1:-.}" >"$import_spec"
}

# import [OPTION...]: runs it to its end; fills status, result, err.
import() {
    result=$("$import_bin" "$@" <"$import_spec" 2>"$TEST_TMP/err")
    status=$?
    err=$(<"$TEST_TMP/err")
}

# import_begin [OPTION...]: the same in the background, import_end waits for it.
import_begin() {
    "$import_bin" "$@" <"$import_spec" >"$TEST_TMP/result" 2>"$TEST_TMP/err" &
    importer=$!
    import_pid[importer]=$importer
}
import_end() {
    wait "$importer"
    status=$?
    unset 'import_pid[importer]'
    result=$(<"$TEST_TMP/result")
    err=$(<"$TEST_TMP/err")
}
children() { cat "/proc/$importer/task/$importer/children" 2>/dev/null; }
has_children() { [ -n "$(children)" ]; }
gone() { # PID...: none of them runs
    local pid
    for pid in "$@"; do
        [ ! -e "/proc/$pid" ] || grep -q '^State:.*Z' "/proc/$pid/status" || return 1
    done
}

field() { jq -r --arg name "$1" '.[$name] // empty' <<<"$result"; } # NAME of the result

# failed NAME ERROR [REGEX]: what the result of a failed import must look like.
failed() {
    is "$status" 1 "$1: exit status 1" || diag "result: $result" "err: $err"
    is "$(jq -r .result <<<"$result" 2>&1)" failed "$1: one result that says failed" || diag "result: $result"
    is "$(field error_name)" "com.sendense.Error.$2" "$1: $2"
    [ -z "${3:-}" ] || like "$(field error_text)" "$3" "$1: says why"
    is "$(field error_text | wc -l)" 1 "$1: in one line"
}

# same KEY: the image of a disk, whose server has ended, holds what its source does.
same() { qemu-img compare -q -f raw -F qcow2 "$TEST_TMP/$1.raw" "$TEST_TMP/$1.qcow2"; }

# listen: collects progress datagrams until the test ends, in $TEST_TMP/progress.
listen() {
    socat -u "UNIX-RECV:$import_progress" "OPEN:$TEST_TMP/progress,creat,append" &
    import_pid[listener]=$!
    eventually 30 test -S "$import_progress"
}
