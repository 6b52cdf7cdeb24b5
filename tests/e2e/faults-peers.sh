#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The peers of a running backup of two disks: the database and the HTTP API are killed, who asked loses his token, the password becomes another,
# the node is dead behind a tunnel that is up, vCenter is gone. It completes with the right data, or says why not.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/faults.bash"

e2e_up
vcenter_with_pgtest1 "24M:fill=10M,8M:fill=3M"
ok "a first backup" backup --type=full

# MariaDB, with what it had not written.
database_dies() {
    dies hub mariadb.service
    hub systemctl start mariadb.service
}
completes "MariaDB is killed" database_dies sendense_database_losses_total

# The HTTP API, while somebody reads the job's stream.
hub systemctl start sendense-hub-api.socket
token=$(ctl token create watcher --role=inspect --role=backup)
api() { hub curl -s --max-time 60 -H "Authorization: Bearer $token" "${@:2}" "http://127.0.0.1:8082/api/v1/$1"; }
api_dies() {
    local old
    hub systemd-run -q --unit=stream curl -sN --max-time 300 -H "Authorization: Bearer $token" "http://127.0.0.1:8082/api/v1/jobs/$job/events"
    ok "somebody reads the stream" eventually "$patience_sec" hub systemctl is-active --quiet sendense-hub-api.service
    old=$(pid hub sendense-hub-api.service)
    dies hub sendense-hub-api.service
    like "$(api "jobs/$job" | jq -r .state)" '^(copying|finishing|releasing|completed)$' "the next one answers"
    ok "it is another" test "$(pid hub sendense-hub-api.service)" != "$old"
    hub systemctl stop stream.service 2>/dev/null
}
completes "the HTTP API is killed" api_dies sendense_api_started_seconds

# By HTTP, and the token is revoked.
hold_copy
job=$(api backups -H 'Prefer: respond-async' -d '{"vm_name":"pgtest1","repository_id":"1","backup_type":"full"}' | jq -r '.job_id // .')
ok "a backup by HTTP copies" copies || diag "$job"
ok "its token is revoked" ctl token revoke watcher
is "$(api "jobs/$job" | jq -r '.error')" com.sendense.Error.Unauthorized "who had it is nobody now"
end "the token is revoked"
is "$(job_field "$job" State) $(job_field "$job" Principal)" "completed token:watcher" "the token is revoked: the backup completes, as his"
is_the_vm "the token is revoked" "$job"
clean "the token is revoked"

# Another password: the copy's session stays, and who comes after it has the new one.
password_changes() {
    simctl password new='another & "better" one' >/dev/null
    password | ctl vcenter rotate vc1 --password-fd=0 >/dev/null || fail "it is rotated"
}
completes "the password becomes another" password_changes
ok "the next backup has it, too" backup
simctl password new=yet-another >/dev/null
refused "the hub was not told" 'check user and password'
password | ctl vcenter rotate vc1 --password-fd=0 >/dev/null || fail "it is rotated"
ok "once it is told it backs up" backup
clean "the passwords"

# The tunnel is up, and behind it is no node.
node systemctl --quiet mask --runtime sendense-node.service
dies node sendense-node.service
node systemctl stop sendense-node.service
ok "the hub sees it" eventually "$patience_sec" not_reachable
is "$(node systemctl is-active sendense-tunnel.service)" active "though the tunnel is up"
is "$(metric hub 'sendense_node_reachable{node="edge1"}')" 0 "and its figures say so"
refused "the node is dead" 'Node edge1 does not answer|No node answers'
node systemctl --quiet unmask --runtime sendense-node.service
node systemctl start sendense-node.service
ok "it is back" eventually "$patience_sec" node_answers edge1
ok "and backs up" backup
clean "the node is back"

# vCenter is gone, and who sees it gives the backup up.
begin
on vc bash -c 'kill -KILL "$(jq -r .pid /srv/sim/ready)"' || fail "vCenter is killed"
ok "vCenter is gone: the job is given up" ctl job cancel "$job"
ok "vCenter is gone: it comes to its end" eventually 150 over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State)" cancelled "vCenter is gone: it is cancelled" || diag "$(job_field "$job" ErrorText)"
is "$(units_left_at hub)" "" "the hub has nothing of it"
like "$(ctl obligation list)" "snapshot .*pgtest1" "that its snapshot is owed can be seen"
is "$(metric hub sendense_obligations) $(metric hub 'sendense_jobs{state="cancelled",reason="com.sendense.Error.Cancelled"}')" "1 1" "and counted"
done_testing
