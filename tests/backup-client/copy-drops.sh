#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The target goes away in the middle. What a killed qemu-nbd had answered but not flushed is gone, its successor
# knows nothing of it and flushes with success: everything since the last commit must be sent again.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/copy.bash"

size=$((96 * MIB))
head -c "$size" /dev/urandom >"$TEST_TMP/2000.raw"

# gated: a source that gives its first 32 MiB, and the rest when there is a file "go".
gated() {
    rm -f "$TEST_TMP/go"
    server_end source-2000
    source_nbdkit 2000 eval get_size="echo $size" thread_model='echo parallel' can_multi_conn='exit 0' \
        pread="if [ \$4 -ge $((32 * MIB)) ]; then until [ -e '$TEST_TMP/go' ]; do sleep 0.05; done; fi
               dd if='$TEST_TMP/2000.raw' iflag=skip_bytes,count_bytes,fullblock bs=256k skip=\$4 count=\$3 status=none"
}
begin() { # JQ-FILTER
    gated || return
    server_end target-2000
    target_qcow2 2000 "$size" || return
    copy_disks=()
    disk 2000 "$size" '.read = "all"'
    spec "${1:-.}"
    copy_begin
    eventually 60 has_mib 2000 28
}

# 28 MiB and more were answered on some connections while others had little to do; no commit is due yet.
begin
require "the copy is in its middle" has_mib 2000 28
target_kill 2000
target_start 2000 second-of-2000
require "another server is there" target_answers 2000
touch "$TEST_TMP/go"
copy_end
copied "a killed server: it goes on"
is "$(of_disk 2000 '.reconnects >= 1')" true "by new connections" || diag "$result"
is "$(of_disk 2000 .bytes_sent)" "$size" "what was committed is counted once"
is "$(of_disk 2000 '.digest.blocks | length')" 24 "all blocks have a digest"
is "$(of_disk 2000 '.digest.blocks["0"]')" "$(block_digest "$TEST_TMP/2000.raw" 0)" "the first one too, though it was sent twice"
server_end target-2000
ok "nothing that was not flushed is missing" same 2000

# Nobody is there for a while: refused first, then there again.
begin
require "in its middle again" has_mib 2000 28
target_kill 2000
touch "$TEST_TMP/go"
ok "the loss is told" eventually 20 grep -q 'disk 2000: the target is gone' "$TEST_TMP/err"
is "$(copy_runs && echo yes)" yes "and waited for"
target_start 2000 third
require "it comes back" target_answers 2000
copy_end
copied "away for a while: it goes on"
server_end target-2000
ok "and is the same" same 2000

# A server that ends in peace has written its tables; what it answers to what is under way is no reason to give up.
begin
require "in its middle once more" has_mib 2000 28
server_end target-2000
target_start 2000 fourth
require "restarted in peace" target_answers 2000
touch "$TEST_TMP/go"
copy_end
copied "a server that is restarted in peace"
server_end target-2000
ok "the same again" same 2000

# Patience has an end, and names disk and offset.
begin '.target_away_sec = 1'
require "in its middle for the last time" has_mib 2000 28
target_kill 2000
touch "$TEST_TMP/go"
copy_end
failed "away for too long" TargetFailed '^disk 2000: the target is lost, everything before offset [0-9]+ was committed: .*(refused|No such file)'
is "$(field .disk_key)" 2000 "by its key"

# Another size at the same place is another target: nothing is written to it.
begin
require "in its middle, and then" has_mib 2000 28
target_kill 2000
mv "$TEST_TMP/2000.qcow2" "$TEST_TMP/kept.qcow2"
qemu-img create -q -f qcow2 -o $copy_shape "$TEST_TMP/2000.qcow2" $((size + MIB))
target_start 2000 fifth
require "another image is there" target_answers 2000
touch "$TEST_TMP/go"
copy_end
failed "an image of another size" TargetFailed "^disk 2000: .*it has $((size + MIB)) bytes, and should have $size"
is "$(qemu-img map -U --output=json "$TEST_TMP/2000.qcow2" | jq -c 'map(select(.data)) | length')" 0 "nothing was written to it"
server_end target-2000

# SIGTERM ends it within a second, also while it waits for a target that is gone.
begin
require "in its middle, to be cancelled" has_mib 2000 28
target_kill 2000
ok "it waits" eventually 20 grep -q 'disk 2000: the target is gone' "$TEST_TMP/err"
kill -TERM "$copier"
ok "it ends" eventually 30 eval '! copy_runs'
copy_end
touch "$TEST_TMP/go" # its source still waits
failed "cancelled" Cancelled '^cancelled$'

# Two instances behind one address: what one flushes the other does not know, so nothing is written at all.
cat >"$TEST_TMP/one-of-two" <<SH
#!/bin/sh
if mkdir "$TEST_TMP/odd" 2>/dev/null; then exec socat STDIO "UNIX:$TEST_TMP/target-3000.sock"; fi
rmdir "$TEST_TMP/odd"
exec socat STDIO "UNIX:$TEST_TMP/target-3001.sock"
SH
chmod +x "$TEST_TMP/one-of-two"
for key in 3000 3001; do
    qemu-img create -q -f qcow2 -o $copy_shape "$TEST_TMP/$key.qcow2" 4M
    target_at[$key]="-k $TEST_TMP/target-$key.sock -x disk"
    target_uri[$key]="nbd+unix:///disk?socket=$TEST_TMP/target-$key.sock"
    target_start $key "instance-$key"
    require "instance $key" target_answers $key
done
socat "UNIX-LISTEN:$TEST_TMP/two.sock,fork" "EXEC:$TEST_TMP/one-of-two" </dev/null >"$TEST_TMP/socat.log" 2>&1 &
copy_pid[two]=$!
require "both behind one socket" eventually 30 test -S "$TEST_TMP/two.sock"
truncate -s 4M "$TEST_TMP/3000.raw"
printf data | dd of="$TEST_TMP/3000.raw" conv=notrunc status=none
target_uri[3000]="nbd+unix:///disk?socket=$TEST_TMP/two.sock"
copy_disks=()
disk 3000 $((4 * MIB)) ".source = {kind: \"file\", path: \"$TEST_TMP/3000.raw\"}"
spec '.target_away_sec = 1'
copy
failed "two instances at one place" TargetFailed '^disk 3000: .*the server was started again'
for key in 3000 3001; do
    server_end target-$key
    is "$(qemu-img map --output=json "$TEST_TMP/$key.qcow2" | jq -c 'map(select(.data)) | length')" 0 "instance $key was not written to"
done
server_end two KILL
done_testing
