#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What sendensectl has the hub do: each argument arrives as the hub reads it, each answer is shown, and each
# refusal names the thing and where to look.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start

run "an act without a hub" 69 repository add nas /mnt
like "$err" "the hub does not run\. Start it: systemctl start sendense-hub\.service" "cause and remedy"
peer_with_answers

# asks METHOD NAME TEXT...: the call of METHOD has each of these.
asks() {
    local method=$1 name=$2 text
    shift 2
    for text in "$@"; do
        ok "$name: the hub gets $text" grep -qF -- "$text" <<<"$(asked "$method")" || diag "$(asked "$method")"
    done
}

# Repositories.
answer AddRepository t 12
run "repository add" 0 repository add 'na s' /mnt/nas
is "$out" "repository na s has the id 12" "it says which"
is "$(asked AddRepository)" 'ssa{sv} STRING "na s"; STRING "/mnt/nas"; ARRAY "{sv}" { }; ' "name and path"
run "repository add as JSON" 0 repository add nas /mnt/nas --json
is "$(jq -c . <<<"$out")" '{"Id":12}' "for scripts"
answer RemoveRepository ''
run "repository remove" 0 repository remove nas
is "$out" "repository nas is forgotten; its folder stays as it is" "it says so"
is "$(asked RemoveRepository)" 'sa{sv} STRING "nas"; ARRAY "{sv}" { }; ' "its name"
answer CheckRepository 'a{sv}' '{"Id": 1, "Name": "nas", "State": "ok", "FreeBytes": 1024, "CheckedUSec": 1763702276000000}'
run "repository check" 0 repository check nas
is "$out" "     Id: 1
   Name: nas
  State: ok
   Free: 1.0 KiB
Checked: 2025-11-21 05:17:56" "what was found"
run "repository check as JSON" 0 repository check nas --json
is "$(jq -c . <<<"$out")" "$(jq -c .value "$answers/CheckRepository.json")" "as the bus has it"
answer CheckRepository 'a{sv}' '{"Id": 1, "Name": "nas", "State": "failed", "Error": "read-only"}'
run "repository check of a failed one" 3 repository check nas
like "$out" "^  Error: read-only\$" "why"
answer ScanRepository 'a{sv}' '{"Backups": 5, "Added": 2, "Known": 3, "Problems": [], "Strays": ["a/b.qcow2"]}'
run "repository scan" 0 repository scan nas
is "$out" "     Backups: 5
       Added: 2
Known before: 3
STRAY a/b.qcow2" "what was found"
answer ScanRepository 'a{sv}' '{"Backups": 5, "Added": 2, "Known": 2, "Problems": ["backup-x: no file"], "Strays": []}'
run "repository scan with a problem" 3 repository scan nas
like "$out" "^PROBLEM backup-x: no file\$" "which"
run "repository scan as JSON" 3 repository scan nas --json
is "$(jq -c . <<<"$out")" "$(jq -c .value "$answers/ScanRepository.json")" "as the bus has it"

# VMs.
vm=$TEST_TMP/vm.json
cat >"$vm" <<'JSON'
{"instance_uuid": "5029f3a5", "name": "Büro [1]", "path": "/dc/vm",
 "disks": [{"key": 2000, "unit_number": 0, "controller": "SCSI 0", "capacity_bytes": 4398046511104},
           {"key": 2147483647, "unit_number": 4294967295, "controller": "", "capacity_bytes": 1, "backing_uuid": "6000C29"}]}
JSON
answer SetVm s '"ctx-B-ro-1-20251121-051756"'
run "vm set" 0 vm set "$vm"
is "$out" "ctx-B-ro-1-20251121-051756" "its context"
is "$(head -4 "$answers/SetVm.call" | tr -s ' \n' ' ')" 'sssaa{sv}a{sv} STRING "5029f3a5"; STRING "Büro [1]"; STRING "/dc/vm"; ' \
    "uuid, name, path"
asks SetVm "vm set" '"Key"; VARIANT "u" { UINT32 2000' '"UnitNumber"; VARIANT "u" { UINT32 4294967295' \
    '"Controller"; VARIANT "s" { STRING "SCSI 0"' '"CapacityBytes"; VARIANT "t" { UINT64 4398046511104' \
    '"Key"; VARIANT "u" { UINT32 2147483647' '"BackingUuid"; VARIANT "s" { STRING "6000C29"'
