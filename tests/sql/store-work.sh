#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Jobs about a backup that is there, in the store: which backups they can be asked for, who may run beside whom, and what stays of
# them. A deletion is alone with its VM; what reads is not.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
store_do vm_set "$(vm_json pgtest1 1)"
store_do vm_set "$(vm_json pgtest2 2)"
store_do job_create "$(create_json pgtest1 1 1700000000)"
finish "$(got .Id)" 16
store_do job_create "$(create_json pgtest2 2 1700000000)"

# work TYPE BACKUP EVENT [WORK]
work() {
    store_do job_work_create "$(jq -cn --arg type "$1" --arg backup "$2" --arg event "$(event "$3")" --argjson work "${4:-{\}}" \
        '{Type: $type, BackupId: $backup, Work: $work, Principal: "uid:0", EventId: $event, NowUSec: 1700000010000000}')"
}
end() { step "$1" "${3:-queued}" cancelled "$2" '{"FinishedUSec":1700000020000000}'; }

work verify backup-pgtest1-1700000000 100 '{"chain":true}'
verify=$(got .Id)
is "$(got '[.Type, .State, .BackupId, .Work, .TargetJob, .Vm, .RepositoryPath, (.Disks | length), (.TargetDisks | map(.Key) | tojson)] | @csv')" \
    '"verify","queued","backup-pgtest1-1700000000","{""chain"":true}",1,"pgtest1","/var/lib/sendense/repository",0,"[2000,2001]"' \
    "a job is made, and its runner is told of the backup and its disks"
before=$(rows_dump)
work verify backup-pgtest1-1700000000 100 '{"chain":true}'
is "$(got .Id)$(rows_dump)" "$verify$before" "the same request again is the same job"

work verify backup-nobody-1 101
refused ENOENT "NotFound There is no backup 'backup-nobody-1'" "a backup that is not there"
work verify backup-pgtest2-1700000000 102
refused ENOENT "NotFound 'backup-pgtest2-1700000000' is no backup yet: its job 2 is queued" "one that is being made"
is "$(rows_dump)" "$before" "a refused one leaves nothing"

# Beside each other.
work restore backup-pgtest1-1700000000 103
restore=$(got .Id)
is "$(got .State)" queued "a restore may run beside a verification"
store_do job_create "$(create_json pgtest1 3 1700000030)"
backup=$(got .Id)
is "$(got .State)" queued "and a backup of the VM beside both"
work delete backup-pgtest1-1700000000 104
refused EBUSY "VmBusy Job $verify \\(verify\\) of this VM is queued, and a deletion is alone" "a deletion waits for none of them"
end "$verify" 200
end "$backup" 201
work delete backup-pgtest1-1700000000 105
refused EBUSY "VmBusy Job $restore \\(restore\\)" "not for the last one either"
end "$restore" 202
work delete backup-pgtest1-1700000000 116
refused EMLINK "LastBackup 'backup-pgtest1-1700000000' is the last sound backup" "the last sound one is not deleted"
work delete backup-pgtest1-1700000000 106 '{"force":true}'
delete=$(got .Id)
is "$(got .State)" queued "alone it is made"
for type in verify restore mount files delete; do
    work "$type" backup-pgtest1-1700000000 107
    refused EBUSY "VmBusy Job $delete \\(delete\\)" "$type beside a deletion"
done
store_do job_create "$(create_json pgtest1 4 1700000040)"
refused EBUSY "VmBusy Job $delete of this VM is queued" "a backup beside it"
store_do job_load_open
is "$(got '.Jobs | map([.Id, .Type]) | tojson')" "[[2,\"backup\"],[$delete,\"delete\"]]" "all that are open are taken up by the next hub"

# What comes of it.
step "$delete" queued copying 210
step "$delete" copying finishing 211 '{"WorkType":"delete","WorkResult":{"result":"ok","merged":1}}'
store_do job_get "{\"Id\":$delete}"
is "$(got '[.State, .WorkResult, .BackupId] | @csv')" \
    '"finishing","{""merged"":1,""result"":""ok""}","backup-pgtest1-1700000000"' "its result is in its row"
end "$delete" 212 finishing

rows "UPDATE backup_jobs SET deleted_usec = 1700000050000000 WHERE id = 1"
work verify backup-pgtest1-1700000000 108
refused ENOENT "NotFound Backup 'backup-pgtest1-1700000000' was deleted" "one that was deleted"
store_do backup_list '{}'
is "$(got '.Backups | length')" 0 "is on no list"
store_do job_create "$(create_json pgtest1 5 1700000060)"
is "$(got '.Disks | map([.BackupType, .Reason]) | tojson')" \
    '[["full","there is no backup of this disk in this repository yet"],["full","there is no backup of this disk in this repository yet"]]' \
    "and no backup stands on it"
done_testing
