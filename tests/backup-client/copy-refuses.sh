#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is refused before a byte is written, with a line that says which disk and why; and sources that fail
# on the way.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/copy.bash"

small=$((5 * MIB))
large=$((24 * MIB))
raw 2000 "$large"
raw 2001 "$large"
truncate -s "$small" "$TEST_TMP/2001.raw"
source_nbdkit 2000 file "$TEST_TMP/2000.raw"
source_nbdkit 2001 file "$TEST_TMP/2001.raw"
target_qcow2 2000 "$large"
target_qcow2 2001 "$small"
disk 2000 "$large"
disk 2001 "$small"

# refused NAME ERROR REGEX JQ-FILTER: the spec changed like this.
refused() {
    spec "$4"
    copy
    failed "$1" "$2" "$3"
}
swap() { printf '.disks[0].%s as $x | .disks[0].%s = .disks[1].%s | .disks[1].%s = $x' "$1" "$1" "$1" "$1"; }
refused "swapped targets" TargetFailed "^disk 2000 has $large bytes, but its target $small, as disk 2001 has: are they swapped\?; nothing was written\$" "$(swap target)"
is "$(field .disk_key)" 2000 "and the disk by its key"
refused "swapped sources" SourceFailed "^disk 2000 has $large bytes, but its source $small, as disk 2001 has" "$(swap source)"
refused "a larger target" TargetFailed "^disk 2001 has $((small - 512)) bytes, but its target $small; nothing" ".disks[1].capacity_bytes -= 512"
refused "a smaller target" TargetFailed "^disk 2001 has $((small + 512)) bytes, but its target $small; nothing" ".disks[1].capacity_bytes += 512"
refused "no such export" TargetFailed '^disk 2001: cannot open its target: .*; nothing was written$' '.disks[1].target |= sub("disk-2001"; "disk-2002")'
refused "nobody listens" TargetFailed '^disk 2000: cannot open its target: .*refused' '.disks[0].target = "nbd://127.0.0.1:1/x"'
refused "no such source" SourceFailed '^disk 2000: cannot open its source: .*No such file' '.disks[0].source.uri += "x"'
refused "no such file" SourceFailed '^disk 2000: cannot open its source: /nowhere: No such file' '.disks[0].source = {kind: "file", path: "/nowhere"}'
refused "a folder" SourceFailed '^disk 2000: cannot open its source: /etc is neither' '.disks[0].source = {kind: "file", path: "/etc"}'
refused "one key twice" InvalidArgument '^disk_key 2000 stands twice' '.disks[1].disk_key = 2000'
refused "two disks on one target" InvalidArgument '^disks 2000 and 2001 have the same target' '.disks[1].target = .disks[0].target'
refused "one target in two spellings" InvalidArgument 'have the same target' '.disks[1].target = (.disks[0].target | sub("disk-"; "%64isk-"))'
for target in "" "x" "nbd://" "nbd://host" "nbds://h/x" "nbd://h:0/x" "nbd+unix:///x?socket=rel" "/dev/sda" "nbd://h/x?y=z"; do
    refused "the target '$target'" InvalidArgument '^disks\[0\]: "target" must be' ".disks[0].target = \"$target\""
done
refused "an area beyond the end" InvalidArgument "^disks\[0\]: the area of 1024 bytes at offset $((large - 512)) reaches beyond the end" ".disks[0].read = \"changed\" | .disks[0].areas = [[0,512],[$((large - 512)),1024]]"
refused "an area at the end" InvalidArgument 'reaches beyond the end' ".disks[0].read = \"changed\" | .disks[0].areas = [[$large,512]]"
refused "areas that overlap" InvalidArgument 'behind the one before it' '.disks[0].read = "changed" | .disks[0].areas = [[0,1024],[512,512]]'
refused "half a sector" InvalidArgument 'whole sectors' '.disks[0].read = "changed" | .disks[0].areas = [[0,100]]'
refused "areas of a full" InvalidArgument '"areas" must be left out' '.disks[0].areas = [[0,512]]'
refused "half a sector of capacity" InvalidArgument 'a multiple of 512' '.disks[0].capacity_bytes += 1'
refused "an unknown key" InvalidArgument 'unknown key "pasword"' '.pasword = "x"'
refused "an unknown kind" InvalidArgument '^disks\[0\].source: "kind" must be' '.disks[0].source.kind = "tape"'
refused "a key of another kind" InvalidArgument 'unknown key "uri"' '.disks[0].source = {kind: "file", path: "/x", uri: "nbd://h/"}'
refused "no disks" InvalidArgument '"disks" must be a list' '.disks = []'
printf '{"job": 1' >"$copy_spec"
copy
failed "half an object" InvalidArgument 'not one JSON object'