is "$(grep -c '"BackingUuid"' "$answers/SetVm.call")" 1 "what is absent is not sent"
out=$("$ctl" vm set - --json <"$vm")
is "$(jq -c . <<<"$out")" '{"ContextId":"ctx-B-ro-1-20251121-051756"}' "from standard input, as JSON"
sed 's/4398046511104/9223372036854775807/' "$vm" >"$TEST_TMP/large.json"
run "vm set of the largest disk" 0 vm set "$TEST_TMP/large.json"
asks SetVm "the largest disk" 'UINT64 9223372036854775807'
sed 's/4398046511104/9223372036854775808/' "$vm" >"$TEST_TMP/large.json"
run "vm set of a larger one" 1 vm set "$TEST_TMP/large.json"
like "$err" "is not JSON: too big integer near '9223372036854775808'" "it says so"
# A VM with one thing changed by jq: the message that names it.
while IFS='|' read -r change text; do
    jq -c "$change" "$vm" >"$TEST_TMP/bad.json"
    run "vm set with $change" 1 vm set "$TEST_TMP/bad.json"
    is "$err" "sendensectl: $TEST_TMP/bad.json: $text" "$change: in words"
done <<'TABLE'
del(.name)|name is missing
.path = 5|path must be text
.disks = {}|disks must be a list
.disk = []|disk is no key of it; see sendensectl vm set --help
[.]|all must be an object
.disks[1] = 5|disks[1] must be an object
del(.disks[0].key)|disks[0].key is missing
.disks[0].key = 0|disks[0].key must be a number from 1 to 2147483647
.disks[0].key = 2147483648|disks[0].key must be a number from 1 to 2147483647
.disks[1].unit_number = -1|disks[1].unit_number must be a number from 0 to 4294967295
.disks[1].capacity_bytes = 0|disks[1].capacity_bytes must be a number from 1 to 9223372036854775807
.disks[1].capacity_bytes = 1.5|disks[1].capacity_bytes must be a number from 1 to 9223372036854775807
.disks[1].capacity_bytes = "1"|disks[1].capacity_bytes must be a number from 1 to 9223372036854775807
.disks[1].backing_uuid = null|disks[1].backing_uuid must be text
.disks[1].size = 1|disks[1].size is no key of it; see sendensectl vm set --help
.disks[1].key = 2000|disks[1].key is that of disks[0] too
.disks[1025] = {}|disks has more than 1024 entries
TABLE
printf '{"name": 1,\n "name": 2}' >"$TEST_TMP/bad.json"
run "vm set of no JSON" 1 vm set "$TEST_TMP/bad.json"
like "$err" "$TEST_TMP/bad\.json:2:[0-9]+: is not JSON: duplicate object key" "line and column"
run "vm set of no file" 1 vm set "$TEST_TMP/none"
like "$err" "$TEST_TMP/none: cannot be opened: No such file" "it says so"
run "vm set of a folder" 1 vm set "$TEST_TMP"
like "$err" "$TEST_TMP: cannot be read: Is a directory" "it says so"
head -c 1048577 /dev/zero >"$TEST_TMP/bad.json"
run "vm set of a large file" 1 vm set "$TEST_TMP/bad.json"
like "$err" "is larger than 1048576 bytes" "it says so"

# Backups.
answer StartBackup o '"/com/sendense/Hub1/job/7"'
run "backup start" 0 backup start web
is "$out" "job 7. Watch it: sendensectl job watch 7" "the job, and how to follow it"
is "$(asked StartBackup)" 'sa{sv} STRING "web"; ARRAY "{sv}" { }; ' "nothing but the VM"
run "backup start as JSON" 0 backup start web --json
is "$(jq -c . <<<"$out")" '{"Job":"/com/sendense/Hub1/job/7"}' "for scripts"
run "backup VM" 0 backup web
is "$out" "job 7. Watch it: sendensectl job watch 7" "the same in fewer words"
is "$(asked StartBackup)" 'sa{sv} STRING "web"; ARRAY "{sv}" { }; ' "asks for the same"
run "backup VM --full" 0 backup web --full
asks StartBackup "backup VM --full" '"type"; VARIANT "s" { STRING "full"'
run "backup start VM --incremental" 0 backup start web --incremental
asks StartBackup "backup start VM --incremental" '"type"; VARIANT "s" { STRING "incremental"'
run "backup start with all options" 0 backup start web --repository=nas --type=full --source=2000=nbd://h/a=b \
    --source=2001=nbd+unix:///?socket=/x --exclude='2002=swap only' --exclude=2003=b
asks StartBackup "backup start" '"repository"; VARIANT "s" { STRING "nas"' '"type"; VARIANT "s" { STRING "full"' \
    '"sources"; VARIANT "a{us}" { ARRAY "{us}" { DICT_ENTRY "us" { UINT32 2000; STRING "nbd://h/a=b"; }; DICT_ENTRY "us" { UINT32 2001; STRING "nbd+unix:///?socket=/x"; }; }; }' \
    '"exclude"; VARIANT "a{us}" { ARRAY "{us}" { DICT_ENTRY "us" { UINT32 2002; STRING "swap only"; }; DICT_ENTRY "us" { UINT32 2003; STRING "b"; }; }; }'
