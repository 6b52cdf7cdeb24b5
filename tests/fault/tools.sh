#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A program that a backup needs is missing, cannot be run, or is too old: the job ends by saying which, and what to
# install; and with the program back the next one works.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

# back PROGRAM
back() { hub mv "/usr/bin/$1.away" "/usr/bin/$1"; }

# without PROGRAM REGEX: a backup while the program is not there, and one while it cannot be run.
without() {
    hub mv "/usr/bin/$1" "/usr/bin/$1.away"
    start small
    failed "$1 is missing" "$2"
    back "$1"
    unharmed "a missing $1"
    hub mv "/usr/bin/$1" "/usr/bin/$1.away"
    hub install -m 644 /dev/null "/usr/bin/$1"
    start small
    failed "$1 cannot be run" "$2"
    back "$1"
    unharmed "a $1 that cannot be run"
}

fault_up
vm small 8 4
backup small

without qemu-nbd '^ToolMissing: Disk 200[01]: .*qemu-nbd .*install .*qemu-utils'
without qemu-img '^ToolMissing: Disk 200[01]: .*qemu-img .*install .*qemu-utils'
without nbdcopy '^ToolMissing: .*nbdcopy .*libnbd-bin'

# Too old. There is no such version for this system, so that its answer is played.
hub mv /usr/bin/qemu-img /usr/bin/qemu-img.away
hub install -m 755 /dev/stdin /usr/bin/qemu-img <<'OLD'
#!/bin/sh
echo "qemu-img version 6.2.0 (Debian 1:6.2+dfsg-3)"
OLD
start small
failed "qemu-img is too old" '^ToolMissing: .*"qemu-img version 6\.2\.0 .*" is too old, 7\.[0-9]+ is needed; install .*qemu-utils'
back qemu-img
unharmed "a qemu-img that is too old"
hub mv /usr/bin/qemu-nbd /usr/bin/qemu-nbd.away
hub install -m 755 /dev/stdin /usr/bin/qemu-nbd <<'OLD'
#!/bin/sh
echo "qemu-nbd 6.2.0 (Debian 1:6.2+dfsg-3)"
OLD
start small
failed "qemu-nbd is too old" '^ToolMissing: Disk 200[01]: .*"qemu-nbd 6\.2\.0 .*" is too old, 7\.[0-9]+ is needed; install .*qemu-utils'
like "$(hub sendensectl doctor)" '^bad +tools +/usr/bin/qemu-nbd says "qemu-nbd 6\.2\.0 .*", 7\.2 is needed' "doctor says so, too"
back qemu-nbd
unharmed "a qemu-nbd that is too old"

change small
backup small
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "with all of them back the chain goes on"
unharmed "a backup with all of them"

done_testing
