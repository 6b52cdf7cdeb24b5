#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What dies in the middle of a running backup of two disks: it completes with the right data, or fails and says why; nothing is
# left either way, and the next one works.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/faults.bash"

e2e_up
vcenter_with_pgtest1
ok "a first backup" backup --type=full

hub_dies() { dies hub sendense-hub; }
node_dies() { dies node sendense-node; }
both_die() { hub_dies & node_dies; wait $!; }
tunnel_dies() { dies node sendense-tunnel; }
sshd_dies() { dies hub sendense-sshd; }
node_api_dies() { dies node sendense-node-api; }
one_export_dies() { dies hub "$(exports | head -n 1)"; }
all_exports_die() { for unit in $(exports); do dies hub "$unit"; done; }
database_restarts() { hub systemctl restart mariadb; }
no_node_is_reachable() { [ "$(metric hub 'sendense_node_reachable{node="edge1"}')" = 0 ]; }
tunnel_is_away() {
    node systemctl stop sendense-tunnel.service sendense-tunnel.socket
    ok "the hub notices" eventually "$patience_sec" phase_is 'does not answer'
    ok "and its figures say so" eventually "$patience_sec" no_node_is_reachable
    node systemctl start sendense-tunnel.socket sendense-tunnel.service
}
node_is_masked() { # its API goes on, and has an error for an answer
    node systemctl mask --quiet --runtime --now sendense-node.service
    ok "the hub notices" eventually "$patience_sec" phase_is 'does not answer'
    node systemctl unmask --quiet --runtime sendense-node.service
    node systemctl start sendense-node.service
}
password_rotates() { password | ctl vcenter rotate vc1 --password-fd=0 >/dev/null || fail "it is rotated"; }
copy_dies() { dies node "sendense-copy-$job.service"; }
hub_reboots() { lab reboot hub >/dev/null; }
hub_loses_power() { lab crash hub >/dev/null; }
node_reboots() { lab reboot node >/dev/null; }
sessions_expire() { simctl sessions kill >/dev/null; }

completes "the hub dies" hub_dies sendense_hub_started_seconds
completes "the node dies" node_dies 'sendense_node_started_seconds{node="edge1"}'
completes "hub and node die" both_die sendense_hub_started_seconds
completes "the tunnel dies" tunnel_dies 'sendense_tunnel_started_seconds{node="edge1"}'
completes "the hub's sshd dies" sshd_dies 'sendense_tunnel_reconnects_total{node="edge1"}'
completes "the node's API dies" node_api_dies
completes "the node's daemon cannot be started for a while" node_is_masked
completes "one export dies" one_export_dies sendense_exports_killed_total
completes "all exports die" all_exports_die sendense_exports_killed_total
figures() { hub busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager GetFigures 'a{sv}' 0 | jq ".data[0].$1.data"; }
ok "each of their deaths is counted" test "$(figures ExportsKilled)" -ge 3
is "$(figures ExportsCrashed)" 0 "none as a crash"
completes "MariaDB restarts" database_restarts sendense_database_losses_total
completes "the tunnel is away" tunnel_is_away
completes "the password is entered anew" password_rotates
completes "the hub reboots" hub_reboots sendense_hub_started_seconds
completes "the hub loses power" hub_loses_power sendense_hub_started_seconds
completes "vCenter ends its sessions" sessions_expire
fails "the node reboots" node_reboots Rebooted 'Node edge1: '
fails "the copy dies" copy_dies CopyFailed 'Node edge1: '

# What is wrong at the call itself is told there, and leaves nothing.
node systemctl stop sendense-tunnel.service sendense-tunnel.socket
ok "the hub sees that the tunnel is down" eventually "$patience_sec" not_reachable
refused "the tunnel is down" 'No node answers that could ask the vCenter; sendensectl node list'
node systemctl start sendense-tunnel.socket sendense-tunnel.service
ok "the tunnel is back" eventually "$patience_sec" node_answers edge1
simctl fault soap-fault method=Login fault=InvalidLogin count=0 >/dev/null
refused "the password is wrong" 'InvalidLogin.*check user and password'
go_on
clean "after the refusals"

# Cancelled.
begin
ok "cancelled in the copy" ctl job cancel "$job"
end "cancelled"
is "$(job_field "$job" State)" cancelled "it is cancelled"
clean "cancelled"

# Too late: the backup exists, and its snapshot is being removed.
simctl fault slow-task method=RemoveSnapshot_Task hold=1 count=0 >/dev/null
ctl backup start pgtest1 >/dev/null
job=$(last_job)
releasing() { job_is "$job" releasing; }
ok "its snapshot is being removed" eventually "$patience_sec" releasing || diag "$(ctl job show "$job")"
said=$(ctl job cancel "$job" 2>&1)
is "$?" 1 "a cancellation is refused then"
like "$said" "Job $job is releasing already" "and it is said why"
is "$(job_field "$job" State)" releasing "the job goes on"
# And the database takes no writes when it is over, of which nobody but the job would ever know.
require "MariaDB is made read-only" hub mariadb -e 'SET GLOBAL read_only = 1'
simctl faults clear >/dev/null
simctl tasks finish >/dev/null
ok "the job waits until it may write its end" eventually "$patience_sec" phase_is 'the database takes no writes'
is "$(job_field "$job" State)" releasing "and is releasing still"
require "MariaDB takes writes again" hub mariadb -e 'SET GLOBAL read_only = 0'
end "cancelled too late"
is "$(job_field "$job" State) $(job_field "$job" ErrorName)" "completed null" "and completes"
is_the_vm "cancelled too late" "$job"
clean "cancelled too late"
ok "the next backup works" backup
is_the_vm "the next" "$(last_job)"
done_testing
