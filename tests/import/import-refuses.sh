#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is refused before a byte is written: a spec that is not right, targets that were swapped, of
# another size, of another instance, and servers that do not answer. No image changes meanwhile.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/import.bash"

small=$((5 * 1024 * 1024))
large=$((102 * 1024 * 1024))
raw 2000 "$large"
truncate -s "$small" "$TEST_TMP/2001.raw"
printf 'data' | dd of="$TEST_TMP/2001.raw" conv=notrunc status=none
source_nbdkit 2000 file "$TEST_TMP/2000.raw"
source_nbdkit 2001 file "$TEST_TMP/2001.raw"
target_qcow2 2000 "$large"
target_qcow2 2001 "$small"

# refused NAME ERROR REGEX JQ-FILTER: the spec changed like this.
refused() {
    spec "$4"
    import
    failed "$1" "$2" "$3"
}
disk 2000 "$large"
disk 2001 "$small"

# Another target for a disk.
refused "swapped targets" CopyFailed "^disk 2000 has $large bytes, but its target $small, as disk 2001 has: are they swapped\?; nothing was written\$" \
    '[.disks[1].target, .disks[1].invocation_id] as [$t, $i] | .disks[1].target = .disks[0].target |
     .disks[1].invocation_id = .disks[0].invocation_id | .disks[0].target = $t | .disks[0].invocation_id = $i'
is "$(field disk_key)" 2000 "and the disk by its key"
refused "swapped targets as their servers tell" CopyFailed "^disk 2000: its target is not the export .* calls itself \"$(instance 2001)\"" \
    '.disks[1].target as $t | .disks[1].target = .disks[0].target | .disks[0].target = $t'
refused "swapped sources" CopyFailed "^disk 2000 has $large bytes, but its source $small, as disk 2001 has" \
    '.disks[1].source as $t | .disks[1].source = .disks[0].source | .disks[0].source = $t'
refused "a disk that grew" CopyFailed "^disk 2001 has $((small + 512)) bytes, but its target $small; nothing" \
    ".disks[1].capacity_bytes += 512"
refused "a disk that shrank" CopyFailed "^disk 2001 has $((small - 512)) bytes, but its target $small; nothing" \
    ".disks[1].capacity_bytes -= 512"
refused "another instance" CopyFailed '^disk 2001: its target is not the export that was started for it, it calls itself' \
    '.disks[1].invocation_id |= sub("^0"; "1")'
refused "no such export" CopyFailed '^disk 2001: cannot open its target: .*; nothing was written$' '.disks[1].target += "x"'
refused "no such source" CopyFailed '^disk 2000: cannot open its source: .*No such file' '.disks[0].source += "x"'
refused "nobody listens" CopyFailed '^disk 2000: cannot open its target: .*refused' '.disks[0].target = "nbd://127.0.0.1:1/x"'

# A source that is shorter or longer than the disk.
for change in -512 +512; do
    server_end source-2001
    truncate -s $((small + change)) "$TEST_TMP/2001.raw"
    source_nbdkit 2001 file "$TEST_TMP/2001.raw"
    refused "a source of $change bytes" CopyFailed "^disk 2001 has $small bytes, but its source $((small + change)); nothing" .
done
server_end source-2001
truncate -s "$small" "$TEST_TMP/2001.raw"
source_nbdkit 2001 file "$TEST_TMP/2001.raw"

# A server that accepts and says nothing.
socat -u "UNIX-LISTEN:$TEST_TMP/silent.sock,fork" "CREATE:$TEST_TMP/accepted" &
import_pid[silent]=$!
eventually 30 test -S "$TEST_TMP/silent.sock"
start=${EPOCHREALTIME/[.,]/}
refused "a silent source" CopyFailed '^disk 2000: cannot open its source: no answer within 10 s' \
    ".disks[0].source = \"nbd+unix:///?socket=$TEST_TMP/silent.sock\""
diag "it took $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms, the limit is 10000 ms"
spec ".disks[0].source = \"nbd+unix:///?socket=$TEST_TMP/silent.sock\""
rm "$TEST_TMP/accepted"
import_begin
ok "it waits for the silent one" eventually 30 test -e "$TEST_TMP/accepted"
kill -TERM "$importer"
import_end
failed "cancelled while it waits" Cancelled '^cancelled$'
server_end silent

