#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What goes wrong in the middle: one line says what and of which disk, the other disks are ended, and no
# child is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/import.bash"

size=$((32 * 1024 * 1024))
raw 2000 "$size"
raw 2001 "$size"

# source_in_turn KEY ARGUMENT...: nbdkit that serves the requests of a client one after the other. 1.32 aborts every few times
# that a client vanishes whose answers come from several threads, and then there is no source.
source_in_turn() { source_nbdkit "$1" --threads=1 "${@:2}"; }

# held KEY: a source that gives the first half of its disk and holds the rest back until let_go, so that there is a middle for
# as long as a test needs it. Who waits, waits for a lock.
exec {gate}>"$TEST_TMP/gate"
cat >"$TEST_TMP/give" <<'SH'
#!/bin/sh
# IMAGE GATE COUNT OFFSET
[ "$4" -lt $((16 * 1024 * 1024)) ] || flock -s "$2" true
exec dd if="$1" bs=64k iflag=skip_bytes,count_bytes,fullblock skip="$4" count="$3" status=none
SH
chmod +x "$TEST_TMP/give"
held() {
    let_go
    server_end "source-$1"
    flock -x "$gate"
    source_in_turn "$1" eval get_size="echo $size" can_write='exit 3' can_multi_conn='exit 0' \
        pread="exec \"$TEST_TMP/give\" \"$TEST_TMP/$1.raw\" \"$TEST_TMP/gate\" \"\$3\" \"\$4\""
}
let_go() { flock -u "$gate"; }
at_end let_go
fresh() { # KEY: a new image behind a new server
    server_end "target-$1"
    target_qcow2 "$1" "$size"
}
# both: a spec of two disks, 2000 held and 2001 as given by the caller.
both() {
    import_disks=()
    disk 2000 "$size"
    disk 2001 "$size"
    spec "${1:-.}"
}
alone() { # the spec of 2001 with its server of now
    import_disks=()
    disk 2001 "$(stat -c %s "$TEST_TMP/2001.raw")"
    spec
}
# middle: the import runs and 2000's target has got data.
middle() {
    import_begin "$@"
    eventually 20 has_children && eventually 20 has_data 2000 && worker=$(children)
}
has_data() { [ "$(stat -c %b "$TEST_TMP/$1.qcow2")" -gt 1024 ]; }
# ended NAME: the import ends by itself, and so have its children.
ended() {
    import_end
    # shellcheck disable=SC2086 # several pids
    ok "$1: no child is left" gone $worker
}
begin() { # both disks from their beginning
    held 2000
    fresh 2000
    fresh 2001
    both
    middle || skip_middle
}
skip_middle() {
    echo "Bail out! the import has no middle"
    exit 1
}

source_in_turn 2001 file "$TEST_TMP/2001.raw"
begin
kill -TERM "$importer"
ended "SIGTERM"
failed "SIGTERM" Cancelled '^cancelled$'
is "$(field disk_key)" '' "which is no fault of a disk"

# All processes of the unit get the signal, the children first.
begin
# shellcheck disable=SC2086 # several pids
kill -TERM $worker
kill -TERM "$importer"
ended "SIGTERM for all"
failed "SIGTERM for all" Cancelled '^cancelled$'

# A child that does not run does not hear it.
begin
# shellcheck disable=SC2086 # several pids
kill -STOP $worker
kill -TERM "$importer"
ended "SIGTERM with stopped children"
failed "SIGTERM with stopped children" Cancelled

begin
# shellcheck disable=SC2086 # several pids
kill -KILL $worker
ended "a killed child"
failed "a killed child" CopyFailed '^disk 200[01]: .* was ended by signal 9 \(Killed\)$'

begin
server_end source-2000 KILL
ended "the source dies"
failed "the source dies" CopyFailed '^disk 2000: copy failed: nbdcopy: '
is "$(field disk_key)" 2000 "and its disk is named"

begin
server_end target-2000 KILL
let_go
ended "the target dies"
failed "the target dies" CopyFailed '^disk 2000: copy failed: nbd'

# The importer itself is killed: who copies ends as soon as it would tell how far it is, who compares at once.
held 2000
fresh 2000
import_disks=()
disk 2000 "$size"
spec
cat >"$TEST_TMP/instant" <<'SH'
#!/bin/sh
exit 0
SH
chmod +x "$TEST_TMP/instant"
import_begin "--nbdcopy=$TEST_TMP/instant"
comparing() { worker=$(children) && grep -qz -e --verify /dev/null "/proc/${worker% }/cmdline"; }
ok "it compares" eventually 30 comparing
kill -KILL "$importer"
import_end
# shellcheck disable=SC2086 # several pids
ok "a killed importer: who compares is gone" eventually 30 gone $worker

# A source whose reads fail.
server_end source-2001
source_in_turn 2001 --filter=error file "$TEST_TMP/2001.raw" error-pread=EIO error-pread-rate=100% \
    error-pread-file="$TEST_TMP/fail"
