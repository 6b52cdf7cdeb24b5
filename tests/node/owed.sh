#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Hub and node on one machine: a request that is repeated gets its job though nobody can be asked any more; a hub that died before it
# wrote down what the node had accepted does so later; a node that has lost its folder does not end what it owes; and what nobody can
# undo any more is forgiven by name.
machine=hub

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

cat >"$TEST_TMP/settings" <<'X'
#!/bin/bash
install -D -m 644 /dev/stdin "$2/etc/sendense/hub.conf.d/60-owed.conf" <<'Y'
[Tunnel]
HealthSec=1s
[Jobs]
Retries=0
Y
X
chmod +x "$TEST_TMP/settings"
node_up '' --hook "$TEST_TMP/settings"
vcenter_up -empty
vm_new 16M:fill=12M
vcenter_port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")
hub_runs() { in_node 'busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager State | grep -q running'; }
require "the hub is ready" eventually "$patience_sec" hub_runs

manager() { node busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager "$@"; }
ctl() { node sendensectl "$@"; }
sql() { node mariadb sendense -BNe "$1"; }
reachable_is() { [ "$(manager GetNode 'sa{sv}' here 0 | jq -r .data[0].Reachable.data)" = "$1" ]; }
job_field() { ctl --json job show "$1" | jq -r "$2"; } # JOB JQ
last_job() { ctl --json job list | jq '.[0].Id'; }
state_of_job_is() { [ "$(job_field "$1" .State)" = "$2" ]; } # JOB STATE
obligations() { ctl --json obligation list | jq -c "$1"; }

require "a node of this machine" manager AddNode 'ssa{sv}' here '' 1 local b true
digest=$(manager EnrolNode 'ssa{sv}' '' '' 1 name s here | jq -r '.data[3]')
require "gets its token" in_node 'echo "hub $1" >>/etc/sendense/node-api.tokens && systemctl try-restart sendense-node-api.service' "$digest"
require "it answers" eventually "$patience_sec" reachable_is true
password | node install -m 600 /dev/stdin /root/password
require "a vCenter" ctl vcenter add main "$peer_address" --user="$user" --port="$vcenter_port" --password-file=/root/password --accept-certificate
require "its VM" ctl vm discover main web01

# The hub dies before it writes down that the node has accepted the job; and the request is made again.
hold_copy() { simctl fault delay method=FolderGet at=5 ms=25000 count=0 >/dev/null; }
at_work() { [ "$(job_field "$job" .BytesDone)" -gt 0 ]; }
start() { answer=$(manager StartBackup 'sa{sv}' web01 "$@" 2>&1); } # COUNT OPTION...
hold_copy
start 2 type s full idempotency_key s night
first=$answer
like "$first" '/job/[0-9]+"' "a backup begins" || diag "$answer"
job=$(last_job)
ok "its copy is under way" eventually "$patience_sec" at_work || diag "$(ctl job show "$job")"
node systemctl stop sendense-hub.service
sql "UPDATE backup_jobs SET unit = NULL, boot_id = NULL, invocation_id = NULL WHERE id = $job"
node systemctl start sendense-hub.service
accepted() { [ "$(sql "SELECT unit FROM backup_jobs WHERE id = $job")" = "sendense-copy-$job.service" ]; }
ok "a hub that finds it at the node writes down that it was accepted" eventually "$patience_sec" accepted || diag "$(ctl job show "$job")"
simctl faults clear >/dev/null
ok "it completes" eventually "$patience_sec" state_of_job_is "$job" completed || diag "$(ctl job show "$job")"
node systemctl stop sendense-node-api.socket sendense-node-api.service
ok "nobody can be asked for the VM any more" eventually "$patience_sec" reachable_is false
start 2 type s full idempotency_key s night
is "$answer" "$first" "the same request gets the job that it made"
start 2 type s full idempotency_key s morning
like "$answer" 'No node answers' "another one is refused"
start 2 type s incremental idempotency_key s night
like "$answer" 'idempotency_key was used for job' "and so is another one with that key"
node systemctl start sendense-node-api.socket
ok "the node is back" eventually "$patience_sec" reachable_is true

# A start that is on its way while its job is cancelled: the node is told when it knows the job, and what it begins it gives up.
node systemctl stop sendense-node-api.socket sendense-node-api.service
printf '[Socket]\nListenStream=\nListenStream=127.0.0.1:8089\n' | node install -D -m 644 /dev/stdin /run/systemd/system/sendense-node-api.socket.d/90-behind.conf
in_node 'mkdir /srv/way && systemctl daemon-reload && systemctl start sendense-node-api.socket &&
    systemd-run --quiet --unit=way python3 /srv/src/tests/node/hold-start.py 8081 8089 /srv/way'
