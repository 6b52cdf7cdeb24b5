# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of sendense-backup-client: source it after tap.sh, make servers with source_nbdkit and target_qcow2, name
# them in disk, run copy. Targets are images of our shape behind qemu-nbd with the options of an export. Everything
# ends with the test.

copy_bin=${COPY_BIN:-$SENDENSE_BUILD/helpers/backup-client/sendense-backup-client}
copy_spec=$TEST_TMP/spec.json
copy_progress=$TEST_TMP/progress.sock
copy_shape=cluster_size=1M,extended_l2=on,lazy_refcounts=off
copy_disks=()
declare -A copy_pid=() # of each server, by its name
declare -A target_at=() # how it is served: -k SOCKET or -b HOST -p PORT
declare -A target_uri=()
MIB=$((1024 * 1024))
export MIB

for copy_tool in nbdkit qemu-nbd qemu-img qemu-io nbdinfo jq socat; do
    command -v "$copy_tool" >/dev/null || skip_all "$copy_tool is not installed"
done
[ -x "$copy_bin" ] || skip_all "no build in $SENDENSE_BUILD"
copy_cache=none # where the file system can do that
[ "$(stat -f -c %T "$TEST_TMP")" != tmpfs ] || copy_cache=writeback

server_end() { # NAME [SIGNAL]
    [ -n "${copy_pid[$1]:-}" ] || return 0
    kill -s "${2:-TERM}" "${copy_pid[$1]}" 2>/dev/null
    # Whatever hangs in its end does not hold up the test.
    timeout 10 tail -s 0.02 --pid="${copy_pid[$1]}" -f /dev/null || kill -s KILL "${copy_pid[$1]}" 2>/dev/null
    wait "${copy_pid[$1]}" 2>/dev/null
    unset "copy_pid[$1]"
}
servers_end() {
    local name
    # A source that waits for this would not end before its reads have.
    touch "$TEST_TMP/go"
    for name in "${!copy_pid[@]}"; do
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
    copy_pid[source-$key]=$!
    eventually 30 test -S "$TEST_TMP/source-$key.sock" || {
        diag "nbdkit $* did not start" "$(tail -3 "$TEST_TMP/nbdkit.log")"
        return 1
    }
}
source_uri() { printf 'nbd+unix:///?socket=%s\n' "$TEST_TMP/source-$1.sock"; }

# raw KEY SIZE: a disk with holes, and data at its ends, in the middle and in small pieces; $TEST_TMP/KEY.raw
raw() {
    local at
    truncate -s "$2" "$TEST_TMP/$1.raw"
    for at in 0 $((RANDOM % 8 + 4)) 20; do
        head -c 1500000 /dev/urandom | dd of="$TEST_TMP/$1.raw" bs=1M seek="$at" conv=notrunc status=none
    done
    for at in 1 7 100 101 130; do
        head -c 4096 /dev/urandom | dd of="$TEST_TMP/$1.raw" bs=64k seek=$((at + 200)) conv=notrunc status=none
    done
    head -c 70000 /dev/urandom | dd of="$TEST_TMP/$1.raw" bs=1 seek=$(($2 - 70000)) \
        obs=64k conv=notrunc iflag=fullblock status=none
}

# target_start KEY INSTANCE: (another) qemu-nbd of the image of KEY, at its place. Ready when it returns.
target_start() {
    # shellcheck disable=SC2086 # options are words
    qemu-nbd -t --shared=10 -x "disk-$1" -D "$2" -f qcow2 --cache=$copy_cache --aio=threads ${target_options:-} \
        ${target_at[$1]} "$TEST_TMP/$1.qcow2" </dev/null 2>>"$TEST_TMP/qemu-nbd.log" &
    copy_pid[target-$1]=$!
    eventually 20 nbdinfo --size "${target_uri[$1]}" || {
        diag "no qemu-nbd for $1" "$(tail -3 "$TEST_TMP/qemu-nbd.log")"
        return 1
    }
}
target_answers() { nbdinfo --size "${target_uri[$1]}" >/dev/null; } # KEY
# target_kill KEY: as by the kernel; its socket stays behind and refuses.
target_kill() { server_end "target-$1" KILL; }

