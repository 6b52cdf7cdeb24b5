#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A hub that is away for longer than the snapshot may be held: the node removes it and says so, and the hub's release
# is answered when it comes, whatever it decided. So it is when the node itself was away meanwhile.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/node/node-lab.bash"

node_up $'[Snapshot]\nHoldMaxSec=3s'
vcenter_up -empty
vm_new 8M:fill=4M

for outcome in committed abandoned; do
    targets_up "$outcome"
    backup full
    expired() { [ "$(task '.state + " " + .outcome')" = "released expired" ]; }
    ok "$outcome: nobody asks, and the snapshot goes" eventually "$patience_sec" expired || diag "$answer" "$(task .)"
    is "$(simctl snapshots | jq length)" 0 "$outcome: it is gone at vCenter"
    is "$(task '.error + .error_name + (.owes_snapshot | tostring)')" false "$outcome: that is no failure, and nothing is owed"
    ok "$outcome: the journal says so" in_node 'journalctl -q -t sendense-node | grep -q "No hub has asked for the snapshot of job $1 "' "$job"
    like "$(release "$outcome")" '^200 .*"state":"released"' "$outcome: the hub is answered when it comes"
    like "$(release "$outcome")" '^200 .*"state":"released"' "$outcome: and answered again"
    is "$(task .outcome)" expired "$outcome: how it went stays known"
    targets_down
    same "$outcome"
    clean "$outcome"
done

# The node is away while the time runs out. Stopped, not restarted: systemd has forgotten the login, and the hub's release
# brings it along.
targets_up away
backup full
was_copied() { node jq -e '.CopiedUSec' "/var/lib/sendense-node/ledger/$job.json"; }
ok "another is copied" eventually "$patience_sec" was_copied || diag "$(task .)"
node systemctl stop sendense-node.service
# shellcheck disable=SC2016 # expanded in the machine
ok "the hold runs out" eventually "$patience_sec" in_node '[ "$(date +%s%6N)" -gt $(($(jq .CopiedUSec "/var/lib/sendense-node/ledger/$1.json") + 3500000)) ]' "$job"
is "$(simctl snapshots | jq length)" 1 "the snapshot is there still"
node systemctl start sendense-node.service
releasing() { [ "$(task '.state + " " + .outcome + " " + (.owes_snapshot | tostring)')" = "releasing expired true" ]; }
ok "back again it says that the time is over, and what it owes" eventually "$patience_sec" releasing || diag "$(task .)"
like "$(api POST "backup/$job/release" "$(jq -nc --arg password "$(password)" '{outcome: "committed", vcenter_password: $password}')")" \
    '^200 .*"state":"releasing"' "the hub's release is answered, with its login"
ok "and the snapshot goes" eventually "$patience_sec" expired || diag "$(task .)"
like "$(release committed)" '^200 .*"state":"released"' "the release after that tells so"
targets_down
same away
clean "away"
no_secret "all of it"
done_testing
