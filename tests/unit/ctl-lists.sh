#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What sendensectl lists and shows: tables for people, the bus's own values as JSON, the options that reach
# the hub, and what it makes of answers that no healthy hub gives.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=Europe/Berlin
ctl_bus_start
peer_with_answers

# json_is METHOD NAME ARGUMENT...: with --json, sendensectl prints the value that METHOD is answered with.
json_is() {
    local method=$1 name=$2
    shift 2
    run "$name as JSON" 0 "$@" --json
    is "$(jq -cS . <<<"$out")" "$(jq -cS .value "$answers/$method.json")" "$name: as the bus has it"
}

# Repositories.
answer ListRepositories 'aa{sv}' '[
  {"Id": 1, "Name": "default", "Path": "/var/lib/sendense/repository", "State": "ok", "SizeBytes": 107374182400,
   "FreeBytes": 5368709120, "CheckedUSec": 1763702276000000, "Backups": 3, "CreatedUSec": 1763702000000000},
  {"Id": 12, "Name": "1", "Path": "/mnt/b", "State": "failed", "Error": "not mounted", "Backups": 0}]'
run "repository list" 0 repository list
is "$out" "ID  NAME     STATE      FREE       SIZE  BACKUPS  CHECKED              PATH
 1  default  ok      5.0 GiB  100.0 GiB        3  2025-11-21 06:17:56  /var/lib/sendense/repository
12  1        failed        -          -        0  -                    /mnt/b
1: not mounted" "sizes, local times, what is not known, and what is wrong"
is "$(asked ListRepositories)" 'a{sv} ARRAY "{sv}" { }; ' "asked without options"
json_is ListRepositories "repository list" repository list
run "repository show" 0 repository show default
like "$out" "^ +Free: 5\.0 GiB\$" "fields"
unlike "$out" "Error" "without those that are absent"
run "repository show by id" 0 repository show 12
like "$out" "^ +Path: /mnt/b\$" "the other one"
run "a name that is another one's id" 0 repository show 1
like "$out" "^ +Id: 12\$" "the name wins"
run "repository show as JSON" 0 repository show 12 --json
is "$(jq -c . <<<"$out")" "$(jq -c '.value[1]' "$answers/ListRepositories.json")" "as the bus has it"
run "a repository that is none" 1 repository show other
is "$err" "sendensectl: there is no repository 'other'. List the repositories: sendensectl repository list" "what and where"

# VMs, page by page.
answer ListVms 'aa{sv}' '[{"Id": 2, "ContextId": "ctx-web-20251121-051756", "InstanceUuid": "5029", "Name": "web [1]",
  "Path": "/dc/vm/web", "Disks": 2, "LastBackup": "backup-web-1763702276", "LastBackupUSec": 1763702276000000,
  "CreatedUSec": 1763702000000000}]'
run "vm list" 0 vm list
like "$out" "^web \[1\] +- +ctx-web-20251121-051756 +2  2025-11-21 06:17:56  5029 +/dc/vm/web\$" "a line for each"
like "$(asked ListVms)" 'STRING "limit"; VARIANT "u" \{ UINT32 1000;' "the hub is asked for all it may give"
json_is ListVms "vm list" vm list
jq -n '{signature: "aa{sv}", value: [range(1000; 0; -1) | {Id: ., Name: "n\(.)"}]}' | answer_file ListVms
"$ctl" vm list --json >"$TEST_TMP/out" 2>"$TEST_TMP/err"
is "$?" 1 "a hub that gives the same page again: exit status 1"
like "$(<"$TEST_TMP/err")" "the hub's list of VMs has no order" "it says so"
like "$(asked ListVms)" 'STRING "after"; VARIANT "t" \{ UINT64 1;' "the second page is what is older than the first"
answer GetVm 'a{sv}' '{"Id": 2, "ContextId": "ctx-web-1", "InstanceUuid": "5029", "Name": "web", "Path": "/dc/vm/web",
  "Disks": [{"Id": 1, "Key": 2000, "UnitNumber": 0, "Controller": "SCSI 0", "CapacityBytes": 42949672960, "ChangeId": "52/4"},
            {"Id": 2, "Key": 2001, "UnitNumber": 1, "Controller": "SCSI 0", "CapacityBytes": 1023}]}'
