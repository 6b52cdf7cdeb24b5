#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Jobs in the store: their life from the request to the end, what a repeated or a late transaction does,
# how disks are planned and kept apart, and leases and obligations on the way.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
boot=00000000000000000000000000000001
invocation=00000000000000000000000000000002
store_do vm_set "$(vm_json pgtest1 1)"
like "$(got .ContextId)" '^ctx-pgtest1-20231114-221320$' "a VM is entered"
store_do vm_set "$(vm_json pgtest2 2)"

# Made.
request=$(create_json pgtest1 1 1700000000 '{"Exclude":{"2001":"scratch"}}')
store_do job_create "$request"
is "$(got '[.Id, .State, .BackupId, .BackupType, .Vm, .Repository, .Attempt] | @csv')" \
    '1,"queued","backup-pgtest1-1700000000","full","pgtest1","local",1' "a job is made; none of its disks has a layer to stand on, so it is a full"
is "$(got '.Disks | map([.Key, .State, .BackupType, .Reason]) | tojson')" \
    '[[2000,"pending","full","there is no backup of this disk in this repository yet"],[2001,"excluded","full","scratch"]]' \
    "its disks are planned; the excluded one says why"
first=$answer
before=$(rows_dump)
store_do job_create "$request"
is "$answer" "$first" "the same request again gives the same job"
is "$(rows_dump)" "$before" "and changes nothing"
store_do job_create "$(create_json pgtest1 2 1700000001)"
refused EBUSY 'VmBusy Job 1 of this VM is queued' "a second job of this VM is refused, and names the first"
store_do job_create "$(create_json pgtest1 2 1700000000)"
refused EBUSY 'VmBusy Job 1' "in the same second too, in which its backup's name is taken as well"
is "$(rows_dump)" "$before" "a refused job leaves nothing"

# Advanced: each transaction, its repeat, and one that comes late.
advance() { # NAME FROM TO EVENT [JSON]
    local after
    step 1 "$2" "$3" "$4" "${5:-}"
    is "$answer" "{}" "$1"
    after=$(rows_dump)
    step 1 "$2" "$3" "$4" "${5:-}"
    is "$answer$(rows_dump)" "{}$after" "$1: sent again it changes nothing"
    [ "$2" != "$3" ] || return 0
    step 1 "$2" "$3" "$((0x1000 + $4))" "${5:-}"
    refused ESTALE . "$1: under another event it is late"
    is "$(rows_dump)" "$after" "$1: and leaves nothing"
}
advance "to preparing" queued preparing 16 '{"StartedUSec":1700000001000000,
    "Obligations":[{"Kind":"units","Subject":"sendense-jobs-1.slice"},{"Kind":"files","Subject":"u/2000"}]}'
store_do obligation_list
is "$(got '.Obligations | map([.Kind, .Subject, .Job, .State, .DiskKeys, .Attempts]) | tojson')" \
    '[["units","sendense-jobs-1.slice",1,"preparing",[2000],0],["files","u/2000",1,"preparing",[2000],0]]' \
    "what is owed was written down with the step"
disk=$(rows "SELECT id FROM backup_disks WHERE job_id = 1 AND disk_key = 2000")
step 1 preparing exporting 17 '{"DiskState":"exporting"}'
is "$(got .error)" EINVAL "a disk cannot be exported without a file"
advance "to exporting" preparing exporting 17 \
    "{\"DiskState\":\"exporting\",\"Disks\":[{\"Id\":$disk,\"File\":\"u/2000/backup-pgtest1-1700000000.qcow2\"}]}"
lease="{\"Job\":1,\"NowUSec\":5,\"Leases\":[{\"DiskId\":$disk,\"Port\":10100,\"ExportName\":\"e1\",\"Unit\":\"u1.service\",\"BootId\":\"$boot\"}]}"
store_do lease_take "$lease"
store_do lease_set_invocation "{\"Job\":1,\"Port\":10100,\"InvocationId\":\"$invocation\"}"
advance "to copying" exporting copying 18 "{\"DiskState\":\"copying\",\"Unit\":\"sendense-import-1.service\",\"BootId\":\"$boot\",
    \"Disks\":[{\"Id\":$disk,\"Unit\":\"u1.service\",\"BootId\":\"$boot\",\"InvocationId\":\"$invocation\"}]}"
