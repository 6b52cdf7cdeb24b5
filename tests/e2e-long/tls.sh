#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Backups by a node over exports with TLS ([Exports] TlsPsk=yes) when something breaks: the exports die; the hub is rebooted in the middle
# of a copy, and while it is away the setting is changed; the node is stopped with the keys in its hands. And a node of a version
# without TLS is told nothing and says why.
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/e2e/e2e.bash"

e2e_up '[Exports]
TlsPsk=yes
[Jobs]
Retries=0'
vcenter_with_pgtest1
hold_copy() { simctl fault delay method=FolderGet ms=400 count=0 >/dev/null; }
go_on() { simctl faults clear >/dev/null; }
copies() { [ "$(job_field "$job" BytesDone)" -gt 0 ]; }
over() { [[ $(job_field "$job" State) =~ ^(completed|failed|cancelled)$ ]]; }
begin() {
    ctl backup start pgtest1 --type=full >/dev/null || fail "it starts"
    job=$(last_job)
}
begin_copy() { # NAME
    hold_copy
    begin
    ok "$1: its copy is under way" eventually "$patience_sec" copies || diag "$(job_field "$job" ErrorText)"
}
ends() { # NAME STATE
    ok "$1: the job comes to its end" eventually 180 over || diag "$(ctl job show "$job")"
    is "$(job_field "$job" State)" "$2" "$1: it is $2" || diag "$(job_field "$job" ErrorText)"
}
with_tls() { ctl port list --json | jq -r '[.[].ExportName | endswith("-tls")] | unique | map(tostring) | join(" ")'; }
exports_ask_for_a_key() { [[ $(hub nbdinfo "nbd://127.0.0.1:$(ctl port list --json | jq '.[0].Port')/x" 2>&1) =~ not.supported|not.permitted ]]; }

begin_copy "exports die"
for key in "${keys[@]}"; do in_hub 'kill -KILL "$(systemctl show --value -p MainPID "sendense-export-$1-$2")"' "$job" "$key"; done
go_on
ends "exports die" completed
is_the_vm "exports die" "$job"
clean "exports die"

begin_copy "reboot"
is "$(with_tls)" true "reboot: by TLS"
printf '[Exports]\nTlsPsk=no\n' | hub install -m 644 /dev/stdin /etc/sendense/hub.conf.d/90-plain.conf
lab reboot hub >/dev/null
ok "reboot: the exports are there again, on their ports and by TLS" eventually "$patience_sec" exports_ask_for_a_key
go_on
ends "reboot" completed
is_the_vm "reboot" "$job"
clean "reboot"
begin_copy "afterwards"
is "$(with_tls)" false "afterwards: jobs of then are without"
go_on
ends "afterwards" completed
hub rm /etc/sendense/hub.conf.d/90-plain.conf
hub systemctl restart sendense-hub
ok "the hub is ready" eventually "$patience_sec" node_answers edge1

# What systemd keeps for a unit goes with its stop. The snapshot is made, and the copy has no key.
simctl fault slow-task method=CreateSnapshot_Task hold=1 count=1 >/dev/null
begin
snapshotting() { [ "$(node sendensectl --json task list 2>/dev/null | jq -r --argjson job "$job" '.[] | select(.Id == $job).State')" = snapshotting ]; }
ok "stopped: the node takes a snapshot" eventually "$patience_sec" snapshotting || diag "$(ctl job show "$job")"
# The hub's next question starts it again.
node systemctl stop sendense-node.service
ok "stopped: it is there again" eventually "$patience_sec" node systemctl is-active sendense-node.service
simctl faults clear >/dev/null
simctl tasks finish >/dev/null
ends "stopped" failed
is "$(job_field "$job" ErrorName)" com.sendense.Error.NodeUnreachable "stopped: by a name that passes: a second attempt gets keys of its own"
like "$(job_field "$job" ErrorText)" "Node edge1: The node was stopped in the middle of it, and has lost the keys of the hub's exports" "stopped: it says why"
clean "stopped"

# As installed before this was there.
node_peer --without tls-psk
ok "older: it answers" eventually "$patience_sec" node_answers edge1
begin
ends "older" failed
is "$(job_field "$job" ErrorName)" com.sendense.Error.NotAllowed "older: by its name"
like "$(job_field "$job" ErrorText)" 'TlsPsk=yes, and node edge1 is of a version without TLS to exports' "older: and says what to do"
is "$(node grep -c backup/start /srv/asked)" 0 "older: it was told nothing"
clean "older"
node_peer_goes
ok "with the newer version in its place" eventually "$patience_sec" node_answers edge1
newer() { [ "$(hub busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager GetNode 'sa{sv}' edge1 0 | jq '.data[0].LastSeenUSec.data')" -gt "$since" ]; }
since=$(hub date +%s%6N)
ok "and asked again" eventually "$patience_sec" newer
ok "the next backup works" backup
is_the_vm "the next" "$(last_job)"
clean "at the end"
done_testing
