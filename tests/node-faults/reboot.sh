#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The node's machine is rebooted, and its power is cut, in each state of a task: what it says afterwards is true, no
# snapshot stays, and the password is nowhere.

. "$(dirname "$0")/../lib/tap.sh"
peer=vc
. "$SENDENSE_SRC/tests/node/node-lab.bash"
. "$SENDENSE_SRC/tests/node/reboot.bash"

rounds_up
for how in crash reboot; do
    for state in accepted snapshotting copying copied releasing; do
        reboot_in "$state" "$how"
    done
done
done_testing
