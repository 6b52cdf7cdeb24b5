#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Ten VMs of one ESXi host, by two nodes, within the limits of host, nodes and repository: the queue is seen and kept in order, one VM that fails
# disturbs no other, and each backup holds its own VM. What failed is tried again when it may pass by itself, and is not otherwise. Then all ten are copied
# at one moment, and one that dies there disturbs no other either.
more_nodes=node2
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up '[Jobs]
Running=6
RunningPerRepository=5
RunningPerNode=3
RunningPerHost=4
Retries=1
RetrySec=1h' '[Snapshot]
DatastoreMax=5
[Copy]
HostConnectionsMax=64'
vcenter_up -empty
vcenter_port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")
vms=(vm0 vm1 vm2 vm3 vm4 vm5 vm6 vm7 vm8 vm9)
for vm in "${vms[@]}"; do simctl vm add name="$vm" disks=4M:fill=3M,2M:fill=1M >/dev/null; done
require "the vCenter is added" vcenter_add
require "all its VMs are discovered" ctl vm discover vc1 --enter
is "$(ctl --json vm list | jq length)" 10 "ten VMs are known"

# Held in the copy, so that all of them meet.
simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
simctl fault task-error method=CreateSnapshot_Task vm=vm3 count=0 >/dev/null
for vm in "${vms[@]}"; do ctl backup start "$vm" >/dev/null || fail "$vm starts"; done
states() { ctl --json job list | jq -r '.[].State' | sort | uniq -c | awk '{ printf "%s%s=%s", NR > 1 ? " " : "", $2, $1 }'; }
copying_on() { ctl --json job list | jq --arg n "$1" '[.[] | select(.Node == $n and .State != "queued" and .State != "completed" and .State != "failed")] | length'; }
full() { [ "$(copying_on edge1) $(copying_on edge2)" = "2 2" ]; }
ok "both nodes have what their ESXi host may give, and no more" eventually "$patience_sec" full || diag "$(states)"
is "$(ctl --json job list | jq '[.[] | select(.State == "queued")] | length')" 6 "the others wait in the queue, to be seen"
is "$(ctl --json job list | jq '[.[] | select(.State == "queued").Id] | max')" 10 "the youngest among them"
waiting() { hub busctl get-property com.sendense.Hub1 "/com/sendense/Hub1/job/$1" com.sendense.Hub1.Job Phase; }
is "$(waiting 10)" 's "waits: 4 VMs of its ESXi host are copied"' "and what for"
first=$(ctl --json job list | jq '[.[] | select(.State == "queued").Id] | min')
simctl faults clear >/dev/null
simctl fault task-error method=CreateSnapshot_Task vm=vm3 count=0 >/dev/null
all_over() { [ "$(ctl --json job list | jq '[.[] | select(.State == "completed" or .State == "failed")] | length')" = 10 ]; }
ok "all come to their end" eventually 120 all_over || diag "$(states)"
is "$(ctl --json job list | jq -r '[.[] | select(.State == "failed").Vm] | join(" ")')" vm3 "one failed"
failed=$(ctl --json job list | jq '.[] | select(.Vm == "vm3").Id')
is "$(job_field "$failed" ErrorName)" com.sendense.Error.SnapshotFailed "for its own reason"
is "$(ctl --json job list | jq -r '[.[] | select(.Vm != "vm3").State] | unique | join(" ")')" completed "the nine others are completed"
is "$(ctl --json job list | jq -r '[.[].Node] | unique | join(" ")')" "edge1 edge2" "by both nodes"
began() { job_field "$1" StartedUSec; }
ok "who waited first went first" test "$(began "$first")" -le "$(began 10)"
simctl faults clear >/dev/null
for job in $(ctl --json job list | jq '.[] | select(.State == "completed").Id'); do
    vm=$(job_field "$job" Vm)
    mapfile -t keys < <(simctl vm list | jq -r --arg v "$vm" '.[] | select(.name == $v) | .disks[].key')
    ok "job $job holds $vm" holds_the_vm "$job"
done
clean "after all of them"
is "$(ctl --json job list | jq length)" 10 "nothing was tried again before its time"