run "vm show" 0 vm show web
like "$out" "^2000  SCSI 0 +0  40\.0 GiB  - +52/4\$" "a disk"
like "$out" "^2001  SCSI 0 +1 +1023 B  - +-\$" "another one"
like "$(asked GetVm)" 'STRING "web"; ARRAY "\{sv\}" \{ \}' "asked by its name"
json_is GetVm "vm show" vm show web

# Jobs.
answer ListJobs 'aa{sv}' '[
  {"Id": 8, "Type": "backup", "State": "copying", "Ending": "cancelled", "Vm": "web", "BackupId": "backup-web-2",
   "CreatedUSec": 1763702276000000, "StartedUSec": 1763702277000000, "BytesDone": 1, "BytesTotal": 3, "Attempt": 1},
  {"Id": 6, "Type": "backup", "State": "completed", "Vm": "web", "BackupId": "backup-web-0",
   "CreatedUSec": 1763702276000000, "StartedUSec": 1763702277000000, "FinishedUSec": 1763702281000000, "Attempt": 1},
  {"Id": 7, "Type": "backup", "State": "failed", "Vm": "web", "BackupId": "backup-web-1", "ErrorText": "disk full",
   "CreatedUSec": 1763702276000000, "StartedUSec": 1763702277000000, "FinishedUSec": 1763710000000000, "Attempt": 1}]'
run "job list" 0 job list
like "$out" "^ 8  backup  web  copying, then cancelled +33 %  2025-11-21 06:17:56 .* backup-web-2  -\$" "how far, and where to"
like "$out" "^ 6  backup  web  completed +100 %  2025-11-21 06:17:56 +4 s  backup-web-0  -\$" "all of it"
like "$out" "^ 7  backup  web  failed +-  2025-11-21 06:17:56 +2 h 8 min  backup-web-1  disk full\$" "how long, and why"
is "$(asked ListJobs)" 'a{sv} ARRAY "{sv}" { DICT_ENTRY "sv" { STRING "limit"; VARIANT "u" { UINT32 100; }; }; }; ' \
    "asked for the newest 100"
json_is ListJobs "job list" job list
run "job list with options" 0 job list --state=failed --vm='a b' --limit=3
for text in '"state"; VARIANT "s" { STRING "failed"' '"vm"; VARIANT "s" { STRING "a b"' '"limit"; VARIANT "u" { UINT32 3'; do
    ok "the hub gets $text" grep -qF "$text" <<<"$(asked ListJobs)"
done
like "$out" "^These are the newest 3; --limit= shows more\.\$" "a list that may be longer says so"
answer ListJobs 'aa{sv}' '[]'
run "no jobs" 0 job list
is "$out" "There is no such job." "it says so"
json_is ListJobs "no jobs" job list
answer GetJob 'a{sv}' '{"Id": 7, "Type": "backup", "State": "failed", "Vm": "web", "BackupId": "backup-web-1", "Repository": "default",
  "ErrorName": "com.sendense.Error.CopyFailed", "ErrorText": "disk 2000: source is gone", "Attempt": 2,
  "Disks": [{"Key": 2000, "State": "failed", "BackupType": "full", "Reason": "the first one", "CapacityBytes": 1048576,
             "BytesDone": 524288, "Port": 10100, "ProcessId": 4711, "Error": "gone", "File": "web/2000/b.qcow2"}],
  "Events": [{"Id": 1, "AtUSec": 1763702276000000, "Principal": "uid:0", "From": "copying", "To": "failed", "Reason": "gone"}]}'
