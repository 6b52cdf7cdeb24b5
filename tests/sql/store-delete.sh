#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the database makes of a deletion: the backup is history, those above it build on what it built on, and the next backup of
# each disk starts from the newest one that is left. Who is the last sound one is not deleted.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
store_do vm_set "$(vm_json pgtest1 1)"
ids=()
for n in 1 2 3 4; do
    store_do job_create "$(create_json pgtest1 "$n" $((1700000000 + n * 100)))"
    ids[n]=$(got .Id)
    finish "${ids[n]}" $((n * 20))
done
id() { echo "backup-pgtest1-$((1700000000 + $1 * 100))"; }

# chain_is WANT NAME: each layer of the first disk with what it builds on.
chain_is() {
    store_do chain_get '{"Vm":"pgtest1","Limit":1000}'
    is "$(got '[.Layers[] | select(.Key == 2000) | "\(.BackupId[-3:])\(if .ParentBackupId then "<" + .ParentBackupId[-3:] else "" end)"] | join(" ")')" "$1" "$2"
}
chain_is "100 200<100 300<200 400<300" "a chain of four"
is "$(got '.Layers | map(.Key) | unique | tojson')" "[2000,2001]" "of two disks"
is "$(got '.Layers[0] | [.BackupType, .CapacityBytes, .SizeBytes, .Repository, .CreatedUSec] | tojson')" \
    '["full",1048576,4096,"local",1700000100000000]' "a layer tells what it is"
store_do chain_get '{"Vm":"nobody","Limit":1}'
refused ENOENT "NotFound" "the chain of a VM that is not there"

