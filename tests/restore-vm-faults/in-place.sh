#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What dies in the middle of a restore into the VM that is there: it completes with the right data, or fails and the VM is what it was, with
# the disks that it had. Nothing is left: no VM that brought disks, no disk of no VM, no unit, port or obligation.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../e2e/e2e.bash"

e2e_up $'[Jobs]\nNodeLostSec=20s\nReleaseSec=30s\n'
vcenter_with_pgtest1
ok "a backup" backup --type=full
full=$(last_job)
backup_id=$(job_field "$full" BackupId)
for key in "${keys[@]}"; do head -c 71680 /dev/urandom | guest_writes "$key" 2097152; done
simctl vm power vm=pgtest1 on=0 >/dev/null

dies() { on "$1" systemctl kill -s KILL "$2"; } # MACHINE UNIT
over() { [[ $(job_field "$job" State) =~ ^(completed|failed|cancelled)$ ]]; }
vms() { simctl vm list | jq -r '[.[].name] | sort | join(" ")'; }
hashes() { simctl vm list vm=pgtest1 | jq -c '[.disks[] | [.key, .hash]]'; }
identity() { simctl vm list vm=pgtest1 | jq -c '[.vm, .name, .instance_uuid, .on, [.disks[].key]]'; }
moment() { simctl snapshots all=1 | jq -c --arg n "-$1-[0-9]+\$" '[[.[] | select(.name | test($n))][-1].disks[] | [.key, .hash]]'; } # JOB
nothing_owed() { [ "$(ctl --json obligation list | jq length)" = 0 ]; }
loose='[]' # what earlier ones have left to somebody
no_disk_is_loose() { [ "$(simctl left | jq -c .loose_disks)" = "$loose" ]; }
it=$(identity) was=$(hashes) wanted=$(moment "$full")
ok "the VM is another than at its backup" test "$was" != "$wanted"

# Where it is caught: at an upload, at the reconfiguration that takes the disks off what brought them, at the exchange, at the old disks.
uploads() { [ "$(simctl leases | jq '[.[].open] | add // 0')" -gt 0 ]; }
waits() { [ "$(simctl tasks | jq length)" -gt 0 ]; }
begin() { # upload|detach|exchange|remove [OPTION…]
    local at=$1
    shift
    case $at in
        upload) simctl fault delay method=NfcUpload ms=600000 count=0 ;;
        detach) simctl fault slow-task method=ReconfigVM_Task hold=1 ;;
        exchange) simctl fault slow-task method=ReconfigVM_Task hold=1 at=2 ;;
        remove) simctl fault slow-task method=DeleteVirtualDisk_Task hold=1 ;;
    esac >/dev/null
    ctl restore vm "$backup_id" --in-place --no-verify "$@" >/dev/null || fail "it starts"
    job=$(last_job)
    if [ "$at" = upload ]; then
        ok "its disks are being brought" eventually "$patience_sec" uploads || diag "$(job_field "$job" ErrorText)"
    else
        ok "it is at the $at" eventually "$patience_sec" waits || diag "$(job_field "$job" ErrorText)"
    fi
}
# Whatever vCenter was asked for comes to its end, whoever has died meanwhile.
go_on() {
    simctl faults clear >/dev/null
    simctl tasks finish >/dev/null
}
end() { # NAME
    go_on
    ok "$1: the job comes to its end" eventually "$patience_sec" over || diag "$(ctl job show "$job")"
}
is_well() { # NAME HASHES
    ok "$1: nothing is owed" eventually "$patience_sec" nothing_owed || diag "$(ctl obligation list)"
    is "$(hashes)" "$2" "$1: its disks hold what they should"
    is "$(identity)" "$it" "$1: it is the same VM"
    is "$(vms)" pgtest1 "$1: there is no other"
    ok "$1: no disk is left" no_disk_is_loose || diag "$(simctl left)"
    clean "$1"
}
# The way back to what it was, for the next one.
spoil() {
    for key in "${keys[@]}"; do head -c 71680 /dev/urandom | guest_writes "$key" 2097152; done
    was=$(hashes)
}
completes() { # NAME AT FUNCTION
    begin "$2"
    "$3"
    end "$1"
    is "$(job_field "$job" State)" completed "$1: the restore completes" || diag "$(job_field "$job" ErrorText)"
    simctl sessions kill >/dev/null # who was killed cannot log out
    is_well "$1" "$wanted"
    spoil
}
fails() { # NAME AT FUNCTION ERROR
    begin "$2"
    "$3"
    end "$1"
    like "$(job_field "$job" State) $(job_field "$job" ErrorName)" "^(failed|cancelled) com.sendense.Error.$4$" "$1: the job fails"
    simctl sessions kill >/dev/null
    is_well "$1" "$was"
}
# The exchange was done, and nobody heard of it: somebody may have used it since.
keeps() { # NAME AT FUNCTION ERROR
    local before=$loose
    begin "$2"
    "$3"
    end "$1"
    simctl sessions kill >/dev/null
    ok "$1: it is over at the node, too" eventually "$patience_sec" nothing_owed || diag "$(ctl obligation list)"
    like "$(job_field "$job" State) $(job_field "$job" ErrorName)" "^(failed|cancelled) com.sendense.Error.$4$" "$1: the job fails"
    like "$(job_field "$job" ErrorText)" 'pgtest1 keeps the disks of a restore that was given up, because nobody knows whether.*Those of before lie where they lay, .[^ ]+. pgtest1/' "$1: its error says what the VM has, and where the others lie"
    loose=$(simctl left | jq -c .loose_disks)
    is "$(jq -nc --argjson now "$loose" --argjson before "$before" '$now - $before | length')" 2 "$1: they do"
    is_well "$1" "$wanted"
    spoil
}
# The lease that it had ends with its session.
import_dies() {
    dies node "sendense-vsphere-$job-import.service"
    simctl sessions kill >/dev/null
}
swap_dies() { dies node "sendense-vsphere-$job-swap.service"; }
swap_ends() { node systemctl stop "sendense-vsphere-$job-swap.service"; }
end_dies() { dies node "sendense-vsphere-$job-end.service"; }
hub_dies() { dies hub sendense-hub; }
node_dies() { dies node sendense-node; }
both_die() { hub_dies & node_dies; wait $!; }
node_reboots() { lab reboot node >/dev/null; }
hub_reboots() { lab reboot hub >/dev/null; }
is_cancelled() { ok "it is cancelled" ctl job cancel "$job"; }

