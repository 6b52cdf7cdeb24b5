#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Power is cut at the node's machine in the middle of a copy, and while a snapshot is held: what it says afterwards is true, no
# snapshot stays, and the password is nowhere. The suite node-faults does it in each state, and reboots, too.

. "$(dirname "$0")/../lib/tap.sh"
peer=vc
. "$(dirname "$0")/node-lab.bash"
. "$(dirname "$0")/reboot.bash"

rounds_up
for state in copying copied; do reboot_in "$state" crash; done
done_testing
