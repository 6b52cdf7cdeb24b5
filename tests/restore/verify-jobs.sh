#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Verifications as jobs on a booted machine: a backup that is whole is verified; a bit that rots in its chain is found, marks what
# builds on it, makes the next backup a full, and is forgotten when the layer is mended.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm web 40 96:64
backup web --type=full
first=$(job .BackupId)
change web
backup web
second=$(job .BackupId)
fault_baseline
files() { in_hub 'find /var/lib/sendense/repository -type f -exec sha256sum {} + | sort -k2; find /var/lib/sendense/repository -printf "%p %u:%g %m\n" | sort'; }

# verify ARGUMENT...: starts it and sets JOB; ANSWER is what was said.
verify() {
    ANSWER=$(hub sendensectl backup verify "$@" 2>&1)
    JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
    [ -n "$JOB" ] || diag "$ANSWER"
}
result() { job ".WorkResult | if type == \"string\" then fromjson else . end | $1"; }
# listed: what the list says of the two, the newer first.
listed() { hub sendensectl backup list --json | jq -r 'map("\(.Damaged) \(has("VerifiedUSec"))") | join(", ")'; }

before=$(files)
is "$(listed)" "false false, false false" "nothing is known of the backups"
verify "$second"
is "$(wait_job)" completed "a chain that is whole" || diag "$(job_error)"
is "$(result '"\(.damaged) \([.disks[].layers[].verdict] | unique | join(" ")) \(.disks | length)"')" "0 ok 2" "every layer of both disks is read"
ok "and bytes were" test "$(result .bytes_read)" -ge $((136 << 20))
is "$(job '"\(.Type) \(.BackupId) \(.BytesDone == .BytesTotal)"')" "verify $second true" "the job says what it was about"
is "$(listed)" "false true, false true" "both backups are verified"
is "$(files)" "$before" "nothing in the repository has changed"
ok "nothing is left" nothing_left

# A bit rots in the full layer of the first disk, below everything.
image=$(hub sendensectl backup show "$first" --json | jq -r '.RepositoryPath + "/" + .Disks[0].File')
# shellcheck disable=SC2016 # expanded in the machine
place=$(in_hub 'qemu-img map --output=json -f qcow2 "$1" | jq ".[] | select(.data and .start <= 20971520 and .start + .length > 20971520) | .offset + 20971520 - .start"' "$image")
# shellcheck disable=SC2016 # expanded in the machine
flip() { in_hub 'b=$(od -An -tu1 -j "$2" -N 1 "$1"); printf "\\x$(printf %02x $((b ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none' "$image" "$place"; }
flip
verify "$second"
is "$(wait_job)" failed "damage ends the job"
like "$(job_error)" "^BackupDamaged: disk 2000, layer $first: block 5 \(bytes 20971520 to 25165823\) is not what was backed up; the next backup of the disk is a full" \
    "its error names disk, layer and place"
