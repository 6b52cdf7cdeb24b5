#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `job show` says what came of a restore or a deletion in words, and nothing of a result that it does not know. `restore vm` asks for what
# was said, and `restore disks` says when it restores nothing, or not all.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers

# shows TYPE RESULT [STATE]: job show of such a job.
shows() {
    answer GetJob 'a{sv}' "$(jq -cn --arg type "$1" --arg result "$2" --arg state "${3:-completed}" '{Id: 7, Type: $type, State: $state, Vm: "web", Repository: "local",
        Principal: "uid:0", CreatedUSec: 1763702276000000, WorkResult: $result}')"
    run "job show of a $1" 0 job show 7
}
shows restore '{"vm": "web", "path": "DC0/vm/back", "instance_uuid": "5000", "moref": "vm-9", "disks": 2, "in_place": false, "kept_files": [],
    "left_out": [{"type": "VirtualCdrom", "label": "CD/DVD drive 1"}, {"type": "NVRAM", "label": "variables of its EFI"}, {"type": "VirtualTPM", "label": "Virtual TPM"},
        {"type": "encryption", "label": "Hard disk 1"}],
    "warnings": ["the VM could not be switched on: no"]}'
like "$out" 'made DC0/vm/back \(2 disks; instance UUID 5000, vm-9\)' "a VM that was made"
like "$out" 'left out: VirtualCdrom, CD/DVD drive 1'$'\n' "what it lacks"
like "$out" 'left out: NVRAM, variables of its EFI \(it starts with new ones' "what the lack of an NVRAM means"
like "$out" 'left out: encryption, Hard disk 1 \(it lies at the datastore as anybody can read it: .*policy again' "what the lack of encryption means"
like "$out" 'left out: VirtualTPM, Virtual TPM \(what was sealed with it.* recovery key' "and that of a TPM"
like "$out" 'warning: the VM could not be switched on: no' "and what went wrong"
shows restore '{"vm": "web", "path": "DC0/vm/web", "instance_uuid": "5000", "moref": "vm-9", "disks": 1, "in_place": true, "kept_files": ["[ds] web/web.vmdk"], "left_out": [], "warnings": []}'
like "$out" 'exchanged the disks of DC0/vm/web \(1 disks' "one that was put back"
like "$out" 'the disk that it had lies at \[ds\] web/web.vmdk' "and where its disk is"
unlike "$out" 'left out' "it lacks nothing"
shows restore '{"capacity_bytes": 5368709120, "data_bytes": 1073741824, "layers": 3, "n_damaged": 2, "damaged": []}'
like "$out" 'restored 5\.0 GiB, 1\.0 GiB of them data, out of 3 layers' "a disk"
like "$out" '2 blocks are not what was backed up' "and what was damaged"
shows delete '{"outcome": "deleted", "freed_bytes": 1048576, "children": []}'
like "$out" 'deleted; 1\.0 MiB given back' "a deletion"
unlike "$out" 'take up' "of which nobody told the sizes"
shows delete '{"outcome": "deleted", "freed_bytes": 1048576, "bytes_before": 5242880, "bytes_after": 4194304, "children": []}'
like "$out" 'take up 4\.0 MiB there, before 5\.0 MiB' "one with sizes before and after"
shows delete '{"outcome": "deleted", "freed_bytes": -2097152, "bytes_before": 4194304, "bytes_after": 6291456, "children": []}'
like "$out" 'deleted; 2\.0 MiB more taken up' "one of a full that went into several layers"
shows delete '{"outcome": "deleted", "bytes_before": 4194304, "children": []}'
like "$out" 'deleted; what it gave back could not be counted' "one whose sizes could not be counted"
unlike "$out" 'given back|take up' "and no figure is made up for it"
shows delete '{"outcome": "deleted", "freed_bytes": 1048576}' failed
unlike "$out" 'given back' "one that failed gave nothing"
shows verify '{"anything": 1}'
unlike "$out" 'restored|deleted|made' "of another result nothing is said"
shows restore 'no json'
unlike "$out" 'restored|made' "nor of one that cannot be read"

answer RestoreVm o '"/com/sendense/Hub1/job/8"'
run "restore vm in place" 0 restore vm backup-web-1 --in-place --keep-disks --power-on
like "$(asked RestoreVm)" 'STRING "in_place"; VARIANT "b" \{ BOOLEAN true' "the VM that is there"
like "$(asked RestoreVm)" 'STRING "keep_disks"; VARIANT "b" \{ BOOLEAN true' "and its disks are wanted"

# backup_is STATE DISKS: what is answered about it.
backup_is() { answer GetBackup 'a{sv}' "{\"Id\": 7, \"Type\": \"backup\", \"State\": \"$1\", \"BackupId\": \"backup-web-1\", \"Disks\": $2}"; }
answer RestoreDisk o '"/com/sendense/Hub1/job/8"'
for state in failed cancelled copying; do
    backup_is "$state" "[{\"Key\": 2000, \"State\": \"$state\"}]"
    for as in '' --json; do
        # shellcheck disable=SC2086 # none or one word
        run "restore disks of a backup that is $state $as" 1 $as restore disks backup-web-1 /srv
        is "$err $out" "sendensectl: backup-web-1 has no disk that could be restored: its job 7 is $state " "says so, and nothing else"
    done
done
backup_is queued '[]'
run "restore disks of one that has not begun" 1 restore disks backup-web-1 /srv
like "$err" 'its job 7 is queued$' "says so"
no_call() { [ ! -e "$answers/RestoreDisk.call" ]; }
ok "nothing is begun" no_call
answer GetJob 'a{sv}' '{"Id": 8, "Type": "restore", "State": "completed", "Vm": "web", "Repository": "local", "BackupId": "backup-web-1"}'
backup_is completed '[{"Key": 2000, "State": "completed"}, {"Key": 2001, "State": "excluded", "Reason": "swap"}]'
run "restore disks of a backup without one of its disks" 0 restore disks backup-web-1 /srv
is "$err" "sendensectl: disk 2001 is left out: backup-web-1 has it as excluded: swap" "says which is left out"
like "$(asked RestoreDisk)" 'UINT32 2000; .*STRING "/srv/backup-web-1-2000.raw"' "and restores the other"
done_testing