# target_qcow2 KEY SIZE [BACKING]: an image of its own behind a qemu-nbd.
target_qcow2() {
    local backing=()
    [ -z "${3:-}" ] || backing=(-F qcow2 -b "$3")
    qemu-img create -q -f qcow2 -o $copy_shape "${backing[@]}" "$TEST_TMP/$1.qcow2" "$2" || return
    target_at[$1]="-k $TEST_TMP/target-$1.sock"
    target_uri[$1]="nbd+unix:///disk-$1?socket=$TEST_TMP/target-$1.sock"
    target_start "$1" "first-of-$1"
}

# disk KEY CAPACITY [JQ-FILTER]: one more disk of the spec; its source is an nbdkit unless the filter says otherwise.
disk() {
    copy_disks+=("$(jq -cn --argjson key "$1" --argjson size "$2" --arg source "$(source_uri "$1")" \
        --arg target "${target_uri[$1]}" \
        '{disk_key: $key, capacity_bytes: $size, target: $target, source: {kind: "nbd", uri: $source}, read: "allocated"} | '"${3:-.}")")
}

# spec [JQ-FILTER]: writes it, from the disks so far.
spec() {
    printf '%s\n' "${copy_disks[@]}" | jq -cs --arg progress "$copy_progress" \
        '{job: 7, attempt: 1, progress: $progress, disks: .} | '"${1:-.}" >"$copy_spec"
}

# copy: runs it to its end; fills status, result, err.
copy() {
    result=$(timeout 120 "$copy_bin" copy <"$copy_spec" 2>"$TEST_TMP/err")
    status=$?
    err=$(<"$TEST_TMP/err")
}

# copy_begin: the same in the background, copy_end waits for it.
copy_begin() {
    "$copy_bin" copy <"$copy_spec" >"$TEST_TMP/result" 2>"$TEST_TMP/err" &
    copier=$!
    copy_pid[copier]=$copier
}
copy_end() {
    wait "$copier"
    status=$?
    unset 'copy_pid[copier]'
    result=$(<"$TEST_TMP/result")
    err=$(<"$TEST_TMP/err")
}
copy_runs() { kill -0 "$copier" 2>/dev/null; }

field() { jq -r "$1 // empty" <<<"$result"; } # JQ-FILTER on the result
of_disk() { jq -r --argjson key "$1" '.disks[] | select(.disk_key == $key) | '"$2" <<<"$result"; }

# copied NAME: the copy has ended well.
copied() {
    is "$status $(jq -r .result <<<"$result" 2>&1)" "0 ok" "$1"
    [ "$status" = 0 ] || diag "result: $result" "err: $err"
}

# failed NAME ERROR [REGEX]: what the result of a failed copy must look like.
failed() {
    is "$status" 1 "$1: exit status 1"
    [ "$status" = 1 ] || diag "result: $result" "err: $err"
    is "$(field .result)" failed "$1: one result that says failed"
    is "$(field .error_name)" "com.sendense.Error.$2" "$1: $2"
    [ -z "${3:-}" ] || like "$(field .error_text)" "$3" "$1: says why"
    is "$(field .error_text | wc -l)" 1 "$1: in one line"
}

# same KEY: the image of a disk, whose server has ended, holds what its source does. Clusters that a killed server
# had taken and not told of are leaks, as sendense-image repairs them.
same() {
    qemu-img check -q -r leaks "$TEST_TMP/$1.qcow2" >/dev/null
    qemu-img check -q "$TEST_TMP/$1.qcow2" && qemu-img compare -q -f raw -F qcow2 "$TEST_TMP/$1.raw" "$TEST_TMP/$1.qcow2"
}

# has_mib KEY N: the image has grown by that much.
has_mib() { [ "$(stat -c %b "$TEST_TMP/$1.qcow2")" -ge $(($2 * 2048)) ]; }

# block_digest FILE.raw BLOCK: of a block of 4 MiB, made by other means.
block_digest() {
    dd if="$1" bs=4M skip="$2" count=1 status=none | split -b 1M --filter=sha256sum | cut -d' ' -f1 | xxd -r -p |
        sha256sum | cut -d' ' -f1
}
