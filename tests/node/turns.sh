#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A datastore has room for one snapshot: the second VM waits, says for what, takes nothing meanwhile, and goes on by itself when
# the first is released, or its snapshot cannot be removed and is owed; one that is cancelled while it waits was never at vCenter's disks.
# A node that is stopped meanwhile fails it by a name that passes by itself.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up "[Snapshot]
DatastoreMax=1"
vcenter_up -empty
vm_new 8M:fill=4M
simctl vm add name=web02 disks=8M:fill=2M >/dev/null
second=$(simctl vm list | jq -r '.[] | select(.name == "web02") | .instance_uuid')
other=".vm_name = \"web02\" | .vm_path = \"DC0/vm/web02\" | .instance_uuid = \"$second\""
waits() { [ -n "$(task .waiting)" ]; }
# shellcheck disable=SC2016 # expanded in the machine
on_bus() { in_node 'busctl get-property com.sendense.Node1 "/com/sendense/Node1/task/$1" com.sendense.Node1.Task Waiting' "$job"; }

targets_up first
backup full
ok "the first is copied, and its snapshot is held" eventually "$patience_sec" state_is copied || diag "$(task .)"
is "$(task .waiting)" '' "it waited for nothing"
targets_down

targets_up second
backup full "$other"
ok "the second waits" eventually "$patience_sec" waits || diag "$(task .)"
like "$(task '.state + ": " + .waiting')" '^accepted: the datastore \[.*\]: 1 of 1 snapshots are taken$' "and says for what"
like "$(on_bus)" 'the datastore' "on the bus, too"
is "$(simctl snapshots | jq length)" 1 "there is one snapshot"
job=$((job - 1))
release committed >/dev/null
ok "the first is released" eventually "$patience_sec" state_is released
job=$((job + 1))
ok "the second has gone on by itself" eventually "$patience_sec" state_is copied || diag "$(task .)"
is "$(task .waiting)" '' "and waits for nothing"
targets_down

targets_up third
backup full
ok "the next one waits for it" eventually "$patience_sec" waits || diag "$(task .)"
like "$(api DELETE "backup/$job")" '^20' "it is cancelled"
ok "which ends it at once" eventually "$patience_sec" state_is cancelled || diag "$(task .)"
is "$(simctl snapshots | jq length)" 1 "and it made no snapshot"
job=$((job - 1))
release committed >/dev/null
ok "the second is released" eventually "$patience_sec" state_is released
targets_down
job=$((job + 1))

targets_up fourth
backup full
ok "another is copied, and its snapshot is held" eventually "$patience_sec" state_is copied || diag "$(task .)"
targets_down
targets_up fifth
backup full "$other"
ok "the next one waits for it" eventually "$patience_sec" waits || diag "$(task .)"
simctl fault remove-snapshot-fails count=0 >/dev/null
job=$((job - 1))
release committed >/dev/null
owed() { [ "$(task '.state + " " + (.owes_snapshot | tostring) + " " + (.release_error != null | tostring)')" = "releasing true true" ]; }
ok "its snapshot cannot be removed, and is owed" eventually "$patience_sec" owed || diag "$(task .)"
job=$((job + 1))
ok "nobody waits for what is owed" eventually "$patience_sec" state_is copied || diag "$(task .)"
job=$((job - 1))
ok "which is owed still" owed || diag "$(task .)"
simctl faults clear >/dev/null
ok "until it can be removed" eventually "$patience_sec" state_is released || diag "$(task .)"
targets_down

# Stopped and started, not restarted: the login of the one that waits is gone.
job=$((job + 1))
targets_up sixth
backup full
ok "one more waits" eventually "$patience_sec" waits || diag "$(task .)"
node systemctl stop sendense-node.service
node systemctl start sendense-node.service
ok "a node that was stopped fails it" eventually "$patience_sec" state_is failed || diag "$(task .)"
is "$(task .error_name)" com.sendense.Error.NodeUnreachable "by a name that passes, so that its hub tries again"
like "$(task .error)" 'stopped before anything was begun' "and says why"
targets_down
job=$((job - 1))
api POST "backup/$job/release" "$(jq -nc --arg password "$(password)" '{outcome: "committed", vcenter_password: $password}')" >/dev/null
ok "the last is released" eventually "$patience_sec" state_is released || diag "$(task .)"
clean "in the end"
done_testing
