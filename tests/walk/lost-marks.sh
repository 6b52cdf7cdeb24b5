#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What only the catalog knew is lost with it: that a layer is damaged, and that a backup is mounted. The mount ends and leaves nothing;
# the damage is found again by who looks for it, marks the same backups, and the next backup starts anew because of it.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/walk/walk.bash"

walk_up 7
step incremental && pass "a chain of two"
first=${ids[0]} second=${ids[1]}
marks() { hub sendensectl backup list --json | jq -r 'map("\(.Damaged) \(has("VerifiedUSec"))") | join(", ")'; } # the newest first
verify() { begin backup verify "$1" && wait_job; }                                                               # ID

MOUNTED=$(hub sendensectl --json backup mount "$second")
socket=$(jq -r '.Disks[0].Uri | capture("socket=(?<s>[^&]+)").s' <<<"$MOUNTED")
mounted_is "$second"
ok "it is mounted" hub test -S "$socket"

image=$(hub sendensectl backup show "$first" --json | jq -r '.RepositoryPath + "/" + (.Disks[] | select(.Key == 2000).File)')
# shellcheck disable=SC2016 # expanded in the machine
place=$(in_hub 'qemu-img map --output=json -f qcow2 "$1" | jq "[.[] | select(.data)][0] | .offset + 70000"' "$image")
# shellcheck disable=SC2016 # expanded in the machine
flip() { in_hub 'b=$(od -An -tu1 -j "$2" -N 1 "$1"); printf "\\x$(printf %02x $((b ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none' "$image" "$place"; }
is "$(verify "$second")" completed "the chain is whole"
flip
is "$(verify "$second")" failed "a bit that rots is found"
is "$(marks)" "true true, true true" "and marks both backups"

kind=lose
step_lose
is "$(marks)" "false false, false false" "a lost catalog takes the marks along, and that anything was ever verified"
is "$(hub sendensectl --json mount list | jq length)" 0 "no mount is known"
gone() { hub test ! -e "$socket"; }
ok "the one that was is ended" eventually "$patience_sec" gone
ok "and has left nothing" eventually "$patience_sec" nothing_left || diag "$(hub systemctl list-units --all --plain --no-legend 'sendense-mount-*')"

answer=$(hub sendensectl backup verify --all --json)
is "$(jq -r '.Jobs | length' <<<"$answer")" 1 "all that is there is due to be verified" || diag "$answer"
for JOB in $(jq -r '.Jobs[] | sub(".*/"; "")' <<<"$answer"); do is "$(wait_job)" failed "job $JOB finds the damage"; done
is "$(marks)" "true true, true false" "and the marks are there again; that the full was whole once nobody knows any more"
begin_backup incremental
is "$(wait_job)" completed "the next backup" || diag "$(job_error)"
keep_as "$(job .BackupId)"
is "$(job '.Disks | map("\(.Key) \(.BackupType)") | join(", ")')" "2000 full, 2001 incremental" "is a full of that disk"

flip
for id in "${ids[@]}"; do is "$(verify "$id")" completed "mended, $id is whole" || diag "$(job_error)"; done
MOUNTED=$(hub sendensectl --json backup mount "$second")
mounted_is "$second"
ok "what was adopted is mounted" hub sendensectl backup umount "$(jq -r .Job <<<"$MOUNTED")"
check
unharmed "all of it"
done_testing
