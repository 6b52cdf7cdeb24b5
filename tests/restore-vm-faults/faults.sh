#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What dies in the middle of the restore of a VM of two disks: it completes with the right data, or fails and says why. Then neither the
# VM nor a session, a unit, a port or an obligation is left, and the VM that was backed up is as it was. The next restore works.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../e2e/e2e.bash"

e2e_up $'[Jobs]\nNodeLostSec=20s\n'
vcenter_with_pgtest1
ok "a backup" backup --type=full
full=$(last_job)
backup_id=$(job_field "$full" BackupId)

dies() { on "$1" systemctl kill -s KILL "$2"; } # MACHINE UNIT
vms() { simctl vm list | jq -r '[.[].name] | sort | join(" ")'; }
disk_hash() { simctl disk hash vm="$1" key="$2" | jq -r .hash; } # VM KEY
over() { [[ $(job_field "$job" State) =~ ^(completed|failed|cancelled)$ ]]; }
uploads() { [ "$(simctl leases | jq '[.[].open] | add // 0')" -gt 0 ]; }
# vCenter lets each upload wait until the faults are cleared: it is under way, and not over.
hold() { simctl fault delay method=NfcUpload ms=600000 count=0 >/dev/null; }
go_on() { simctl faults clear >/dev/null; }
sessions_end() { simctl sessions kill >/dev/null; } # who is killed cannot log out
begin() { # [OPTION…]
    hold
    ctl restore vm "$backup_id" --name=back --datastore=datastore1 --no-verify "$@" >/dev/null || fail "it starts"
    job=$(last_job)
    ok "a VM is being made" eventually "$patience_sec" uploads || diag "$(job_field "$job" ErrorText)"
}
end() { # NAME
    go_on
    ok "$1: the job comes to its end" eventually "$patience_sec" over || diag "$(ctl job show "$job")"
}
is_back() { # NAME: and goes again
    local i=0 key
    for key in $(simctl vm list | jq -r '.[] | select(.name == "back") | .disks[].key'); do
        is "$(disk_hash back "$key")" "$(was_at_snapshot "$full" "${keys[$i]}")" "$1: disk ${keys[$i]} is what it was"
        i=$((i + 1))
    done
    is "$i" "${#keys[@]}" "$1: with all disks"
    simctl vm remove vm=back >/dev/null
}
nothing_owed() { [ "$(ctl --json obligation list | jq length)" = 0 ]; }
is_gone() { # NAME
    is "$(vms)" pgtest1 "$1: the VM is gone, and no other" || simctl vm remove vm=back >/dev/null
    ok "$1: nothing is owed" eventually "$patience_sec" nothing_owed || diag "$(ctl obligation list)"
}
completes() { # NAME FUNCTION
    begin
    "$2"
    end "$1"
    is "$(job_field "$job" State)" completed "$1: the restore completes" || diag "$(job_field "$job" ErrorText)"
    is_back "$1"
    clean "$1"
}
fails() { # NAME FUNCTION ERROR TEXT
    begin
    "$2"
    end "$1"
    like "$(job_field "$job" State) $(job_field "$job" ErrorName)" "^failed com.sendense.Error.$3$" "$1: the job fails"
    like "$(job_field "$job" ErrorText)" "$4" "$1: and says why"
    sessions_end
    is_gone "$1"
    clean "$1"
}

hub_dies() { dies hub sendense-hub; }
node_dies() { dies node sendense-node; }
both_die() { hub_dies & node_dies; wait $!; }
node_api_dies() { dies node sendense-node-api; }
database_restarts() { hub systemctl restart mariadb; }
# vCenter ends the lease, and with it the VM, when its session is over.
import_dies() {
    dies node "sendense-vsphere-$job-import.service"
    sessions_end
}
import_ends() { node systemctl stop "sendense-vsphere-$job-import.service"; }
# What it has made is the node's to remove, and nothing for a second import to find.
is_given_up() { node journalctl --unit=sendense-node --grep="Job $job of .* failed" >/dev/null; }
import_vanishes() {
    node systemctl stop sendense-node
    dies node "sendense-vsphere-$job-import.service"
    ok "the import is gone" eventually "$patience_sec" node systemctl reset-failed "sendense-vsphere-$job-import.service"
    node systemctl start sendense-node
    ok "the node gives it up" eventually "$patience_sec" is_given_up
    sessions_end
}
tunnel_dies() { dies node sendense-tunnel; }
first_mount() { hub systemctl list-units --plain --no-legend "sendense-mount-*.$1" | awk 'NR == 1 { print $1 }'; } # TYPE
one_server_dies() { dies hub "$(first_mount service)"; }
one_mount_ends() { hub systemctl stop "$(first_mount socket)"; }
hub_reboots() { lab reboot hub >/dev/null; }
node_reboots() { lab reboot node >/dev/null; }
hub_loses_power() { lab crash hub >/dev/null; }