fails "the import dies" upload import_dies CopyFailed
fails "the swap dies before the exchange" detach swap_dies CopyFailed
keeps "the swap dies in the exchange" exchange swap_dies CopyFailed
keeps "the swap is stopped" exchange swap_ends Cancelled
keeps "cancelled in the exchange" exchange is_cancelled Cancelled
keeps "the node reboots in the exchange" exchange node_reboots Rebooted
fails "the hub reboots while the disks are brought" upload hub_reboots '(Rebooted|SourceFailed)'
completes "the hub reboots in the exchange" exchange hub_reboots
completes "the hub dies in the exchange" exchange hub_dies
completes "the node dies in the exchange" exchange node_dies
completes "hub and node die before the exchange" detach both_die
completes "the node dies while the old disks go" remove node_dies
completes "what removes the old disks dies" remove end_dies

# Cancelled while the node cannot be asked: what is to be taken back is owed, and is when the node is back.
begin exchange
node systemctl stop sendense-tunnel.service sendense-tunnel.socket
ok "cancelled without the tunnel" ctl job cancel "$job"
end "without the tunnel"
like "$(ctl --json obligation list | jq -r '.[] | "\(.Kind) \(.State)"')" 'vm owed' "without the tunnel: it is owed"
node systemctl start sendense-tunnel.socket sendense-tunnel.service
ok "the tunnel is back" eventually "$patience_sec" node_answers edge1
ok "a clean-up is asked for" eventually "$patience_sec" ctl cleanup
is_well "without the tunnel" "$was"

# Somebody has used it since: it is his, whatever is owed.
begin exchange
node systemctl stop sendense-tunnel.service sendense-tunnel.socket
ok "cancelled once more" ctl job cancel "$job"
go_on
exchanged() { [ "$(hashes)" = "$wanted" ]; }
ok "the exchange comes to its end" eventually "$patience_sec" exchanged
end "used since"
simctl vm power vm=pgtest1 on=1 >/dev/null
node systemctl start sendense-tunnel.socket sendense-tunnel.service
ok "the tunnel is there again" eventually "$patience_sec" node_answers edge1
given_away() {
    ctl cleanup >/dev/null 2>&1
    nothing_owed
}
ok "it is somebody's, and nothing is owed any more" eventually "$patience_sec" given_away || diag "$(ctl obligation list)"
like "$(job_field "$job" State) $(job_field "$job" ErrorText)" '^cancelled .*pgtest1 keeps the disks of a restore that was given up, because it is switched on.*Those of before lie where they lay, .[^ ]+. pgtest1/' "the job's error says so, and where the others lie"
is "$(hashes)" "$wanted" "it keeps what it was used with"
is "$(simctl left | jq --argjson before "$loose" '.loose_disks - $before | length')" 2 "and its other disks lie there"
loose=$(simctl left | jq -c .loose_disks)
ok "it is backed up again" backup || diag "$(job_field "$(last_job)" ErrorText)"

# Old disks that vCenter does not let go of are owed, and in nobody's way.
simctl vm power vm=pgtest1 on=0 >/dev/null
simctl fault task-error method=DeleteVirtualDisk_Task fault=FileLocked count=0 >/dev/null
ok "one whose old disks are locked" ctl restore vm "$backup_id" --in-place --no-verify
job=$(last_job)
has_old() { node journalctl --unit=sendense-node --grep="of the old ones 2 cannot be removed" >/dev/null; }
ok "the node says that they cannot be removed" eventually "$patience_sec" has_old
ok "the job comes to its end" eventually 180 over || diag "$(ctl job show "$job")"
is "$(job_field "$job" State)" completed "and is completed"
like "$(ctl --json obligation list | jq -r '.[] | "\(.Kind) \(.State)"')" 'vm owed' "the old disks are owed"
ok "a backup is made all the same" backup || diag "$(job_field "$(last_job)" ErrorText)"
simctl faults clear >/dev/null
ok "when they can be removed, nothing is owed" eventually "$patience_sec" given_away || diag "$(ctl obligation list)"
ok "and only those of the others lie there" no_disk_is_loose || diag "$(simctl left)"
done_testing
