#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The bare machine: a Debian without any of our packages, booted as a machine of the lab, or around one command with the
# host's network.
# The first run on a machine builds the root file system, which takes some 20 s and needs Debian's packages.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

[ "$EUID" -eq 0 ] || skip_all "a bare machine takes root"
require "the bare root file system is there" "$SENDENSE_SRC/tests/lab/bare-root"
cache=$("$SENDENSE_SRC/tests/lab/bare-root" --path)
before=$(find "$cache" -printf . | wc -c)

lab_up --root=bare --names bare
is "$(on bare systemctl is-system-running)" running "a machine of it is running"
is "$(on bare systemctl list-units --failed --plain --no-legend)" "" "with no failed unit"
is "$(on bare sh -c 'command -v gcc meson ninja mariadbd qemu-nbd nbdkit')" "" "it has nothing of what we need"
like "$(on bare git --version)" "^git version" "but git, for the clone"
ok "down" lab down

# A bare machine is an overlay, and the kernel wants no overlay below its writable layer.
if [ "$(stat -fc %T "$TEST_TMP")" = overlayfs ]; then
    skip "bare machines" "$TEST_TMP is on an overlay already"
    done_testing
fi
export LAB_BARE_DIR=$TEST_TMP/bare
mkdir "$LAB_BARE_DIR"
lab bare sh -c 'touch /usr/written; exit 9'
is $? 9 "bare ends as its command ended"
is "$(lab bare sh -c 'ls /usr/written 2>&1; cat /proc/1/comm')" "ls: cannot access '/usr/written': No such file or directory
bash" "every bare machine is fresh, and its PID 1 is no systemd"
is "$(echo hello | lab bare cat)" hello "stdin passes"
is "$(lab bare --bind "$TEST_TMP:/mnt/tmp" stat -c %i /mnt/tmp/bare)" "$(stat -c %i "$LAB_BARE_DIR")" "a folder can be bound"
is "$(lab bare sh -c 'ls -d /sys/fs/cgroup/*/sendense* /sys/fs/cgroup/sendense*' 2>/dev/null)" "" \
    "it sees nobody else's cgroups"
is "$(ls "$LAB_BARE_DIR")" "" "nothing of them stays on disk"

"$LAB" bare --bind "$TEST_TMP:/mnt/tmp" sh -c 'touch /mnt/tmp/runs && exec sleep 1000' &
at_end "kill -9 $! 2>/dev/null || :"
ok "a bare machine runs" eventually 20 test -e "$TEST_TMP/runs"
cgroups=$(cat "$LAB_BARE_DIR"/sendense-bare.*/cgroups)
kill -9 $! "$(pgrep -P $! unshare)"
wait $! 2>/dev/null
ok "after kill -9 of it the next one runs" lab bare true
is "$(ls "$LAB_BARE_DIR")" "" "and has swept the killed one's folder"
is "$(for dir in $cgroups; do ls -d "$dir" 2>/dev/null; done)" "" "and its cgroups"

is "$(find "$cache" -printf . | wc -c)" "$before" "the cached root is as before"
done_testing