while IFS='|' read -r argument text; do
    # shellcheck disable=SC2086 # several options
    run "backup start $argument" 64 backup start web --exclude=2000=x $argument
    like "$err" "$text" "$argument: in words"
done <<'TABLE'
--type=half|--type=half: must be full or incremental
--source=2000|--source=2000: must be KEY=URI
--source==x|--source==x: '' is no key of a disk, which is a number
--exclude=02000=x|--exclude=02000=x: '02000' is no key of a disk, which is a number
--exclude=2001=|--exclude=2001=: must be KEY=REASON
--exclude=2147483648=x|'2147483648' is no key of a disk
--exclude=2000=y|--exclude=: the disk 2000 is given twice
--state=failed|backup start does not know --state
--full --incremental|exclude each other
--full --type=full|exclude each other
TABLE
answer StartBackup o '"/com/sendense/Hub1/other/7"'
run "a job that is none" 1 backup start web
like "$err" "the hub's answer cannot be read: /com/sendense/Hub1/other/7 is no job\. Compare: sendensectl version" "it says so"

# The rest.
answer CancelJob ''
answer ForgiveObligation ''
run "obligation forgive" 0 obligation forgive 3
is "$out" "obligation 3 is forgiven; what it was about stays as it is" "it says so"
is "$(asked ForgiveObligation)" 'ta{sv} UINT64 3; ARRAY "{sv}" { }; ' "its id"
run "obligation forgive of no id" 64 obligation forgive x
run "job cancel" 0 job cancel 7
is "$out" "job 7 is being cancelled. Watch it: sendensectl job watch 7" "it says so"
is "$(asked CancelJob)" 'ta{sv} UINT64 7; ARRAY "{sv}" { }; ' "its number"
answer Cleanup as '["removed backup-x", "stopped u.service"]'
run "cleanup" 0 cleanup
is "$out" $'removed backup-x\nstopped u.service' "what was undone"
run "cleanup as JSON" 0 cleanup --json
is "$(jq -c . <<<"$out")" '["removed backup-x","stopped u.service"]' "for scripts"
answer Cleanup as '[]'
run "cleanup of nothing" 0 cleanup
is "$out" "Nothing was to be undone." "it says so"

# Refusals: each names the thing in the hub's words, and where to look.
while IFS='|' read -r method arguments error status text; do
    refuse "$method" "$error" "There is no x."
    # shellcheck disable=SC2086 # several arguments
    run "$error of $method" "$status" $arguments
    like "$err" "^sendensectl: $text\$" "$error of $method: in words"
    is "$out" "" "$error of $method: nothing else"
done <<'TABLE'
GetVm|vm show x|com.sendense.Error.NotFound|1|the hub refuses: There is no x\. List the VMs: sendensectl vm list
GetJob|job show 7|com.sendense.Error.NotFound|1|the hub refuses: There is no x\. List the jobs: sendensectl job list
GetJob|job watch 7|com.sendense.Error.NotFound|1|the hub refuses: There is no x\. List the jobs: sendensectl job list
CancelJob|job cancel 7|com.sendense.Error.NotFound|1|the hub refuses: There is no x\. List the jobs: sendensectl job list
CheckRepository|repository check x|com.sendense.Error.NotFound|1|the hub refuses: There is no x\. List the repositories: sendensectl repository list
StartBackup|backup start x|com.sendense.Error.NotFound|1|the hub refuses: There is no x\. List what there is: .*vm list; .*repository list
StartBackup|backup start x|com.sendense.Error.VmBusy|1|the hub refuses: There is no x\. List the jobs: sendensectl job list
StartBackup|backup start x|com.sendense.Error.RepositoryMissing|1|the hub refuses: There is no x
ListPorts|port list|com.sendense.Error.DatabaseUnavailable|1|the hub is without its database: There is no x\. Look at it: systemctl status mariadb\.service; .*database probe
ListVms|vm list|com.sendense.Error.SchemaMismatch|1|the hub and its database do not fit: There is no x\. Compare: sendensectl version
Cleanup|cleanup|org.freedesktop.DBus.Error.AccessDenied|77|There is no x\. Be root, or get the right from polkit: see SECURITY in sendensectl\(1\)
ListObligations|obligation list|org.freedesktop.DBus.Error.UnknownMethod|1|the running hub is of another version: There is no x\. Compare: sendensectl version
TABLE
done_testing