# The spec itself.
refused "an unknown key" InvalidArgument '^the spec: unknown key "x"' '.x = 1'
refused "an unknown key of a disk" InvalidArgument '^disks\[1\]: unknown key "Source"' '.disks[1].Source = "x"'
refused "a missing key" InvalidArgument '^disks\[0\]: "capacity_bytes" must be a whole number from 1 to' 'del(.disks[0].capacity_bytes)'
refused "a number as text" InvalidArgument '^disks\[0\]: "disk_key" must be a whole number from 1 to 2147483647$' '.disks[0].disk_key = "2000"'
refused "a fraction" InvalidArgument '^disks\[0\]: "capacity_bytes"' '.disks[0].capacity_bytes = 1.5'
refused "no job" InvalidArgument '^the spec: "job" must be' 'del(.job)'
refused "compare as text" InvalidArgument '"compare" must be true or false' '.compare = "no"'
refused "a relative socket" InvalidArgument '"progress" must be an absolute path' '.progress = "x"'
refused "a disk twice" InvalidArgument '^disk_key 2000 stands twice' '.disks[1].disk_key = 2000'
refused "a target twice" InvalidArgument '^disks 2000 and 2001 have the same target$' '.disks[1].target = .disks[0].target'
refused "an instance twice" InvalidArgument '^disks 2000 and 2001 have the same target$' \
    '.disks[1].invocation_id = .disks[0].invocation_id'
refused "no disks" InvalidArgument '"disks" must be a list of 1 to 256 objects$' '.disks = []'
refused "too many disks" InvalidArgument '"disks" must be a list of 1 to 256 objects$' '.disks = [range(257) | {}]'
refused "a disk that is none" InvalidArgument '^disks\[0\] must be an object$' '.disks[0] = 1'
for uri in /etc/passwd file:///etc/passwd - '[' null: ssh://x/y nbds+unix:///x 'nbd://127.0.0.1:1/a b' NBD://127.0.0.1/; do
    refused "the URI '$uri'" InvalidArgument '^disks\[1\]: "target" must be a URI that begins' ".disks[1].target = \"$uri\""
done
refused "a source with keys" InvalidArgument '^disks\[0\]: "source" must be a URI that begins' '.disks[0].source = "nbds://a@127.0.0.1/x?tls-psk-file=/etc/passwd"'
refused "TLS for one target of two" InvalidArgument '^disks 2000 and 2001: one target has TLS and the other has not$' '.disks[1].target = "nbds://a@127.0.0.1/x?tls-psk-file=/x"'
refused "half an instance" InvalidArgument '"invocation_id" must be 32 digits' '.disks[0].invocation_id |= .[1:]'
refused "a list" InvalidArgument '^the spec is not one JSON object' '[.]'
: >"$import_spec"
import
failed "nothing at all" InvalidArgument '^the spec is not one JSON object'
head -c 300000 /dev/zero | tr '\0' ' ' >"$import_spec"
import
failed "too much" InvalidArgument '^the spec is not one JSON object of at most 262144 bytes'

# The images were not touched.
server_end target-2000
server_end target-2001
for key in 2000 2001; do
    is "$(qemu-img map --output=json "$TEST_TMP/$key.qcow2" | jq -c '[.[] | select(.data)] | length')" 0 "nothing was written into $key"
    is "$(stat -c %s "$TEST_TMP/$key.qcow2")" "$(qemu-img create -q -f qcow2 "$TEST_TMP/new.qcow2" \
        "$([ "$key" = 2000 ] && echo "$large" || echo "$small")" && stat -c %s "$TEST_TMP/new.qcow2")" "$key is as long as a new image"
done

# The command line.
is "$("$import_bin" x </dev/null 2>&1; echo $?)" "sendense-import: takes no arguments, got 'x'"$'\n64' "an argument is refused"
is "$("$import_bin" --nonsense </dev/null >/dev/null 2>&1; echo $?)" 64 "an unknown option too"
like "$("$import_bin" --version)" '^sendense-import [0-9]' "it says its version"
like "$("$import_bin" --help)" 'SPEC' "and how to use it"
done_testing