advance "on the way" copying copying 19 "{\"Unit\":\"sendense-import-1.service\",\"BootId\":\"$boot\",\"InvocationId\":\"$invocation\"}"
store_do job_load_open
is "$(got '.Jobs[0] | [.Id, .State, .Unit, .InvocationId, .BootId, .InstanceUuid, .RepositoryPath, (.Obligations | length)] | @csv')" \
    "1,\"copying\",\"sendense-import-1.service\",\"$invocation\",\"$boot\",\"50000000-0000-0000-0000-000000000001\",\"/var/lib/sendense/repository\",2" \
    "an open job has all that its runner needs"
is "$(got '.Jobs[0].Disks | map([.Key, .UnitNumber, .State, .Port, .ExportName, .Unit, .LeaseInvocationId, .LeaseBootId]) | tojson')" \
    "[[2000,0,\"copying\",10100,\"e1\",\"u1.service\",\"$invocation\",\"$boot\"],[2001,0,\"excluded\",null,null,null,null,null]]" \
    "so have its disks"
store_do job_load_open '{"Id":1}'
is "$(got '.Jobs | map([.Id, .State, (.Disks | length)]) | tojson')" '[[1,"copying",2]]' "and alone it is told the same"
store_do job_load_open '{"Id":99}'
is "$(got .error)" ENODATA "one that is not there is told"
step 1 copying copying 20 "{\"Unit\":\"sendense-import-2.service\",\"BootId\":\"$boot\"}"
is "$(rows 'SELECT unit, invocation_id FROM backup_jobs WHERE id = 1')" "sendense-import-2.service NULL" \
    "another unit does not inherit the invocation of the one before"
advance "to finishing" copying finishing 21 '{"DiskState":"checked","VmState":{"hardware":{"cpus":2}}}'
is "$(rows 'SELECT vm_state FROM backup_jobs WHERE id = 1')" '{"hardware":{"cpus":2}}' "what the VM was is kept for its record"
rows "UPDATE backup_disks SET change_id = '52 de ad/7' WHERE id = $disk"
advance "to completed" finishing completed 22 \
    "{\"DiskState\":\"completed\",\"Disks\":[{\"Id\":$disk,\"SizeBytes\":65536,\"StoredBytes\":4096}],\"FinishedUSec\":1700000009000000,\"ChangeIds\":true,\"ObligationsDone\":[\"units\",\"files\"]}"
is "$(rows 'SELECT vm_state IS NULL FROM backup_jobs WHERE id = 1')" 1 "and no longer"
store_do job_load_open
is "$(got '.Jobs | length')" 0 "no job is open"
store_do job_load_open '{"Id":1}'
is "$(got '.Jobs | map(.State) | tojson')" '["completed"]' "by its id it is told how it ended"
store_do obligation_list
is "$(got '.Obligations | length')" 0 "nothing is owed any more"
is "$(rows "SELECT disk_key, change_id FROM vm_disks WHERE vm_context_id = 1 ORDER BY 1")" $'2000 52 de ad/7\n2001 NULL' \
    "the change ids of its disks are the VM's"