ok "the node is behind something slow" eventually "$patience_sec" reachable_is true
begin_held() { # sets job
    in_node 'rm -f /srv/way/drop; touch /srv/way/hold; systemd-run --quiet --collect busctl call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager StartBackup "sa{sv}" web01 1 type s full'
    ok "a start is on its way" eventually "$patience_sec" node test -e /srv/way/held
    job=$(last_job)
}
phase_is() { [ "$(node busctl get-property com.sendense.Hub1 "/com/sendense/Hub1/job/$job" com.sendense.Hub1.Job Phase)" = "s \"$1\"" ]; }
node_state() { api GET "backup/$job" | cut -d' ' -f2- | jq -r '"\(.state) \(.owes_snapshot)"'; }
given_up() { [ "$(node_state)" = "cancelled false" ]; }
begin_held
ok "its job is cancelled" ctl job cancel "$job"
ok "and waits for the node's answer" eventually "$patience_sec" phase_is "waits for an answer of its node" || diag "$(ctl job show "$job")"
node rm /srv/way/hold
ok "then it is cancelled" eventually "$patience_sec" state_of_job_is "$job" cancelled || diag "$(ctl job show "$job")"
ok "and so is what the node began" eventually "$patience_sec" given_up || diag "$(node_state)"
is "$(obligations length)" 0 "nothing is owed"
begin_held
ok "another one is cancelled" ctl job cancel "$job"
ok "and waits" eventually "$patience_sec" phase_is "waits for an answer of its node"
node touch /srv/way/drop
ok "without an answer it is cancelled, too" eventually "$patience_sec" state_of_job_is "$job" cancelled || diag "$(ctl job show "$job")"
is "$(obligations '[.[] | [.Kind, .Job, .State]]')" "[[\"snapshot\",$job,\"owed\"]]" "a snapshot may come yet, so it is owed" || diag "$(obligations .)"
node rm /srv/way/hold
known_there() { [[ $(node_state) != "null "* ]]; }
ok "the start arrives late" eventually "$patience_sec" known_there
unlike "$(ctl cleanup)" 'Still owed' "what it began is given up"
ok "by the node, too" eventually "$patience_sec" given_up || diag "$(node_state)"
is "$(obligations length) $(simctl snapshots | jq length)" "0 0" "and nothing is left"
in_node 'systemctl stop way.service sendense-node-api.socket sendense-node-api.service; rm /run/systemd/system/sendense-node-api.socket.d/90-behind.conf; systemctl daemon-reload; systemctl start sendense-node-api.socket'
ok "the node is in front again" eventually "$patience_sec" reachable_is true

# The node loses its folder in the middle of a copy.
hold_copy
start 1 type s full
job=$(last_job)
ok "another is under way" eventually "$patience_sec" at_work || diag "$(ctl job show "$job")"
in_node 'systemctl stop sendense-node.service; rm -rf /var/lib/sendense-node/ledger/*; systemctl start sendense-node.service'
ok "a node that has lost its folder: the job fails" eventually "$patience_sec" state_of_job_is "$job" failed || diag "$(ctl job show "$job")"
simctl faults clear >/dev/null
is "$(job_field "$job" .ErrorName)" com.sendense.Error.CopyFailed "by its name"
is "$(simctl snapshots | jq length)" 1 "its snapshot is there, and nobody knows it"
is "$(obligations '[.[] | [.Kind, .Job, .State]]')" "[[\"snapshot\",$job,\"owed\"]]" "it is owed"
like "$(ctl cleanup)" "Still owed: snapshot web01 of job $job.*does not know it any more.*'sendense-…-$job-…'.*obligation forgive" "and stays owed, with what to do"
id=$(obligations '.[0].Id')
like "$(obligations '.[0].Error')" 'sendensectl obligation forgive' "the list says so, too"

# The node is removed by force: nobody is left who could.
ctl node remove here >"$TEST_TMP/refused" 2>&1
is "$?" 1 "a node that owes is not removed"
ok "but with force" ctl node remove here --force
like "$(ctl cleanup)" "Still owed: snapshot web01 of job $job.*: the node is not enrolled any more" "it stays owed"
ok "it is forgiven" ctl obligation forgive "$id"
is "$(obligations length)" 0 "and owed no more"
like "$(ctl job show "$job")" 'forgiven, and not undone: snapshot web01 of job' "the job tells so"
is "$(job_field "$job" '[.Events[] | select(.Reason | startswith("forgiven")) | .Principal] | join(" ")')" uid:0 "and who it was"
ok "so does the journal" in_node 'journalctl --sync; journalctl -q -o cat -u sendense-hub SENDENSE_PRINCIPAL=uid:0 | grep -q "is forgiven by uid:0"'
like "$(ctl obligation forgive "$id" 2>&1)" "There is no open obligation $id" "once"
done_testing