run "job show" 0 job show 7
like "$out" "^ +Error: disk 2000: source is gone\$" "why"
like "$out" "^2000  failed  full +1\.0 MiB  512\.0 KiB +10100 +4711  the first one  gone   web/2000/b.qcow2\$" "a disk"
like "$out" "^2025-11-21 06:17:56  copying  failed  uid:0  gone\$" "its history"
like "$(asked GetJob)" 'UINT64 7; ARRAY' "asked by its number"
json_is GetJob "job show" job show 7
answer GetBackup 'a{sv}' '{"Id": 7, "Type": "backup", "State": "completed", "Vm": "web", "BackupId": "backup-web-1", "Node": "edge1",
  "Disks": [{"Key": 2000, "State": "completed", "BackupType": "full", "CapacityBytes": 1048576, "SizeBytes": 4096, "File": "web/2000/b.qcow2"}]}'
run "backup show" 0 backup show backup-web-1
like "$out" "^ +Node: edge1\$" "who copied it"
like "$out" "^DISK  STATE      READ AS  CAPACITY     SIZE  FILE\$" "without columns that say nothing"
like "$out" "^2000  completed  full +1\.0 MiB  4\.0 KiB  web/2000/b.qcow2\$" "where a disk is"
like "$(asked GetBackup)" 'STRING "backup-web-1"; ARRAY' "asked by its id"
json_is GetBackup "backup show" backup show backup-web-1

# Backups, ports, obligations.
answer ListBackups 'aa{sv}' '[{"BackupId": "backup-web-1", "Job": 7, "Vm": "web", "Repository": "default", "BackupType": "full",
  "FinishedUSec": 1763702276000000, "Disks": 2, "SizeBytes": 1610612736}]'
run "backup list" 0 backup list
like "$out" "^backup-web-1  web  full +2  1\.5 GiB  2025-11-21 06:17:56 +7  default +-\$" "a line for each"
json_is ListBackups "backup list" backup list
run "backup list of a VM in a repository" 0 backup list web --repository=nas --limit=1000
for text in '"vm"; VARIANT "s" { STRING "web"' '"repository"; VARIANT "s" { STRING "nas"' '"limit"; VARIANT "u" { UINT32 1000'; do
    ok "the hub gets $text" grep -qF "$text" <<<"$(asked ListBackups)"
done
answer ListPorts 'aa{sv}' '[{"Port": 10100, "Job": 7, "DiskKey": 2000, "ExportName": "e", "Unit": "u.service", "ProcessId": 9,
  "LeasedUSec": 1763702276000000}]'
run "port list" 0 port list
like "$out" "^10100 +7  2000 +9  2025-11-21 06:17:56  e +u\.service\$" "a line for each"
json_is ListPorts "port list" port list
answer ListObligations 'aa{sv}' '[{"Id": 3, "Kind": "files", "Subject": "backup-web-1", "Job": 7, "Attempts": 4,
  "CreatedUSec": 1763702276000000, "NextAttemptUSec": 1763702336000000, "Error": "busy"}]'
run "obligation list" 0 obligation list
like "$out" "^ 3    7  files  2025-11-21 06:17:56      4  2025-11-21 06:18:56  backup-web-1  busy\$" "a line for each"
json_is ListObligations "obligation list" obligation list
answer ListObligations 'aa{sv}' '[{"Id": 3, "Kind": "files", "Job": 7, "State": "owed"}, {"Id": 4, "Kind": "units", "Job": 8, "State": "running"},
  {"Id": 5, "Kind": "files", "Job": 8, "State": "running"}]'
run "obligation list beside a job that runs" 0 obligation list
is "$(awk 'NR > 1' <<<"$out" | sed 's/  .*//; s/^ //')" $'3\nJobs that run will undo 2 more at their end: --json has them.' \
    "only what is owed is a line" || diag "$out"
json_is ListObligations "both kinds" obligation list
answer ListObligations 'aa{sv}' '[{"Id": 4, "Kind": "units", "Job": 8, "State": "running"}]'
run "obligation list of nothing but that" 0 obligation list
is "$out" $'Nothing is to be undone.\nJobs that run will undo 1 more at their end: --json has them.' "it says so"

# Numbers at their ends, and types that none of these keys has.
answer ListPorts 'aa{sv}' '[{"Port": {"@s": "x"}, "Job": {"@t": 9223372036854775807}, "DiskKey": {"@u": 4294967295},
  "ExportName": {"@as": ["a"]}, "Unit": {"@d": 0.25}, "ProcessId": {"@b": true}, "LeasedUSec": {"@t": 9223372036854775807}}]'