is "$(result '[.disks[] | .layers | map(.verdict) | join(" ")] | join(", ")')" "ok damaged, ok ok" "the layer that has it, and no other"
is "$(listed)" "true true, true true" "the backup that builds on it is shown as damaged too; that it was sound once stays known"
like "$(hub sendensectl backup list)" "$second .* DAMAGED" "the table says so"
like "$(hub sendensectl backup show "$second")" "^  disk 2000, layer $first: block 5 " "and one backup what it is"
hub sendensectl backup verify "$second" --wait >/dev/null 2>&1
is $? 1 "who waits is told by the exit status"
verify "$second" --no-chain
is "$(wait_job)" completed "its own layers are fine" || diag "$(job_error)"
backup web
is "$(job '.Disks | map("\(.Key) \(.BackupType) \(.Reason // "")") | join(", ")')" \
    "2000 full its last backup, or one that this builds on, is damaged (backup verify), 2001 incremental " "the next backup of that disk is a full by itself"
is "$(hub sendensectl backup list --json | jq -r 'map(.Damaged) | join(", ")')" "false, true, true" "and sound"

# What is due, and the mark goes when the layer is what it was.
flip
answer=$(hub sendensectl backup verify --all --older-than=1d --json)
is "$(jq -r '.Jobs | length' <<<"$answer")" 2 "due: the damaged chain, and the new backup" || diag "$answer"
for JOB in $(jq -r '.Jobs[] | sub(".*/"; "")' <<<"$answer"); do is "$(wait_job)" completed "job $JOB" || diag "$(job_error)"; done
is "$(hub sendensectl backup list --json | jq -r 'map("\(.Damaged) \(has("VerifiedUSec"))") | join(", ")')" "false true, false true, false true" \
    "the marks are gone"
is "$(hub sendensectl backup verify --all --older-than=1d)" "Nothing is due." "and nothing is due"
hub mv "$image" "$image.away"
verify "$second"
is "$(wait_job)" failed "a layer that is missing"
like "$(job_error)" "^BackupDamaged: disk 2000, layer $first: the image cannot be opened: No such file" "is named"
hub mv "$image.away" "$image"
verify "$second"
is "$(wait_job)" completed "and back" || diag "$(job_error)"
ok "nothing is left" nothing_left

# A catalog that is not what was recorded leads the next backup astray.
sql() { hub mariadb -N sendense -e "$1"; }
row="(SELECT id FROM backup_jobs WHERE backup_id = '$second')"
had=$(sql "SELECT capacity_bytes FROM backup_disks WHERE job_id = $row AND disk_key = 2000")
sql "UPDATE backup_disks SET capacity_bytes = capacity_bytes + 512 WHERE job_id = $row AND disk_key = 2000"
verify "$second"
is "$(wait_job)" failed "a row of the catalog that differs"
like "$(job_error)" "^BackupDamaged: disk 2000, layer $second: catalog and record differ in capacity_bytes; the next backup of the disk is a full" "is named"
sql "UPDATE backup_disks SET capacity_bytes = $had WHERE job_id = $row AND disk_key = 2000"
verify "$second"
is "$(wait_job)" completed "and back" || diag "$(job_error)"

# Over HTTP, by the right to back up.
api() { # METHOD PATH TOKEN BODY: status and body
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -s --max-time 60 -X "$1" -H "Authorization: Bearer $3" ${4:+--data-binary "$4"} -w "\n%{http_code}" "http://127.0.0.1:8082/api/v1/$2" |
        tac | paste -sd" "' "$@"
}
hub systemctl start sendense-hub-api.socket sendense-hub-api.service
fault_baseline
work=$(hub sendensectl token create work --role=inspect --role=backup)
look=$(hub sendensectl token create look --role=inspect)
like "$(api POST "backups/$second/verify" "$look" '')" '^403 ' "who may look verifies nothing"
answer=$(api POST "backups/$second/verify" "$work" '{"chain": false, "disks": [2001]}')
like "$answer" '^202 .*"job_id": ?[0-9]+' "who may back up gets a job"
JOB=$(sed -nE 's/.*"job_id": ?([0-9]+).*/\1/p' <<<"$answer")
is "$(wait_job) $(result '[.disks[] | "\(.disk_key) \(.layers | length)"] | join(" ")')" "completed 2001 1" "of the disk and the layer that were asked for" || diag "$(job_error)"
# A key is for one request: asked again it is the same job, and another one is not begun by it.
keyed() { # BACKUP BODY KEY
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -s --max-time 60 -X POST -H "Authorization: Bearer $4" -H "Idempotency-Key: $3" --data-binary "$2" -w "\n%{http_code}" \
        "http://127.0.0.1:8082/api/v1/backups/$1" | tac | paste -sd" "' "$@" "$work"
}
answer=$(keyed "$second/verify" '{"disks": [2001]}' night-1)
like "$answer" '^202 .*"job_id": ?[0-9]+' "with a key"
JOB=$(sed -nE 's/.*"job_id": ?([0-9]+).*/\1/p' <<<"$answer")
is "$(keyed "$second/verify" '{"disks": [2001]}' night-1)" "$answer" "it is the same job again"
is "$(wait_job)" completed "which is done" || diag "$(job_error)"
is "$(keyed "$second/verify" '{"disks": [2001]}' night-1)" "$answer" "and is it still when it is over"
like "$(keyed "$second/verify" '{"disks": [2000]}' night-1)" "^422 .*idempotency_key was used for job $JOB, which was another request" "another request is refused by its key"
like "$(keyed "$first/verify" '{"disks": [2001]}' night-1)" "^422 .*another request" "and for another backup"
like "$(keyed "$second/verify" '{"disks": [2001]}' night-2)" '^202 ' "another key is another job"
is "$(wait_job $((JOB + 1)))" completed "the next one"
like "$(api POST "backups/backup-none-1/verify" "$work" '')" '^404 .*There is no backup' "a backup that is not there"

is "$(files | grep -F "/$first." | md5sum)" "$(grep -F "/$first." <<<"$before" | md5sum)" "the first backup is what it was"
done_testing