# The pause is over, and vCenter is itself again: the hub tries what failed, in the name of who asked, and once.
hub sed -i 's/^RetrySec=.*/RetrySec=1s/' /etc/sendense/hub.conf.d/50-test.conf
hub systemctl restart sendense-hub
again() { [ "$(ctl --json job list | jq --argjson of "$failed" '[.[] | select(.RetryOf == $of and .State == "completed")] | length')" = 1 ]; }
ok "the one that failed is tried again by itself, and completes" eventually "$patience_sec" again || diag "$(ctl job list)"
job=$(ctl --json job list | jq --argjson of "$failed" '.[] | select(.RetryOf == $of).Id')
is "$(job_field "$job" Vm) $(job_field "$job" Principal)" "vm3 uid:0" "it is the same VM's, and was asked for by the same"
like "$(in_hub 'journalctl --sync; journalctl -q -o cat "SENDENSE_JOB=$1"' "$job")" "Job $job tries again what job $failed could not \(com.sendense.Error.SnapshotFailed\)" "the journal says so"
# A VM on a snapshot of its user's stays so, however often it is tried.
simctl vm user-snapshot vm=vm6 >/dev/null
not_ok "one that no trying mends" ctl backup start vm6 --wait
hopeless=$(last_job)
is "$(job_field "$hopeless" ErrorName)" com.sendense.Error.VmNotUsable "fails by its name"
simctl fault task-error method=CreateSnapshot_Task vm=vm4 count=0 >/dev/null
not_ok "another that fails each time" ctl backup start vm4 --wait
tried() { [ "$(ctl --json job list | jq '[.[] | select(.Vm == "vm4" and .State == "failed")] | length')" = 2 ]; }
ok "is tried once more" eventually "$patience_sec" tried
simctl faults clear >/dev/null
ok "and not a third time, though it would succeed" ctl backup start vm5 --wait
is "$(ctl --json job list | jq '[.[] | select(.Vm == "vm4")] | length')" 3 "one that was good, one that failed, one attempt again"
is "$(ctl --json job list | jq --argjson of "$hopeless" '[.[] | select(.RetryOf == $of)] | length')" 0 "what does not pass by itself was not tried again, though it failed before those that were"
clean "after the attempts"
hub sed -i -E '/^(Running|Retries|RetrySec)/d; s/^\[Jobs\]$/[Jobs]\nRunning=20\nRunningPerRepository=10\nRunningPerNode=5\nRunningPerHost=20\nRetries=0/' /etc/sendense/hub.conf.d/50-test.conf
hub systemctl restart sendense-hub
for name in edge1 edge2; do ok "$name answers the hub" eventually "$patience_sec" node_answers "$name"; done
simctl vm remove vm=vm6 >/dev/null
simctl vm add name=vm6 disks=4M:fill=3M,2M:fill=1M >/dev/null
for vm in vm10 vm11; do simctl vm add name="$vm" disks=2M:fill=1M >/dev/null; done
ok "vm6 is a VM like the others again, and there are two more" ctl vm discover vc1 --enter
ok "another repository" in_hub 'install -d -o sendense -g sendense-export -m 2750 /var/lib/sendense/other && sendensectl repository add other /var/lib/sendense/other'

# All ten at one moment: they meet at their snapshots, and then each answer of vCenter's about their disks takes its time.
before=$(last_job)
killed=$(metric hub sendense_exports_killed_total)
simctl fault delay method=CreateSnapshot_Task ms=600000 count=0 >/dev/null
for vm in "${vms[@]}"; do ctl backup start "$vm" --type=full >/dev/null || fail "$vm starts"; done
new_jobs() { ctl --json job list | jq --argjson after "$before" "[.[] | select(.Id > \$after)] | $1"; }
at_snapshot() { on "$1" sendensectl --json task list | jq '[.[] | select(.State == "snapshotting")] | length'; }
meet() { [ "$(at_snapshot node) $(at_snapshot node2)" = "5 5" ]; }
ok "five on each node are at their snapshots" eventually 120 meet || diag "$(ctl job list)"
simctl faults clear >/dev/null
simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
copies_of() { on "$1" systemctl list-units --plain --no-legend --state=running 'sendense-copy-*.service' | wc -l; }
all_copy() { [ "$(copies_of node) $(copies_of node2) $(new_jobs 'map(select(.State == "copying")) | length')" = "5 5 10" ]; }
ok "ten are copied at one moment, five by each node" eventually 120 all_copy || diag "$(copies_of node) $(copies_of node2)" "$(ctl job list)"
is "$(ctl --json port list | jq '[.[].Port] | unique | length')" 20 "each of their disks has a port of its own"
ctl backup start vm10 --type=full >/dev/null || fail "vm10 starts"
is "$(waiting "$(last_job)")" 's "waits: 10 jobs use its repository"' "one more waits for a place in the repository"
ctl backup start vm11 --type=full --repository=other >/dev/null || fail "vm11 starts"
like "$(waiting "$(last_job)")" 's "waits: node edge[12] has 5 jobs"' "and one of another repository for a place at its node"
is "$(copies_of node) $(copies_of node2)" "5 5" "while the ten are copied"
victim=$(new_jobs '.[] | select(.Vm == "vm7").Id')
machine_of() { [ "$(job_field "$1" Node)" = edge1 ] && echo node || echo node2; } # JOB
ok "the copy of vm7 dies" on "$(machine_of "$victim")" systemctl kill -s KILL "sendense-copy-$victim.service"
simctl faults clear >/dev/null
new_over() { [ "$(new_jobs 'map(select(.State == "completed" or .State == "failed")) | length')" = 12 ]; }
ok "all come to their end" eventually 120 new_over || diag "$(ctl job list)"
is "$(new_jobs 'map(select(.State == "failed") | "\(.Vm) \(.ErrorName)") | join(" ")' | jq -r .)" "vm7 com.sendense.Error.CopyFailed" "vm7 alone has failed"
is "$(metric hub sendense_exports_killed_total)" "$killed" "no export of another was ended"
for job in $(new_jobs '.[] | select(.State == "completed" and .Repository == "local").Id'); do
    vm=$(job_field "$job" Vm)
    mapfile -t keys < <(simctl vm list | jq -r --arg v "$vm" '.[] | select(.name == $v) | .disks[].key')
    ok "job $job holds $vm" holds_the_vm "$job"
done
ok "vm7 is backed up the next time" ctl backup start vm7 --wait
simctl sessions kill >/dev/null # whose owner was killed could not log out: vCenter itself ends such a session
clean "at the end"
done_testing
