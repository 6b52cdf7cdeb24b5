#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The node is killed when a restore stands in its ledger and nothing else was done: systemd brings it back, and it begins. The hub, which
# had no answer, asks again and is told of the same one.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/node/node-lab.bash"
. "$(dirname "$0")/ledger-killed.bash"

grep -q 'SENDENSE_FAULT_POINTS 1' "$SENDENSE_BUILD/build-config.h" || skip_all "no build with fault points"
node_up
vcenter_up -empty
vm_new 4M:fill=2M
targets_up full
is "$(through committed)" "" "a backup to restore"
job=$((job + 1))
of=$job
# shellcheck disable=SC2016 # of jq
restore=$(node jq -c '.Snapshot | {hardware, disks: [.disks[] | {disk_key, capacity_bytes}], datastore: (.disks[0].datastore_path | capture("^\\[(?<name>.*?)\\]").name)}' \
    "/var/lib/sendense-node/ledger/$of.json")
job=$((job + 1))
# shellcheck disable=SC2016 # of jq
body=$(request full | jq -c --argjson restore "$restore" --argjson targets "$targets" \
    'del(.vm_path, .instance_uuid, .backup_type, .nbd_targets) + $restore + {vm_name: "back", folder: "DC0/vm"} | .disks[] |= . + {source: $targets[.disk_key | tostring]}')
restoring() { answer=$(api POST restore/start "$body") && [[ $answer == 202\ * ]]; }

instruct node-ledger.write.after:1
restoring
ok "the node was killed" eventually "$patience_sec" fired || diag "$answer"
ok "and its ledger has the restore" node test -e "/var/lib/sendense-node/ledger/$job.json"
ok "asked again it has it" eventually "$patience_sec" restoring || diag "$answer"
ok "it comes to its end" eventually "$patience_sec" can_go_on || diag "$(task .)"
is "$(task '.state + " " + .error')" "copied " "the VM is made"
like "$(release committed)" '^200 ' "the hub has it"
ok "it is over" eventually "$patience_sec" state_is released || diag "$(task .)"
is "$(simctl vm list | jq -r '[.[].name] | sort | join(" ")')" "back web01" "vCenter has it, once"
targets_down
clean "a restore that was only accepted"
no_secret "all of it"
done_testing