run "wrong types" 0 port list
like "$out" "^ +\? +9223372036854775807  4294967295 +\? .* \? +\?\$" "what cannot be shown is a question mark"
run "wrong types as JSON" 0 port list --json
is "$(jq -c '.[0] | [.Port, .DiskKey, .ExportName, .Unit, .ProcessId]' <<<"$out")" '["x",4294967295,["a"],0.25,true]' \
    "as they are"
like "$out" '"Job": 9223372036854775807,' "the largest number too, which jq would round"
answer ListPorts 'aa{sv}' '[{"Job": {"@t": -1}}]'
run "a number that JSON cannot hold" 1 port list --json
like "$err" "the hub's answer cannot be read: Numerical result out of range\. Compare: sendensectl version" "it says so"
answer ListPorts 'a{sv}' '{}'
run "an answer of another type" 1 port list
like "$err" "the hub's answer cannot be read: it is of the type 'a\{sv\}', not 'aa\{sv\}'\. Compare" "it says so"
printf '{"signature": "aa{sv}", "value": [{"A": %s1%s}]}' "$(printf '[{"A":%.0s' {1..6})" "$(printf '}]%.0s' {1..6})" |
    answer_file ListPorts
run "an answer without a bottom" 1 port list
like "$err" "cannot be read: Operation not supported" "it says so"

# Text that a terminal would obey: ESC, CSI in one byte, DEL, a line that pretends to be another, writing from right to left.
hostile=$'a\e[31m\u009b31m\x7f\r\n\u202eb\u2028'
jq -n --arg t "$hostile" '{signature: "aa{sv}", value: [{Id: 1, Name: $t, State: $t, Path: $t, Error: $t}]}' |
    answer_file ListRepositories
for verb in "repository list" "repository show 1"; do
    # shellcheck disable=SC2086 # several arguments
    run "$verb with hostile text" 0 $verb
    is "$(tr -d '\n' <<<"$out" | LC_ALL=C grep -cE $'[\x01-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]')" 0 \
        "$verb: no byte of it reaches a terminal" || diag "$(cat -v <<<"$out")"
    like "$out" 'a\?\[31m\?31m\?\?\?\?b\?' "$verb: what can be read is there"
done
run "hostile text as JSON" 0 repository list --json
is "$(jq -r '.[0].Name' <<<"$out")" "$hostile" "the value is untouched"
is "$(LC_ALL=C grep -cE $'[\x01-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]' <<<"$out")" 0 "its bytes are escaped"
refuse ListRepositories com.sendense.Error.Failed "$hostile"
run "hostile text in a refusal" 1 repository list
is "$err" "sendensectl: the hub refuses: a?[31m?31m????b?" "in one line, without what a terminal obeys"
jq -n '{signature: "aa{sv}", value: [{Id: 1, Name: ("x" * 1048576), Error: ("é" * 524288)}]}' | answer_file ListRepositories
run "1 MiB of text" 0 repository list
ok "is cut for people" test "${#out}" -lt 10000
like "$out" 'x\.\.\.' "and says so"
json_is ListRepositories "1 MiB of text" repository list

# Words that cannot be meant.
while IFS='|' read -r arguments text; do
    # shellcheck disable=SC2086 # several arguments
    run "'$arguments'" 64 $arguments
    like "$err" "$text" "'$arguments': in words"
done <<'TABLE'
job show seven|'seven' is no id of a job, which is a number\. List the jobs: sendensectl job list
job show 0|'0' is no id of a job
job watch -- -1|'-1' is no id of a job
job list --state=done|--state=done: must be one of queued, preparing, .*, cancelled$
job list --limit=0|--limit=0: must be a number from 1 to 1000
backup list --limit=1001|--limit=1001: must be a number from 1 to 1000
repository|'repository' is no verb; did you mean 'repository list'
repository add x|repository add needs NAME PATH
vm show|vm show needs VM
TABLE
run "a name that is no text" 64 vm show $'\xff'
like "$err" "an argument cannot be sent: it is not UTF-8 text" "it says so"
done_testing
