#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The session dies before each single call of a backup, one after the other. That is no reason to fail, nor to read more.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof-long/each-call.bash"

proof_machine
vcenter_up -empty
vm_add name=web01 disks=6M:fill=3M,4M:nvme:fill=2M
each_call "a session that dies" strict session-killed
is "$(wrong_points)" '' "and every restore point still is what it was"
done_testing
