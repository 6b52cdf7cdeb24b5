#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is told of a disk with many holes whose target goes away again and again: a hole is counted once, so the last
# word is that all is done, and no word before it is more.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/copy.bash"

size=$((4096 * MIB))
truncate -s "$size" "$TEST_TMP/2000.raw"
for ((at = 0; at < 4096; at += 32)); do
    head -c $MIB /dev/urandom | dd of="$TEST_TMP/2000.raw" bs=1M seek=$at conv=notrunc status=none
done
socat -u UNIX-RECV:"$copy_progress" STDOUT >"$TEST_TMP/told" &
at_end "kill $!"
require "somebody listens" eventually 30 test -S "$copy_progress"

source_nbdkit 2000 --filter=delay file "$TEST_TMP/2000.raw" rdelay=60ms
target_qcow2 2000 "$size"
disk 2000 "$size"
spec
copy_begin
done_bytes() { grep -o '"bytes_done":[0-9]*' "$TEST_TMP/told" | tail -n 1 | cut -d: -f2; }
further() { [ "$(done_bytes || echo 0)" -ge "$1" ] 2>/dev/null; }
for part in 1 2 3 4 5 6; do
    eventually 60 further $((part * size / 8)) || diag "$(tail -n 3 "$TEST_TMP/told")"
    target_kill 2000
    target_start 2000 "after-$part"
done
copy_end
copied "a target that goes away six times"
eventually 20 further "$size" # who listens writes down what he was told when he comes to it
is "$(done_bytes)" "$size" "all of it is told as done in the end"
server_end target-2000
ok "the image is the same" same 2000
done_testing