fails "the import dies" import_dies CopyFailed 'Node edge1: sendense-vsphere-[0-9]+-import.service ended without a result'
fails "the import is stopped" import_ends Cancelled 'Node edge1: '
fails "the import vanishes while the node is down" import_vanishes CopyFailed 'Node edge1: Its unit vanished without a result'
fails "vCenter ends the sessions" sessions_end '(VCenterSession|TargetFailed)' 'Node edge1: .*(the session at vCenter ended|the lease has ended)'
fails "the tunnel dies" tunnel_dies SourceFailed 'Node edge1: .*cannot be read near'
fails "one server dies" one_server_dies SourceFailed 'Node edge1: .*cannot be read near'
fails "one mount is stopped" one_mount_ends ExportFailed 'Disk [0-9]+: sendense-mount-.* was stopped'
fails "the hub reboots" hub_reboots '(Rebooted|SourceFailed)' '.'
fails "the hub loses power" hub_loses_power '(Rebooted|SourceFailed)' '.'
fails "the node reboots" node_reboots Rebooted 'Node edge1: '
completes "the hub dies" hub_dies
completes "the node dies" node_dies
completes "hub and node die" both_die
completes "the node's API dies" node_api_dies
completes "MariaDB restarts" database_restarts

# Cancelled.
begin
ok "cancelled in the middle" ctl job cancel "$job"
end "cancelled"
is "$(job_field "$job" State)" cancelled "it is cancelled"
is_gone "cancelled"
clean "cancelled"

# Cancelled while the node cannot be asked: the VM is owed, and goes when the node is back.
begin
node systemctl stop sendense-tunnel.service sendense-tunnel.socket
ok "cancelled without the tunnel" ctl job cancel "$job"
end "without the tunnel"
like "$(ctl --json obligation list | jq -r '.[] | "\(.Kind) \(.State)"')" 'vm owed' "its VM is owed"
node systemctl start sendense-tunnel.socket sendense-tunnel.service
ok "the tunnel is back" eventually "$patience_sec" node_answers edge1
ok "a clean-up is asked for" eventually "$patience_sec" ctl cleanup
is_gone "without the tunnel"
clean "without the tunnel"

# No hub asks for the VM for too long, so the node lets it stay. A hub that comes back with its machine takes it all the same.
kept() { node journalctl --unit=sendense-node --grep="No hub has asked for the VM of job $job " >/dev/null; }
held_too_long() {
    hub systemctl stop sendense-hub
    go_on
    ok "$1: the node lets the VM stay" eventually "$patience_sec" kept
}
printf '[Snapshot]\nHoldMaxSec=5s\n' | node install -D -m 644 /dev/stdin /etc/sendense/node.conf.d/70-hold.conf
node systemctl restart sendense-node
require "the node waits for seconds" eventually "$patience_sec" node_answers edge1
begin
held_too_long "the hub reboots late"
hub_reboots
end "the hub reboots late"
is "$(job_field "$job" State)" completed "the hub reboots late: the restore completes" || diag "$(job_field "$job" ErrorText)"
is_back "the hub reboots late"
clean "the hub reboots late"

# One that does not hear of it gives the restore up: what it cannot remove any more stays owed until somebody looks.
stays_owed() {
    ctl cleanup >/dev/null 2>&1
    ctl obligation list | grep -q "so the node let it stay, whole"
}
begin
held_too_long "given up too late"
node systemctl stop sendense-tunnel.service sendense-tunnel.socket
hub systemctl start sendense-hub
end "given up too late"
like "$(job_field "$job" State) $(job_field "$job" ErrorName)" '^failed com.sendense.Error.NodeUnreachable$' "given up too late: the job fails"
node systemctl start sendense-tunnel.socket sendense-tunnel.service
ok "given up too late: the tunnel is back" eventually "$patience_sec" node_answers edge1
ok "given up too late: the VM is owed, and why" eventually "$patience_sec" stays_owed || diag "$(ctl obligation list)"
is "$(vms)" "back pgtest1" "given up too late: the VM is there"
simctl vm remove vm=back >/dev/null
ok "given up too late: it is forgiven" ctl obligation forgive "$(ctl --json obligation list | jq '.[0].Id')"
clean "given up too late"
node rm /etc/sendense/node.conf.d/70-hold.conf
node systemctl restart sendense-node
require "the node waits as ever" eventually "$patience_sec" node_answers edge1

# What is known to be damaged is refused; what is not known to be is found.
file=/var/lib/sendense/repository/$(job_field "$full" "Disks[] | select(.Key == ${keys[0]}) | .File")
hub chmod u+w "$file"
# shellcheck disable=SC2016 # expanded in the machine
require "a byte is flipped" in_hub 'size=$(stat -c %s "$1"); printf "\377" | dd of="$1" bs=1 seek=$((size / 2)) conv=notrunc status=none' "$file"
ctl restore vm "$backup_id" --name=back --datastore=datastore1 --wait >/dev/null 2>&1
is "$(job_field "$(last_job)" ErrorName)" com.sendense.Error.BackupDamaged "damage that nobody knew of ends the restore"
is "$(vms)" pgtest1 "before there is a VM"
ctl backup verify "$backup_id" --wait >/dev/null 2>&1
like "$(ctl restore vm "$backup_id" --name=back --datastore=datastore1 2>&1)" "damaged" "what is known to be damaged is refused"
ok "unless that is wanted" ctl restore vm "$backup_id" --name=back --datastore=datastore1 --damaged-ok --wait
is "$(vms)" "back pgtest1" "then there is a VM"
clean "at the end"
done_testing
