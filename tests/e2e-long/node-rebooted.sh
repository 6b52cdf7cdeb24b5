#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The node's machine is rebooted while one backup is at its snapshot and another waits for its turn behind it: both fail by a name that
# passes, and the hub tries both again.
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/e2e/e2e.bash"

e2e_up '[Jobs]
Retries=1
RetrySec=1s' '[Snapshot]
DatastoreMax=1'
vcenter_with_pgtest1 4M:fill=2M
simctl vm add name=pgtest2 disks=4M:fill=2M >/dev/null
require "another VM is discovered" ctl vm discover vc1 pgtest2

# shellcheck disable=SC2053 # a pattern
task_is() { [[ $(node sendensectl --json task list 2>/dev/null | jq -r --argjson job "$1" '.[] | select(.Id == $job) | .State + " " + .Waiting') == $2 ]]; } # JOB PATTERN
simctl fault slow-task method=CreateSnapshot_Task hold=1 count=0 >/dev/null
ctl backup start pgtest1 --type=full >/dev/null || fail "it starts"
first=$(last_job)
ok "one takes its snapshot" eventually "$patience_sec" task_is "$first" 'snapshotting *' || diag "$(ctl job show "$first")"
ctl backup start pgtest2 --type=full >/dev/null || fail "the other starts"
second=$(last_job)
ok "the other waits for its turn" eventually "$patience_sec" task_is "$second" 'accepted the datastore *' || diag "$(ctl job show "$second")"
require "the node is rebooted" timeout 120 "$LAB" reboot node
simctl faults clear >/dev/null
simctl tasks finish >/dev/null
for job in "$first" "$second"; do
    ok "job $job fails" eventually 120 job_is "$job" failed || diag "$(ctl job show "$job")"
    is "$(job_field "$job" ErrorName)" com.sendense.Error.Rebooted "job $job: by its name" || diag "$(job_field "$job" ErrorText)"
    again() { [ "$(ctl --json job list | jq --argjson of "$job" '[.[] | select(.RetryOf == $of and .State == "completed")] | length')" = 1 ]; }
    ok "job $job is tried again, and completes" eventually 120 again || diag "$(ctl job list)"
done
clean "at the end"
done_testing