touch "$TEST_TMP/fail"
held 2000
fresh 2000
fresh 2001
both
import
failed "reads fail" CopyFailed '^disk 2001: copy failed: .*Input/output error'
rm "$TEST_TMP/fail"

# A target on a full file system.
mkdir "$TEST_TMP/full"
mount -t tmpfs -o size=3M tmpfs "$TEST_TMP/full" || skip_all "cannot mount a tmpfs"
at_end 'umount "$TEST_TMP/full"'
at_end 'let_go; servers_end'
qemu-img create -q -f qcow2 "$TEST_TMP/full/x.qcow2" "$size"
server_end target-2001
target_nbd 2001 "$TEST_TMP/full/x.qcow2"
alone
import
failed "a full file system" RepositoryFull '^disk 2001: copy failed: .*No space left on device'
server_end target-2001

# A source that lies once: what was copied is not what is there.
lie_sh='if [ ! -e "$2" ] && [ "$4" = 1048576 ]; then touch "$2"; head -c "$3" /dev/zero; else dd if="$1" bs=4096 skip=$(($4 / 4096)) count=$(($3 / 4096)) status=none; fi'
cat >"$TEST_TMP/lie" <<SH
#!/bin/sh
set -- "$TEST_TMP/2001.raw" "$TEST_TMP/lied" "\$1" "\$2"
$lie_sh
SH
chmod +x "$TEST_TMP/lie"
head -c 4194304 /dev/urandom >"$TEST_TMP/2001.raw"
server_end source-2001
source_in_turn 2001 eval get_size='echo 4194304' pread="$TEST_TMP/lie \"\$3\" \"\$4\"" can_write='exit 3'
qemu-img create -q -f qcow2 "$TEST_TMP/2001.qcow2" 4194304
target_nbd 2001 "$TEST_TMP/2001.qcow2"
alone
import
failed "a source that lied once" CopyFailed '^disk 2001: comparison failed: source and target differ at offset 10485(76|77)$'
rm -f "$TEST_TMP/lied"
spec '.compare = false'
import
is "$status" 0 "without comparing nobody would know" || diag "$err"
server_end target-2001
not_ok "though it differs" qemu-img compare -q -f raw -F qcow2 "$TEST_TMP/2001.raw" "$TEST_TMP/2001.qcow2"

# nbdcopy is not there, fails without a word, says it in many lines, or does nothing and says it did.
target_nbd 2001 "$TEST_TMP/2001.qcow2"
alone
import "--nbdcopy=$TEST_TMP/none"
failed "no nbdcopy" ToolMissing 'none cannot be started: No such file or directory; install the package libnbd-bin$'
cat >"$TEST_TMP/mute" <<'SH'
#!/bin/sh
exit 3
SH
cat >"$TEST_TMP/chatty" <<'SH'
#!/bin/sh
i=0
while [ $i -lt 3000 ]; do echo "line $i of many, which nobody needs" >&2; i=$((i + 1)); done
printf 'the\tlast \377\033[31mline\n\n' >&2
exit 1
SH
chmod +x "$TEST_TMP/mute" "$TEST_TMP/chatty"
import "--nbdcopy=$TEST_TMP/mute"
failed "a mute nbdcopy" CopyFailed '^disk 2001: copy ended with status 3 and said nothing$'
import "--nbdcopy=$TEST_TMP/chatty"
failed "a chatty nbdcopy" CopyFailed '^disk 2001: copy failed: the last \? \[31mline$'
server_end target-2001
qemu-img create -q -f qcow2 "$TEST_TMP/2001.qcow2" 4194304
target_nbd 2001 "$TEST_TMP/2001.qcow2"
alone
import "--nbdcopy=$TEST_TMP/instant"
failed "an nbdcopy that copies nothing" CopyFailed '^disk 2001: comparison failed: source and target differ at offset 0$'

# The export is started again between copy and comparison: what was flushed to whom is not known.
cat >"$TEST_TMP/restart" <<SH
#!/bin/sh
nbdcopy "\$@" || exit
kill \$(cat "$TEST_TMP/target.pid")
while [ ! -e "$TEST_TMP/again" ]; do sleep 0.05; done
SH
chmod +x "$TEST_TMP/restart"
echo "${import_pid[target-2001]}" >"$TEST_TMP/target.pid"
first_uri=${target_uri[2001]}
import_begin "--nbdcopy=$TEST_TMP/restart"
server_gone() { gone "${import_pid[target-2001]}"; }
ok "the export ends" eventually 20 server_gone
port=${first_uri##*:} && port=${port%/*}
qemu-nbd -t --shared=10 -x "disk-2001-$$" -D "$(instance 9999)" -f qcow2 -b 127.0.0.1 -p "$port" "$TEST_TMP/2001.qcow2" </dev/null &
import_pid[target-again]=$!
ok "and comes again" eventually 30 nbdinfo --size "$first_uri"
touch "$TEST_TMP/again"
import_end
failed "another instance after the copy" CopyFailed '^disk 2001: comparison failed: target: calls itself'
done_testing