store_do job_get '{"Id":1}'
is "$(got '[.Events[] | "\(.From // "-")>\(.To)"] | join(" ")')" \
    "->queued queued>preparing preparing>exporting exporting>copying copying>copying copying>copying copying>finishing finishing>completed" \
    "its history has each change once"
is "$(got '.Disks | map([.Key, .State, .File, .SizeBytes]) | tojson')" \
    '[[2000,"completed","u/2000/backup-pgtest1-1700000000.qcow2",4096],[2001,"excluded",null,null]]' "the excluded disk stayed so, and the other is as large as what it takes up"
is "$(rows "SELECT size_bytes FROM backup_disks WHERE id = $disk")" 65536 "whatever its length"
store_do job_get '{"Id":99}'
refused ENOENT 'NotFound There is no job 99' "a job that is not there is told"
store_do lease_free '{"Job":1}'
store_do lease_list
is "$(got '.Leases | length')" 0 "its port is free"

# Decided: the end that was chosen first counts.
store_do job_create "$(create_json pgtest2 40 1700000050)"
id=$(got .Id)
store_do job_create "$(create_json pgtest1 41 1700000050 '{"BackupType":"full"}')"
other=$(got .Id)
decide() { # EVENT FROM ENDING [TEXT]
    store_do job_decide "$(jq -cn --argjson id "$id" --arg event "$(event "$1")" --arg from "$2" --arg ending "$3" --arg text "${4:-why}" \
        '{Id: $id, From: $from, Ending: $ending, ErrorName: "com.sendense.Error.CopyFailed", ErrorText: $text,
        Reason: $text, EventId: $event, Principal: "hub", NowUSec: 1700000060000000}')"
}
decide 50 copying failed
refused ESTALE . "an end decided for a state that is not"
decide 51 queued failed "$(printf 'x%.0s' {1..3000})"
is "$answer" "{}" "an end is decided, whatever length its reason has"
is "$(rows "SELECT state, ending, CHAR_LENGTH(error_text) FROM backup_jobs WHERE id = $id")" "queued failed 2048" "and written down"
after=$(rows_dump)
decide 51 queued failed
is "$answer$(rows_dump)" "{}$after" "again: nothing changes"
decide 52 queued cancelled
refused ESTALE . "the second decision is late"
step "$id" queued preparing 53
refused ESTALE . "a job that is to end does not go on"
step "$id" queued cancelled 54 '{"FinishedUSec":5}'
is "$(got .error)" EINVAL "nor does it end in another way than was decided"
step "$id" queued failed 55 '{"FinishedUSec":5,"DiskState":"failed"}'
is "$answer" "{}" "it ends as was decided"
store_do job_list '{}'
is "$(got '.Jobs | map([.Id, .State, .Ending // ""]) | tojson')" "[[$other,\"queued\",\"\"],[$id,\"failed\",\"failed\"],[1,\"completed\",\"\"]]" "lists are newest first"
store_do job_create "$(create_json pgtest2 56 1700000070)"
is "$(got .State)" queued "the VM is free for the next"

# An end that was decided too late: the commit record exists already.
id=$(got .Id)
step "$id" queued preparing 60
disks=$(rows "SELECT JSON_ARRAYAGG(JSON_OBJECT('Id', id, 'File', CONCAT('v/', disk_key, '/x.qcow2'))) FROM backup_disks WHERE job_id = $id")
step "$id" preparing exporting 61 "{\"Disks\":$disks,\"DiskState\":\"exporting\"}"
step "$id" exporting copying 62 '{"DiskState":"copying"}'
step "$id" copying finishing 63 '{"DiskState":"copied"}'
decide 64 finishing cancelled
step "$id" finishing completed 65 '{"DiskState":"completed","FinishedUSec":6}'
is "$(rows "SELECT state, ending, error_name FROM backup_jobs WHERE id = $id")" "completed NULL NULL" \
    "a backup that is committed is complete, whatever was decided meanwhile"
is "$(rows "SELECT COUNT(DISTINCT disk_key), COUNT(DISTINCT file_path) FROM backup_disks WHERE job_id = $id")" "2 2" \
    "two disks with unit number 0 have two keys and two files"

