#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A whole backup by one HTTP call, with a token that may do that and no more; and the same call again, too early and too late.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up
vcenter_with_pgtest1
hub systemctl start sendense-hub-api.socket
ctl token create operator --role=backup --role=inspect | hub tee /root/token >/dev/null
ctl token create watcher --role=inspect | hub tee /root/watcher >/dev/null

# http TOKEN-FILE METHOD PATH [CURL-OPTION...]: status in $status, body in $body. The body of the request is standard input.
http() {
    # shellcheck disable=SC2016 # expanded in the machine
    body=$(in_hub 'file=$1 method=$2 path=$3; shift 3
        curl -s --max-time 120 -X "$method" -H "Authorization: Bearer $(cat "/root/$file")" -w "\n%{http_code}" "$@" "http://localhost:8082$path"' "$@")
    status=${body##*$'\n'}
    body=${body%$'\n'*}
}
in_body() { jq -r "$1" <<<"$body"; }
call='{"vm_name":"pgtest1","repository_id":"1","backup_type":"full"}'

http watcher POST /api/v1/backups -d "$call"
is "$status" 403 "who may only look starts nothing"
is "$(ctl --json job list | jq length)" 0 "and no job was made"

simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
http token POST /api/v1/backups -d "$call" -H 'Idempotency-Key: night-1'
is "$status" 201 "one call starts the backup" || diag "$body"
job=$(in_body .job_id)
is "$(in_body '[.status, (.disk_results | map(.status) | unique | join(" "))] | join(" ")')" "copying qemu_started" "it answers when the exports stand and the copy goes"
is "$(in_body '[.disk_results[].disk_key] | join(" ")')" "${keys[*]}" "every disk, by VMware's key"
is "$(in_body '[.disk_results[].nbd_port] | unique | length')" 2 "each with a port of its own"
is "$(in_body .nbd_targets_string)" "$(in_body '[.disk_results[] | "\(.disk_key):nbd://127.0.0.1:\(.nbd_port)/\(.nbd_export_name)"] | join(",")')" "the targets in one line"
for pid in $(in_body '.disk_results[].qemu_nbd_pid'); do
    like "$(hub cat "/proc/$pid/cgroup" 2>/dev/null)" "sendense-export-$job-" "process $pid is alive, and an export of the job"
done
started=$body
http token POST /api/v1/backups -d "$call" -H 'Idempotency-Key: night-1'
is "$status $(in_body .job_id)" "201 $job" "the same call again is the same job"
# Accepted is what the node has said and the hub has written down: until then the answer waits.
hub systemctl stop sendense-hub.service
hub systemctl mask --quiet --runtime sendense-hub.service
http token POST /api/v1/backups -d "$call" -H 'Idempotency-Key: night-1'
is "$status" 503 "a daemon that must not be started is away, and not wrong" || diag "$body"
hub systemctl unmask --quiet --runtime sendense-hub.service
hub mariadb sendense -e "UPDATE backup_jobs SET unit = NULL, boot_id = NULL, invocation_id = NULL WHERE id = $job"
node systemctl kill -s STOP sendense-node.service
hub systemctl start sendense-hub.service
http token POST /api/v1/backups -d "$call" -H 'Idempotency-Key: night-1' -H 'Prefer: wait=2'
is "$status $(in_body .status)" "202 copying" "exports that stand are not enough: the node has said nothing" || diag "$body"
node systemctl kill -s CONT sendense-node.service
http token POST /api/v1/backups -d "$call" -H 'Idempotency-Key: night-1'
is "$status $(in_body .job_id)" "201 $job" "it has: now it is made" || diag "$body"
http token POST /api/v1/backups -d "${call/full/incremental}" -H 'Idempotency-Key: night-1'
is "$status" 422 "another one with that key is refused"
http token POST /api/v1/backups -d "$call"
is "$status $(in_body .error)" "409 com.sendense.Error.VmBusy" "a second backup of a VM that is backed up is refused"
like "$(in_body .detail)" "Job $job of this VM" "and names the job"
http token POST /api/v1/backups -d '{"vm_name":"pgtest1","disk_id":1}'
is "$status" 400 "a single disk is refused"
like "$(in_body .detail)" 'disk_id' "and told why"

# The stream, from the middle to the end.
hub systemd-run -q --unit=stream bash -c "curl -sN --max-time 300 -H \"Authorization: Bearer \$(cat /root/watcher)\" http://localhost:8082/api/v1/jobs/$job/events >/root/stream"
ok "the stream has begun" eventually "$patience_sec" in_hub 'grep -q copying /root/stream'
simctl faults clear >/dev/null
stream_over() { [ "$(hub systemctl is-active stream.service)" != active ]; }
ok "it ends with the job" eventually "$patience_sec" stream_over
is "$(hub grep '^data:' /root/stream | tail -n 1 | cut -d: -f2- | jq -r .state)" completed "whose last word is completed"
http token GET "/api/v1/backups/$(jq -r .backup_id <<<"$started")"
is "$status $(in_body .status)" "200 completed" "the backup is there"
is_the_vm "by HTTP" "$job"
is "$(job_field "$job" Principal)" token:operator "the job names the token that asked"
clean "after it"

# Without waiting; by number; by the second node's name that is not there.
http token POST /api/v1/backups -d '{"vm_name":"pgtest1","repository_id":1}' -H 'Prefer: respond-async'
is "$status" 202 "with Prefer: respond-async it answers at once"
async=$(in_body .job_id)
ok "and the job goes on" eventually "$patience_sec" job_is "$async" completed
is_the_vm "the incremental" "$async"
http token POST /api/v1/backups -d '{"vm_name":"pgtest1","node":"nowhere"}'
is "$status" 404 "a node that is not there is told"
node systemctl stop sendense-tunnel.service sendense-tunnel.socket
away() { ! node_answers edge1; }
ok "the hub sees that the tunnel is down" eventually "$patience_sec" away
http token POST /api/v1/backups -d "$call"
is "$status $(in_body .error)" "503 com.sendense.Error.NodeUnreachable" "a node that does not answer is told at the call" || diag "$body"
http token GET /health
is "$status" 503 "and is no good health"
is "$(in_body '.checks[] | select(.check == "node").status')" failed "because of the node"
node systemctl start sendense-tunnel.socket sendense-tunnel.service
ok "the tunnel is back" eventually "$patience_sec" node_answers edge1
http token GET /health
is "$status $(in_body .status)" "200 ok" "and so is health"
http token GET /metrics
like "$body" 'sendense_jobs\{state="completed",reason=""\} 2' "the figures know two backups"
counted() { sed -nE "s/^$1 ([0-9]+).*/\1/p" <<<"$body"; } # METRIC, as a pattern
is "$(counted sendense_exports_started_total) $(counted sendense_exports_ready_total)" "2 2" "and the exports of the one that this hub began"
is "$(counted 'sendense_job_phases_total\{phase="copying"\}')" 2 "and two copies that it saw the end of"
ok "and what they read" test "$(counted sendense_copied_bytes_total)" -gt 0
# A snapshot of the user's own, on which the disks now stand, is no reason to leave them out.
require "a snapshot of the user's" simctl vm user-snapshot vm=pgtest1
http token POST /api/v1/backups -d "$call"
above=$(in_body .job_id)
ok "a VM above such a snapshot fails, and is not backed up without its disks" eventually "$patience_sec" job_is "$above" failed
is "$(job_field "$above" ErrorName)" com.sendense.Error.VmNotUsable "by its name"
like "$(job_field "$above" ErrorText)" "disk 2000 of .*: its file holds only what was written since a snapshot" "it says what to do"
is "$(job_field "$above" 'Disks | map(.State) | unique | join(" ")')" failed "no disk was left out"
clean "after it"
ok "a token that is revoked" ctl token revoke operator
http token POST /api/v1/backups -d "$call"
is "$status" 401 "starts nothing any more"
clean "at the end"
done_testing