# delete N EVENT [RESULT]: of backup N
delete() {
    local job
    store_do job_work_create "$(jq -cn --arg backup "$(id "$1")" --arg event "$(event "$2")" \
        '{Type: "delete", BackupId: $backup, Work: {force: false}, Principal: "uid:0", EventId: $event, NowUSec: 1700000010000000}')"
    job=$(got .Id)
    [ "$job" != null ] || return 1
    step "$job" queued copying $(($2 + 1))
    step "$job" copying finishing $(($2 + 2)) "$(jq -cn --argjson result "${3:-{\"outcome\":\"gone\",\"children\":[]\}}" '{WorkType: "delete", WorkResult: $result}')"
    step "$job" finishing completed $(($2 + 3)) '{"FinishedUSec":1700000009000000}'
}
types() { rows "SELECT GROUP_CONCAT(backup_type ORDER BY id) FROM backup_jobs WHERE job_type = 'backup' AND deleted_usec IS NULL"; }
change_id() { rows "SELECT change_id FROM vm_disks WHERE disk_key = 2000"; }

rows "UPDATE backup_disks SET verified_usec = 5"
ok "a middle one" delete 2 200 "{\"outcome\":\"deleted\",\"freed_bytes\":1,\"children\":[{\"backup_id\":\"$(id 3)\",\"backup_type\":\"incremental\",\"disks\":[{\"disk_key\":2000,\"backup_type\":\"incremental\",\"size_bytes\":65536,\"stored_bytes\":8192,\"parent_backup_id\":\"$(id 1)\"}]}]}"
chain_is "100 300<100 400<300" "the one above builds on the one below"
is "$(got '[.Layers[] | select(.BackupId[-3:] == "300")] | map([.SizeBytes, .VerifiedUSec]) | tojson')" "[[8192,null],[4096,null]]" \
    "a layer that was merged has its new size and is not verified any more"
is "$(types)" "full,incremental,incremental" "what they are"
store_do job_get "{\"Id\":${ids[2]}}"
is "$(got '[.State, .DeletedUSec] | tojson')" '["completed",1700000100000000]' "the row of the deleted one stays, and says when"
store_do backup_list '{}'
is "$(got '.Backups | map(.BackupId[-3:]) | join(" ")')" "400 300 100" "it is on no list"

ok "the oldest" delete 1 220
chain_is "300 400<300" "the one above stands for itself"
is "$(types)" "full,incremental" "and is a full backup"

last_change_id=$(change_id)
is "$last_change_id" "52/$(rows "SELECT id FROM backup_disks WHERE job_id = ${ids[4]} AND disk_key = 2000")" "the disk has the change id of the newest"
ok "the newest" delete 4 240
chain_is "300" "one is left"
is "$(change_id)" "52/$(rows "SELECT id FROM backup_disks WHERE job_id = ${ids[3]} AND disk_key = 2000")" "the disk has the change id of the newest that is left"
store_do job_create "$(create_json pgtest1 9 1700000900)"
is "$(got '.Disks | map([.BackupType, .ParentBackupId[-3:], .ParentChangeId]) | tojson')" \
    "$(rows "SELECT JSON_ARRAYAGG(JSON_ARRAY('incremental', '300', CONCAT('52/', id))) FROM backup_disks WHERE job_id = ${ids[3]}" | jq -c .)" \
    "and the next backup starts from there" || diag "$answer"
finish "$(got .Id)" 260

# The last sound one.
rows "UPDATE backup_disks SET damaged_usec = 7, damage_text = 'a flipped bit' WHERE job_id = ${ids[3]} AND disk_key = 2001"
delete 9 320
refused EMLINK "LastBackup 'backup-pgtest1-1700000900' is the last sound backup of its VM" "one beside which only a damaged one would be left is not deleted"
ok "the damaged one goes" delete 3 340
chain_is "900" "the last one is left"
is "$(rows "SELECT GROUP_CONCAT(COALESCE(damage_text, '-') ORDER BY disk_key) FROM backup_disks b JOIN backup_jobs j ON j.id = b.job_id WHERE j.backup_id = '$(id 9)'")" \
    "-,a flipped bit" "what was wrong in the layer that went is so in the one that took it over"
# What is above a damaged layer is not sound, though nothing was found in it itself.
store_do vm_set "$(vm_json pgtest2 2)"
for n in 11 12 13; do
    type=incremental
    [ "$n" -ne 13 ] || type=full
    store_do job_create "$(create_json pgtest2 "$n" $((1700000000 + n * 100)) "{\"BackupType\":\"$type\"}")"
    ids[n]=$(got .Id)
    finish "${ids[n]}" $((2000 + n * 20))
done
rows "UPDATE backup_disks SET damaged_usec = 1, damage_text = 'block 7' WHERE job_id = ${ids[11]} AND disk_key = 2000"
store_do job_work_create "$(jq -cn --arg event "$(event 9000)" \
    '{Type: "delete", BackupId: "backup-pgtest2-1700001300", Work: {force: false}, Principal: "uid:0", EventId: $event, NowUSec: 1700000010000000}')"
refused EMLINK "LastBackup 'backup-pgtest2-1700001300' is the last sound backup of its VM" "the only backup that stands on nothing damaged is kept"

# One without a disk does not stand in for one that has it, but for one that lacks it, too.
store_do vm_set "$(vm_json pgtest3 3)"
store_do job_create "$(create_json pgtest3 5021 1700002100)"
finish "$(got .Id)" 3000
for n in 22 23; do
    store_do job_create "$(create_json pgtest3 "50$n" $((1700000000 + n * 100)) '{"Exclude":{"2001":"scratch"}}')"
    finish "$(got .Id)" $((3000 + n * 20))
done
delete_pgtest3() { # SECOND EVENT
    store_do job_work_create "$(jq -cn --arg backup "backup-pgtest3-$1" --arg event "$(event "$2")" \
        '{Type: "delete", BackupId: $backup, Work: {force: false}, Principal: "uid:0", EventId: $event, NowUSec: 1700000010000000}')"
}
delete_pgtest3 1700002100 9100
refused EMLINK "LastBackup .* with all of its disks" "the only backup of a disk that later ones left out is kept"
delete_pgtest3 1700002200 9101
ok "one of those goes" test "$(got .Id)" -gt 0
done_testing