# Sent again over another connection while the first commit is under way, as after a time limit: it waits for that, and is done.
store_do job_create "$(create_json pgtest2 66 1700000072)"
id=$(got .Id)
coproc first { mariadb_as_nobody "$SENDENSE_BUILD/tests/sql/store-run" "$TEST_TMP/hub.conf" 2>&1; }
at_end 'kill "$first_PID" 2>/dev/null || :'
exec 8>&"${first[1]}" 7<&"${first[0]}"
first_says() { printf '%s\n' "$1" >&8 && read -r -t 30 answer <&7; }
# Not information_schema.innodb_trx: that is a cache, which asking more often than ten times a second keeps as it is.
waits_for_lock() { [ "$(mariadb_sql -e "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'" | cut -f2)" = 1 ]; }
sent_twice() { # NAME FUNCTION JSON
    first_says "hold $2 $3"
    is "$answer" "{}" "$1 is sent, and its commit takes its time"
    mariadb_as_nobody "$SENDENSE_BUILD/tests/sql/store-run" "$TEST_TMP/hub.conf" <<<"$2 $3" >"$TEST_TMP/second" 2>&1 8>&- 7<&- &
    second=$!
    ok "$1: the second waits for the first" eventually 60 waits_for_lock
    first_says commit
    is "$answer" committed "$1: the first is through"
    wait "$second"
    is "$(<"$TEST_TMP/second")" "{}" "$1: the second finds it done, and is not refused"
}
json() { jq -cn --argjson id "$id" --arg event "$(event "$1")" --argjson more "$2" \
    '{Id: $id, From: "queued", EventId: $event, Principal: "hub", Reason: "why", NowUSec: 1700000073000000} + $more'; }
sent_twice "a change of state" job_advance "$(json 67 '{"To":"queued"}')"
sent_twice "a decision" job_decide "$(json 68 '{"Ending":"failed","ErrorName":"com.sendense.Error.CopyFailed","ErrorText":"why"}')"
exec 8>&- 7<&-
is "$(rows "SELECT COUNT(*) FROM job_events WHERE job_id = $id")" 3 "each of them is written once"
step "$id" queued failed 69 '{"FinishedUSec":5,"DiskState":"failed"}'

# A job whose row cannot be read, as one with what a node told at great length: the others are loaded, and it is named.
store_do job_create "$(create_json pgtest2 75 1700000075)"
long=$(got .Id)
rows "UPDATE backup_jobs SET vm_state = CONCAT('{\"hardware\":\"', REPEAT('x', 1048576), '\"}') WHERE id = $long"
store_do job_load_open
is "$(got '[([.Jobs[].Id] | tojson), (.Unreadable | map([.Id, .Error]) | tojson)] | join(" ")')" "[$other] [[$long,\"E2BIG\"]]" \
    "one job that cannot be read does not keep the others from being loaded"
store_do job_load_open "{\"Id\":$long}"
is "$(got .error)" E2BIG "asked for alone it is refused"
rows "UPDATE backup_jobs SET vm_state = NULL WHERE id = $long"
store_do job_load_open
is "$(got '[.Jobs[].Id, (.Unreadable | length)] | tojson')" "[$other,$long,0]" "when its row is mended it is one like any other"
step "$long" queued cancelled 76 '{"FinishedUSec":5,"DiskState":"cancelled"}'

# Leases.
pair() { # PORT-OF-FIRST PORT-OF-SECOND [NAME]
    local ids
    mapfile -t ids < <(rows "SELECT id FROM backup_disks WHERE job_id = $other ORDER BY disk_key")
    store_do lease_take "$(jq -cn --argjson job "$other" --argjson a "${ids[0]}" --argjson b "${ids[1]}" --arg boot $boot --arg n "${3:-n}" \
        --argjson p "$1" --argjson q "$2" '{Job: $job, NowUSec: 5, Leases: [{DiskId: $a, Port: $p, ExportName: "\($n)a", Unit: "a.service", BootId: $boot},
        {DiskId: $b, Port: $q, ExportName: "\($n)b", Unit: "b.service", BootId: $boot}]}')"
}
leases() { rows 'SELECT port, export_name FROM port_leases ORDER BY port' | paste -sd' '; }
pair 10100 10101
is "$answer $(leases)" "{} 10100 na 10101 nb" "two ports are leased"
pair 10101 10100
is "$answer $(leases)" "{} 10100 nb 10101 na" "two disks can change their ports"
store_do job_create "$(create_json pgtest2 70 1700000080)"
held=$(got '.Disks[0].Id')
store_do lease_take "{\"Job\":$(got .Id),\"NowUSec\":5,\"Leases\":[{\"DiskId\":$held,\"Port\":10102,\"ExportName\":\"h\",\"Unit\":\"h.service\",\"BootId\":\"$boot\"}]}"
pair 10103 10102
refused EEXIST 'PortTaken Port 10102 is leased' "a taken port is told"
is "$(leases)" "10100 nb 10101 na 10102 h" "and none is taken instead: all or none"
store_do lease_free "{\"Job\":$other,\"Port\":10100}"
is "$(leases)" "10101 na 10102 h" "one port is freed"
store_do lease_free "{\"Job\":$other}"
is "$(leases)" "10102 h" "or all of a job"
store_do lease_list
is "$(got '.Leases | map([.Port, .DiskKey, .ExportName, .Unit, .LeasedUSec]) | tojson')" '[[10102,2000,"h","h.service",5]]' "and listed"

