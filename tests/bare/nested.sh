#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A lab inside a bare machine, once without systemd as PID 1 and once with it: what quickstart and tests/run will do on
# a machine that has nothing yet, and the two kinds of host that this machine itself is not both of.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

[ "$EUID" -eq 0 ] || skip_all "a bare machine takes root"
[ "$(stat -fc %T /)" != overlayfs ] ||
    skip_all "a lab in a bare machine is an overlay on an overlay, and this root file system is one already"
export LAB_BARE_DIR=$TEST_TMP/bare
# Two machines, one download.
mkdir "$LAB_BARE_DIR" "$TEST_TMP/lists" "$TEST_TMP/archives"
cat >"$TEST_TMP/nested" <<'X'
set -e
apt-get -q update && apt-get -q install -y --no-install-recommends systemd-container iproute2 nftables
cd /source/tests/lab
./lab run sh -c '$LAB exec hub true && $LAB crash node && $LAB drop hub on && $LAB exec hub systemctl is-system-running'
./lab up
set -- $(./lab status)
kill -9 "$2"
./lab down
[ -z "$(find /sys/fs/cgroup -name 'sendense-lab-*')" ]
X
binds=(--bind "$SENDENSE_SRC:/source" --bind "$TEST_TMP/nested:/nested"
    --bind "$TEST_TMP/lists:/var/lib/apt/lists" --bind "$TEST_TMP/archives:/var/cache/apt/archives")
ok "a lab boots, breaks and ends inside a bare machine" lab bare "${binds[@]}" bash /nested
ok "and inside one whose PID 1 is systemd" lab bare --boot "${binds[@]}" bash /nested
is "$(ls "$LAB_BARE_DIR")" "" "nothing of them stays on disk"
done_testing
