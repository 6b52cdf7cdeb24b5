#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each single answer to a backup is cut off, one after the other. What is then unknown may fail it, by name.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/proof-long/each-call.bash"

proof_machine
vcenter_up -empty
vm_add name=web01 disks=6M:fill=3M,4M:nvme:fill=2M
each_call "an answer that is cut off" '' cut-answer bytes=200
is "$(wrong_points)" '' "and every restore point still is what it was"
done_testing
