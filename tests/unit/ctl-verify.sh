#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl backup verify: what it asks the hub for, and what is shown of a backup that is damaged.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers
answer VerifyBackup o '"/com/sendense/Hub1/job/9"'
run "backup verify" 0 backup verify backup-web-1
is "$out" "job 9. Watch it: sendensectl job watch 9" "the job, and how to follow it"
is "$(asked VerifyBackup)" 'sa{sv} STRING "backup-web-1"; ARRAY "{sv}" { }; ' "nothing but the backup"
run "backup verify as JSON" 0 backup verify backup-web-1 --json
is "$(jq -c . <<<"$out")" '{"Job":"/com/sendense/Hub1/job/9"}' "for scripts"
run "without the layers below" 0 backup verify backup-web-1 --no-chain
like "$(asked VerifyBackup)" '"chain"; VARIANT "b" \{ BOOLEAN false' "the option goes to the hub"
answer VerifyAll ao '["/com/sendense/Hub1/job/9", "/com/sendense/Hub1/job/10"]'
run "all that are due" 0 backup verify --all
is "$out" "2 jobs. List them: sendensectl job list" "how many"
is "$(asked VerifyAll)" 'a{sv} ARRAY "{sv}" { }; ' "whatever they are of"
run "for a timer" 0 backup verify --all --older-than=7d --vm=web --repository=nas --json
is "$(jq -c . <<<"$out")" '{"Jobs":["/com/sendense/Hub1/job/9","/com/sendense/Hub1/job/10"]}' "for scripts"
for text in '"older_than_usec"; VARIANT "t" { UINT64 604800000000' '"vm"; VARIANT "s" { STRING "web"' '"repository"; VARIANT "s" { STRING "nas"'; do
    ok "the hub gets $text" grep -qF "$text" <<<"$(asked VerifyAll)"
done
answer VerifyAll ao '[]'
run "when none is" 0 backup verify --all --older-than=1d
is "$out" "Nothing is due." "it says so"
while IFS='|' read -r arguments text; do
    # shellcheck disable=SC2086 # arguments are words
    run "backup verify $arguments" 64 backup verify $arguments
    like "$err" "$text" "$arguments: in words"
done <<'TABLE'
|wants a backup, or --all
x --all|wants a backup, or --all
--all --wait|--no-chain and --wait are for one backup
--all --no-chain|--no-chain and --wait are for one backup
x --older-than=7d|go with --all
x --vm=web|go with --all
--all --older-than=soon|--older-than=soon: must be a time, such as 7d
--all --older-than=0|must be a time
TABLE
refuse VerifyBackup com.sendense.Error.NotFound "There is no x"
run "a backup that is none" 1 backup verify x
like "$err" 'There is no x\. List the backups: sendensectl backup list' "and where to look"
answer VerifyBackup o '"/com/sendense/Hub1/other/7"'
run "a job that is none" 1 backup verify x
like "$err" "/com/sendense/Hub1/other/7 is no job" "it says so"

answer ListBackups 'aa{sv}' '[{"BackupId": "backup-web-2", "Job": 8, "Vm": "web", "Disks": 1, "SizeBytes": 1, "Repository": "nas", "Damaged": true,
  "VerifiedUSec": 1763702276000000}, {"BackupId": "backup-web-1", "Job": 7, "Vm": "web", "Disks": 1, "SizeBytes": 1, "Repository": "nas",
  "Damaged": false, "VerifiedUSec": 1763702276000000}]'
run "the list" 0 backup list
like "$out" "^backup-web-2 .* nas +DAMAGED\$" "shows damage"
like "$out" "^backup-web-1 .* nas +2025-11-21 05:17:56\$" "and when a backup was read back"
answer GetBackup 'a{sv}' '{"Id": 7, "Type": "backup", "State": "completed", "Vm": "web", "BackupId": "backup-web-1", "Damaged": true,
  "Problems": ["disk 2000, layer backup-web-0: block 3 is not what was backed up"],
  "Disks": [{"Key": 2000, "State": "completed", "VerifiedUSec": 1763702276000000}]}'
run "one of them" 0 backup show backup-web-1
like "$out" "^DAMAGED:\$" "says that it is damaged"
like "$out" "^  disk 2000, layer backup-web-0: block 3 is not what was backed up\$" "and what was found"
like "$out" "^2000  completed .* 2025-11-21 05:17:56( |\$)" "and when a disk was read back"
done_testing
