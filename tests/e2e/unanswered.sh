#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What does not answer for a while and then does, in the middle of a running backup: it completes with the right data.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/faults.bash"

# An export may be silent for 5 s and twice 3 s.
e2e_up '[Exports]
ProbeSec=5s
AnswerTimeoutSec=3s'
vcenter_with_pgtest1 "24M:fill=10M,8M:fill=3M"
ok "a first backup" backup --type=full

each_export() { for unit in $(exports); do hub systemctl kill -s "$1" "$unit"; done; }
exports_are_slow() {
    each_export STOP
    hub systemctl restart sendense-hub
    sleep 8
    each_export CONT
}
completes "exports are slow while the hub is started anew" exports_are_slow sendense_hub_started_seconds
done_testing