# Obligations.
step "$other" queued preparing 80 '{"Obligations":[{"Kind":"units","Subject":"s"}]}'
store_do obligation_list
owed=$(got '.Obligations[0].Id')
store_do obligation_failed "{\"Id\":$owed,\"ErrorText\":\"the disk is away\",\"NextAttemptUSec\":77}"
store_do obligation_list
is "$(got '.Obligations | map([.Attempts, .Error, .NextAttemptUSec]) | tojson')" '[[1,"the disk is away",77]]' "a failed attempt is counted"
store_do obligation_count
is "$(got .Owed)" 0 "what a job that runs will undo itself is not counted"
store_do obligation_done "{\"Id\":$owed,\"NowUSec\":88}"
store_do obligation_done "{\"Id\":$owed,\"NowUSec\":99}"
is "$(rows 'SELECT state, attempts, done_usec FROM obligations ORDER BY id DESC LIMIT 1')" "done 2 88" "a repaid one is repaid once"

# More than a list holds, which cannot be undone and so wait ever longer: what is due sooner is in the list all the same.
rows "INSERT INTO obligations (kind, subject, job_id, created_usec, next_attempt_usec)
    SELECT 'files', CONCAT('old', seq), 1, 5, 1000 + seq FROM seq_1_to_1200"
rows "INSERT INTO obligations (kind, subject, job_id, created_usec, next_attempt_usec) VALUES ('files', 'newest', 1, 6, 900)"
# shellcheck disable=SC2034 # step reads it
step "$other" preparing preparing 81 '{"Obligations":[{"Kind":"units","Subject":"of a job that runs"}]}'
store_do obligation_list
is "$(got '[(.Obligations | length), (.Obligations[-2].Subject), ([.Obligations[].Id] | . == sort), .Owed] | tojson')" '[1001,"newest",true,1201]' \
    "of more than a list holds those that are due the soonest are in it, in their order, and all are counted"
is "$(got '[.Obligations[] | select(.Subject == "of a job that runs")] | length')" 1 "beside all of jobs that run, which are known by them to be open"
store_do obligation_count
is "$(got .Owed)" 1201 "counted alone it is the same"
store_do obligation_hurry '{"NodeId":7,"NowUSec":500}'
is "$(rows 'SELECT COUNT(*) FROM obligations WHERE next_attempt_usec = 500')" 0 "what is owed at another place does not hurry"
store_do obligation_hurry '{"NodeId":0,"NowUSec":950}'
is "$(rows "SELECT COUNT(*), MAX(next_attempt_usec) FROM obligations WHERE job_id = 1 AND state = 'open'")" "1201 950" "what is owed here is due at once"
is "$(rows "SELECT next_attempt_usec FROM obligations WHERE subject = 'newest'")" 900 "and nothing later than before"
done_testing
