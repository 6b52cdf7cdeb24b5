#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A ledger that takes the job and has no room for its next line: no snapshot is made that a restarted node would know
# nothing of.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up
vcenter_up -empty
vm_new 4M:fill=1M
require "a file system of one page for the ledger" in_node 'systemctl stop sendense-node.service &&
    mount -t tmpfs -o size=4k,mode=700,uid=sendense-node,gid=sendense-node ledger /var/lib/sendense-node &&
    systemctl start sendense-node.service'
is "$(node curl -s --max-time 5 --unix-socket /run/sendense-node-credentials.sock http://x/)" "" "who is not systemd gets no credential"

targets_up full
backup full
like "$answer" '^202 .*"job_id":1' "the job is taken"
ok "it fails" eventually "$patience_sec" state_is failed || diag "$(task .)"
like "$(task .error)" 'ledger .*cannot be written, so no snapshot was made' "and says why"
is "$(task .owes_snapshot)" false "nothing is owed"
is "$(simctl snapshots all=1 | jq length)" 0 "no snapshot was made"
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_node 'grep -rlF "$(cat /srv/sim/password)" /var/lib/sendense-node /var/log/journal 2>/dev/null')" "" "the password is neither in the ledger nor in the journal"
targets_down
# What the full one could not take is not there to be judged.
require "the ledger has room again" in_node 'systemctl stop sendense-node.service && umount /var/lib/sendense-node && systemctl start sendense-node.service'
clean "a full ledger"
done_testing
