# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of the sources of sendense-backup-client: a vCenter peer with a machine, its snapshot, and the
# reader that drives one source. Source tests/lib/tap.sh and tests/vcenter-sim/soap.bash first.

reader=$SENDENSE_BUILD/tests/sources/read-source
[ -x "$reader" ] || skip_all "no build in $SENDENSE_BUILD"

# sources_start [OPTION…]: the peer, and its password as a unit would get it.
# shellcheck disable=SC2120,SC2154 # its callers are other files, and so is who sets $password
sources_start() {
    sim_start "$@"
    export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
    mkdir -m 0700 "$CREDENTIALS_DIRECTORY"
    (umask 077 && printf '%s\n' "$password" >"$CREDENTIALS_DIRECTORY/vcenter")
    login >/dev/null
}

# spec DATASTORE-PATH DATACENTER [JSON]: $TEST_TMP/spec.json; the JSON is merged into it.
# shellcheck disable=SC2154 # soap.bash sets $user and $ca
spec() {
    local address host
    address=$(simctl ready address)
    host=${address%:*}
    host=${host#\[}
    jq -n --arg host "${host%\]}" --argjson port "${address##*:}" --arg user "$user" --arg ca "$ca" \
        --arg path "$1" --arg dc "$2" --argjson more "${3:-"{}"}" '
        {vcenter: {host: $host, port: $port, user: $user, password_credential: "vcenter", ca_file: $ca},
         datastore_path: $path, datacenter: $dc} * $more' >"$TEST_TMP/spec.json"
}

# read_disk KIND CAPACITY [OPTION…]: $TEST_TMP/disk and $TEST_TMP/answer; prints the result.
read_disk() {
    local kind=$1 capacity=$2
    shift 2
    timeout 100 "$reader" "$kind" "$TEST_TMP/spec.json" "$capacity" "$TEST_TMP/disk" "$@" \
        >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr"
    jq -r .result "$TEST_TMP/answer"
}
answer() { jq -r ".$1" "$TEST_TMP/answer"; }

# frozen SNAPSHOT KEY: the hash of a disk at the snapshot's moment, as the peer kept it.
frozen() {
    simctl snapshots all=1 | jq -r --arg s "$1" --argjson k "$2" '.[] | select(.snapshot == $s).disks[] | select(.key == $k).hash'
}

# is_frozen SNAPSHOT KEY NAME: what was read is that disk.
is_frozen() { is "$(simctl hash "$TEST_TMP/disk")" "$(frozen "$1" "$2")" "$3"; }

# others: sessions beside that of the test itself.
others() { simctl sessions | jq length; }

# shellcheck disable=SC2034 # for the tests
client=$SENDENSE_BUILD/helpers/backup-client/sendense-backup-client
target_pids=()

# target KEY SIZE: an image (the one that is there, when SIZE is empty) behind a qemu-nbd with the options of an export; its URI is target_uri KEY.
target() {
    [ -z "$2" ] || qemu-img create -q -f qcow2 "$TEST_TMP/$1.qcow2" "$2" || return
    qemu-nbd -t --shared=10 -x "disk-$1" -D "instance-$1" -f qcow2 --cache=writeback -k "$TEST_TMP/target-$1.sock" \
        "$TEST_TMP/$1.qcow2" </dev/null >>"$TEST_TMP/qemu-nbd.log" 2>&1 &
    target_pids+=($!)
    eventually 20 test -S "$TEST_TMP/target-$1.sock"
}
target_uri() { echo "nbd+unix:///disk-$1?socket=$TEST_TMP/target-$1.sock"; }
# targets_end: all of them, so that their images can be read.
targets_end() {
    [ ${#target_pids[@]} -eq 0 ] || kill "${target_pids[@]}" 2>/dev/null
    wait "${target_pids[@]}" 2>/dev/null
    target_pids=()
}
at_end targets_end

# image_hash KEY: of what an image holds, as the peer hashes disks.
image_hash() { qemu-img convert -f qcow2 -O raw "$TEST_TMP/$1.qcow2" "$TEST_TMP/$1.raw" && simctl hash "$TEST_TMP/$1.raw"; }

# vddk_host: the peer, and beside it a stand-in for an ESXi host and VDDK at it: $host, with the peer's datastores, thumbprint and password,
# and $plugin. nbdkit's folders are made in $RUNTIME_DIRECTORY.
# shellcheck disable=SC2154 # $sim is of soap.bash
vddk_host() {
    command -v nbdkit >/dev/null || skip_all 'nbdkit is not installed'
    plugin=$SENDENSE_BUILD/tests/vddk-stand-in/nbdkit-vddk-stand-in.so
    [ -e "$plugin" ] || skip_all 'nbdkit-plugin-dev is not installed: the stand-in was not built'
    sources_start -zoo
    host=$TEST_TMP/host
    mkdir -p "$host/datastores"
    simctl ready datastores | jq -r '.[] | select(.dc == "DC0") | [.name, .dir] | @tsv' |
        while IFS=$'\t' read -r name folder; do
            ln -s "$folder" "$host/datastores/$name"
        done
    simctl ready sha1 >"$host/thumbprint"
    cp "$sim/password" "$host/password"
    : >"$host/log"
    export RUNTIME_DIRECTORY=$TEST_TMP/run
    mkdir -m 0755 "$RUNTIME_DIRECTORY"
}
# more VM SNAPSHOT [VDDK-JSON]: what a spec needs to read from it.
more() {
    jq -nc --arg vm "$1" --arg snap "$2" --arg plugin "$plugin" --arg libdir "$host" --argjson more "${3:-"{}"}" \
        '{vm: {moref: $vm, snapshot_moref: $snap}, vddk: ({plugin: $plugin, libdir: $libdir} * $more)}'
}