# Servers that are no targets: read-only, one that cannot flush, one that accepts and says nothing.
source_nbdkit 3000 -r file "$TEST_TMP/2000.raw"
refused "a read-only target" TargetFailed '^disk 2000: cannot open its target: it is read-only' ".disks[0].target = \"nbd+unix:///?socket=$TEST_TMP/source-3000.sock\""
source_nbdkit 3001 eval get_size="echo $large" pread='head -c $3 /dev/zero' pwrite='cat >/dev/null'
refused "one that cannot flush" TargetFailed 'cannot make data durable' ".disks[0].target = \"nbd+unix:///?socket=$TEST_TMP/source-3001.sock\""
socat -u "UNIX-LISTEN:$TEST_TMP/silent.sock,fork" "CREATE:$TEST_TMP/accepted" </dev/null >/dev/null 2>&1 &
copy_pid[silent]=$!
eventually 30 test -S "$TEST_TMP/silent.sock"
spec ".disks[0].target = \"nbd+unix:///x?socket=$TEST_TMP/silent.sock\""
copy_begin
ok "a server that says nothing is waited for" eventually 30 test -e "$TEST_TMP/accepted"
kill -TERM "$copier"
copy_end
failed "and cancelled" Cancelled '^cancelled$'
for key in 2000 2001; do
    server_end target-$key
    is "$(qemu-img map --output=json "$TEST_TMP/$key.qcow2" | jq -c 'map(select(.data)) | length')" 0 "nothing was written to $key"
done

# A source that fails now and then is read again; one that always fails at one place is given up, with the place.
target_start 2000 again
copy_disks=()
disk 2000 "$large" '.read = "all"'
source_nbdkit 2000 --filter=error --filter=delay file "$TEST_TMP/2000.raw" error-pread=EIO error-pread-rate=2% delay-read=5ms
spec
copy
copied "errors now and then"
server_end target-2000
ok "nothing is missing" same 2000
server_end source-2000
source_nbdkit 2000 eval get_size="echo $large" thread_model='echo parallel' \
    pread="if [ \$4 -le $((9 * MIB)) ] && [ \$((\$4 + \$3)) -gt $((9 * MIB)) ]; then echo EIO no luck >&2; exit 1; fi
           dd if='$TEST_TMP/2000.raw' iflag=skip_bytes,count_bytes,fullblock bs=256k skip=\$4 count=\$3 status=none"
target_start 2000 and-again
copy
failed "a broken place" SourceFailed "^disk 2000: cannot read the source at offset $((9 * MIB)): Input/output error"

# A source that is gone for a while, and for too long.
head -c "$large" /dev/urandom >"$TEST_TMP/2000.raw"
gated() {
    rm -f "$TEST_TMP/go"
    server_end source-2000
    server_end target-2000
    target_qcow2 2000 "$large"
    source_nbdkit 2000 eval get_size="echo $large" thread_model='echo parallel' \
        pread="if [ \$4 -ge $((16 * MIB)) ]; then until [ -e '$TEST_TMP/go' ]; do sleep 0.05; done; fi
               dd if='$TEST_TMP/2000.raw' iflag=skip_bytes,count_bytes,fullblock bs=256k skip=\$4 count=\$3 status=none"
}
gated
spec
copy_begin
require "in the middle" eventually 60 has_mib 2000 10
server_end source-2000 KILL
ok "its loss is told" eventually 20 grep -q 'disk 2000: the source is gone' "$TEST_TMP/err"
source_nbdkit 2000 file "$TEST_TMP/2000.raw"
copy_end
copied "a source that comes back"
server_end target-2000
ok "nothing is missing" same 2000
gated
spec '.source_away_sec = 1'
copy_begin
require "in the middle" eventually 60 has_mib 2000 10
server_end source-2000 KILL
touch "$TEST_TMP/go"
copy_end
failed "a source that stays away" SourceFailed '^disk 2000: cannot read the source at offset [0-9]+ or behind it: .*(refused|No such file)'
# A source that knows what the first half holds and fails when it is asked about the rest.
truncate -s $((64 * MIB)) "$TEST_TMP/half.raw"
for at in 0 40 63; do head -c "$MIB" /dev/urandom | dd of="$TEST_TMP/half.raw" bs=1M seek=$at conv=notrunc status=none; done
server_end source-2000
server_end target-2000
source_nbdkit 2000 eval get_size="echo $((64 * MIB))" thread_model='echo parallel' can_extents='exit 0' \
    extents="if [ \$4 -ge $((32 * MIB)) ]; then echo 'EINVAL One of the parameters was invalid' >&2; exit 1; fi
             echo 0 $MIB; echo $MIB $((31 * MIB)) hole,zero" \
    pread="dd if='$TEST_TMP/half.raw' iflag=skip_bytes,count_bytes,fullblock bs=256k skip=\$4 count=\$3 status=none"
target_qcow2 2000 $((64 * MIB))
copy_disks=()
disk 2000 $((64 * MIB))
spec
copy
copied "extents that fail: it is copied"
is "$(of_disk 2000 .bytes_read)" $((33 * MIB)) "extents that fail: the end of the disk is read whole"
server_end target-2000
mv "$TEST_TMP/half.raw" "$TEST_TMP/2000.raw"
ok "extents that fail: nothing is missing" same 2000
done_testing
