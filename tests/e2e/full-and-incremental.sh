#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The product: a VM of two disks is backed up by one command, as a full and then by its changes, and each restore point is what the
# disks were at one moment.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up
vcenter_with_pgtest1

ok "a full backup by one command" backup --type=full
full=$(last_job)
is "$(job_field "$full" State)" completed "it is completed"
is "$(job_field "$full" Node)" edge1 "by the node"
is_the_vm "full" "$full"
record=$(on hub bash -c "cat \"$(on hub sendensectl repository show 1 --json | jq -r .Path)\"/*/backups/$(job_field "$full" BackupId).json")
is "$(jq -r '[.quiesced, .hardware.firmware, .hardware.memory_mb, (.hardware.disks | map(.key) | join("+"))] | join(" ")' <<<"$record")" \
    "true efi 2048 ${keys[0]}+${keys[1]}" "its record says what the VM was made of, and that its guest was quiesced"
clean "after the full"
is "$(ctl --json vm show pgtest1 | jq '[.Disks[] | select((.ChangeId // "") != "")] | length')" 2 "both disks have a change id"

head -c 1536000 /dev/urandom | guest_writes "${keys[0]}" 4194304
head -c 71680 /dev/urandom | guest_writes "${keys[1]}" 1000448
head -c 3145728 /dev/zero | guest_writes "${keys[0]}" 1048576
ok "an incremental" backup
incremental=$(last_job)
is_the_vm "incremental" "$incremental"
is "$(job_field "$incremental" 'Disks | map(.BackupType) | unique | join(" ")')" incremental "both disks by their changes"
is_the_vm "the full, still" "$full"
is "$(simctl snapshots all=1 | jq '[.[].disks[].hash] | unique | length')" 4 "which was another moment"
is "$(job_field "$incremental" 'Disks | map(.Reason // "") | join("")')" "" "and none read as a whole"
clean "after the incremental"

# A disk that somebody leaves out is left out, and the backup says why; the next one has it again, by its changes.
ok "a backup without a disk" backup --exclude="${keys[1]}=scratch data"
without=$(last_job)
is "$(job_field "$without" "Disks[] | select(.Key == ${keys[1]}) | .State + \": \" + .Reason")" "excluded: scratch data" "it says which and why"
is "$(read_back "$without" "${keys[0]}")" "$(was_at_snapshot "$without" "${keys[0]}")" "the other is what it was at the snapshot's moment"
clean "after it"
ok "and one with all of them" backup
is_the_vm "with all" "$(last_job)"
done_testing
