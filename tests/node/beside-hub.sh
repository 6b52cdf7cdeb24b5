#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A node on the machine of a hub, at work for another hub: the numbers of their jobs mean nothing to each other. What the hub does at
# its start, in its clean-up and at the end of a job of the same number leaves the node's units alone, and the other way round.
machine=hub

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up
vcenter_up -empty
vm_new 16M:fill=12M
require "the hub is ready" eventually "$patience_sec" in_node 'busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager State | grep -q running'

pid_of() { node systemctl show --value -p MainPID "$1"; }
copying() { [ "$(pid_of "sendense-copy-$job")" != 0 ]; }
simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
targets_up beside
backup full
ok "a copy of the node runs" eventually "$patience_sec" copying
before=$(pid_of "sendense-copy-$job")

ok "the hub cleans up" node sendensectl cleanup
ok "the hub starts anew" node systemctl restart sendense-hub.service
ok "and cleans up again" eventually 30 node sendensectl cleanup
ok "a job of the hub with the same number ends" node systemctl stop "sendense-job@$job.target" "sendense-jobs-$job.slice"
is "$(pid_of "sendense-copy-$job")" "$before" "the same process copies"

# And a copy of the hub that the node knows nothing of.
ok "the hub copies, too" node systemd-run -q --unit=sendense-import-77.service --slice=sendense-jobs-77.slice sleep 1000
imports=$(pid_of sendense-import-77)
ok "the node starts anew" node systemctl restart sendense-node.service
ok "and answers" eventually "$patience_sec" state_is copying
is "$(pid_of sendense-import-77)" "$imports" "the copy of the hub goes on"
is "$(pid_of "sendense-copy-$job")" "$before" "and that of the node"
node systemctl stop sendense-import-77.service sendense-jobs-77.slice

simctl faults clear >/dev/null
ok "the backup is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
targets_down
same beside
release committed >/dev/null
ok "and released" eventually "$patience_sec" state_is released
clean "beside a hub"
done_testing
