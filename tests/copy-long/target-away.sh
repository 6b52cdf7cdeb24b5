#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A target may be away for ten minutes, as promised without a setting: one that is back after 570 seconds gets the rest of its disk, one
# that is not back after 600 is a failure that names disk, offset and reason. Two copies, because both have to wait.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../backup-client/copy.bash"

size=$((64 * MIB))
# gated KEY: a source that gives its first 32 MiB, and the rest when there is a file "go".
gated() {
    head -c "$size" /dev/urandom >"$TEST_TMP/$1.raw"
    source_nbdkit "$1" eval get_size="echo $size" thread_model='echo parallel' can_multi_conn='exit 0' \
        pread="if [ \$4 -ge $((32 * MIB)) ]; then until [ -e '$TEST_TMP/go' ]; do sleep 0.05; done; fi
               dd if='$TEST_TMP/$1.raw' iflag=skip_bytes,count_bytes,fullblock bs=256k skip=\$4 count=\$3 status=none"
}
declare -A pid=()
for key in 2000 2001; do
    gated "$key" || exit
    target_qcow2 "$key" "$size" || exit
    copy_disks=()
    disk "$key" "$size" '.read = "all"'
    spec "del(.progress)"
    "$copy_bin" copy <"$copy_spec" >"$TEST_TMP/result-$key" 2>"$TEST_TMP/err-$key" &
    pid[$key]=$!
    copy_pid[copier-$key]=$!
done
for key in 2000 2001; do
    require "disk $key: the copy is in its middle" eventually 120 has_mib "$key" 28
done
for key in 2000 2001; do target_kill "$key"; done
touch "$TEST_TMP/go"
lost() { grep -q "disk $1: the target is gone" "$TEST_TMP/err-$1"; }
for key in 2000 2001; do
    ok "disk $key: the loss is told" eventually 60 lost "$key"
done
begun=$SECONDS
timeout 570 tail --pid="${pid[2001]}" -f /dev/null
is "$?" 124 'after 570 seconds the one still waits'
ok 'and the other' kill -0 "${pid[2000]}"
target_start 2000 second || exit
wait "${pid[2000]}"
is "$? $(jq -r .result "$TEST_TMP/result-2000")" '0 ok' 'it goes on, and ends well' || diag "$(cat "$TEST_TMP/result-2000" "$TEST_TMP/err-2000")"
ok 'before the other has given up' kill -0 "${pid[2001]}"
server_end target-2000
ok 'its disk is the same' same 2000

wait "${pid[2001]}"
is "$?" 1 'the other gives up'
waited=$((SECONDS - begun))
ok "and not before ten minutes are over ($waited s)" test "$waited" -ge 590 -a "$waited" -le 660
result=$(<"$TEST_TMP/result-2001")
is "$(field .error_name) $(field .disk_key)" 'com.sendense.Error.TargetFailed 2001' 'as a failure of its target'
like "$(field .error_text)" '^disk 2001: the target is lost, everything before offset [0-9]+ was committed: .*[a-z]' 'with disk, offset and reason' || diag "$result"
done_testing
