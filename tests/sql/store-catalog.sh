#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The catalog rebuilt from commit records: twice, in any order, with records that do not fit, and beside
# what people have entered meanwhile.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node

# record SECOND PARENT-SECOND|null [JQ]: of a VM with two disks of one unit number, and one excluded
record() {
    jq -cn --argjson sec "$1" --argjson parent "$2" '
        def layer(key; bytes): {disk_key: key, unit_number: 0, controller: "pvscsi:\(key - 1000)", capacity_bytes: bytes,
            backing_uuid: "b\(key)", change_id: "52/\($sec)", size_bytes: 4096, manifest_sha256: ("0" * 64),
            file: "50000000-0000-0000-0000-000000000001/\(key)/backup-pg-\($sec).qcow2",
            backup_type: (if $parent then "incremental" else "full" end)}
            + if $parent then {parent_backup_id: "backup-pg-\($parent)"} else {} end;
        {format: 1, backup_id: "backup-pg-\($sec)", instance_uuid: "50000000-0000-0000-0000-000000000001",
        context_id: "ctx-pg-20231114-221320", vm_name: "pg", vm_path: "/DC/vm/pg", principal: "uid:0", version: "0.1.0",
        backup_type: (if $parent then "incremental" else "full" end), created_usec: ($sec * 1000000),
        committed_usec: ($sec * 1000000 + 5), disks: [layer(2000; 1048576), layer(2001; 2097152)],
        excluded: [{disk_key: 2002, unit_number: 2, controller: "pvscsi:1000", capacity_bytes: 512, reason: "scratch"}]}'" | ${3:-.}"
}
adopt() { # RECORD...
    store_do catalog_adopt "$(printf '%s\n' "$@" | jq -cs --argjson begun "${begun:-0}" '{RepositoryId: 1, BegunUSec: $begun, NowUSec: 5, Records: .}')"
}
counts() { got '[.Added, .Known, (.Problems | length)] | @csv'; }

r1=$(record 1700000001 null)
r2=$(record 1700000002 1700000001)
r3=$(record 1700000003 1700000002)
adopt "$r3" "$r1" "$r2"
is "$(counts)" 3,0,0 "three records in a wrong order are adopted"
is "$(rows "SELECT j.backup_id, b.disk_key, b.backup_type, p.backup_id FROM backup_disks b JOIN backup_jobs j ON j.id = b.job_id
    LEFT JOIN backup_disks pb ON pb.id = b.parent_id LEFT JOIN backup_jobs p ON p.id = pb.job_id
    WHERE b.state = 'completed' ORDER BY 1, 2")" \
    "backup-pg-1700000001 2000 full NULL
backup-pg-1700000001 2001 full NULL
backup-pg-1700000002 2000 incremental backup-pg-1700000001
backup-pg-1700000002 2001 incremental backup-pg-1700000001
backup-pg-1700000003 2000 incremental backup-pg-1700000002
backup-pg-1700000003 2001 incremental backup-pg-1700000002" "each disk stands on its own parent"
is "$(rows 'SELECT reason, file_path, COUNT(*) FROM backup_disks WHERE state = "excluded" GROUP BY 1, 2')" "scratch NULL 3" "what was excluded, and why, is known again"
store_do vm_get '{"Vm":"pg"}'
is "$(got '[.ContextId, .LastBackup] + (.Disks | map([.Key, .ChangeId])) | tojson')" \
    '["ctx-pg-20231114-221320","backup-pg-1700000003",[2000,"52/1700000003"],[2001,"52/1700000003"],[2002,null]]' \
    "the VM is as its newest backup saw it"
before=$(rows_dump)
adopt "$r2" "$r3" "$r1"
is "$(counts)" 0,3,0 "the second time all are known"
is "$(rows_dump)" "$before" "and nothing changes"
rows "UPDATE backup_disks SET size_bytes = NULL WHERE disk_key = 2000"
adopt "$(jq -c '.disks[].stored_bytes = 4096' <<<"$r2")" "$r3" "$r1"
is "$(counts)" 0,3,0 "a third time, too"
is "$(rows "SELECT COUNT(*), MIN(size_bytes), MIN(stored_bytes) FROM backup_disks WHERE stored_bytes IS NOT NULL")" "2 4096 4096" "and a size that was not known is taken from there"
rows "UPDATE backup_disks SET size_bytes = 4096, stored_bytes = NULL WHERE state = 'completed'"
store_do job_create "$(create_json pg 1 1700000009 '{"Exclude":{"2002":"scratch"}}')"
is "$(got '.Disks | map(.ParentBackupId) | tojson')" '["backup-pg-1700000003","backup-pg-1700000003",null]' "the chain goes on"

# What is adopted later is not newer for that.
store_do job_get "$(jq -c '{Id: .Id}' <<<"$answer")"
ongoing=$(got .Id)
adopt "$(record 1600000005 null '.disks[].stored_bytes = 512')" "$(record 1600000006 1600000005 '.disks[].size_bytes = 1048576')"
is "$(counts)" 2,0,0 "records of years ago are adopted"
store_do vm_get '{"Vm":"pg"}'
is "$(got .LastBackup)" backup-pg-1700000003 "the last backup of the VM is the one that it was"
store_do backup_list '{"Vm":"pg","Limit":1}'
is "$(got .Backups[0].BackupId)" backup-pg-1700000003 "its newest, too"
store_do backup_list '{"Vm":"pg"}'
is "$(got '.Backups | map(.BackupId | .[-10:]) | join(" ")')" "1700000003 1700000002 1700000001 1600000006 1600000005" "and they stand last in the list"
store_do job_load_open "{\"Id\":$ongoing}"
is "$(got '.Jobs[0].Disks[] | select(.Key == 2000).LastSizeBytes')" 128 "and how large an increment gets is taken from the newest of before, at least"
store_do backup_list '{"Vm":"pg"}'
is "$(got '.Backups | map(.SizeBytes) | tojson')" "[8192,8192,8192,2097152,1024]" "as large as what it takes up, or as it is long where that is not known"

# What does not fit is told, and takes nothing else with it.
r4=$(record 1700000004 1700000003)
before=$(rows_dump)
problem() { # NAME TEXT RECORD
    adopt "$3"
    is "$(counts)" 0,0,1 "$1"
    like "$(got '.Problems[0]')" "$2" "$1: in words"
    is "$(rows_dump)" "$before" "$1: and leaves nothing"
}
problem "another capacity" "backup-pg-1700000003.*capacity of disk 2001" "$(jq -c '.disks[1].capacity_bytes = 4096' <<<"$r3")"
problem "another file" "backup-pg-1700000003.*file of disk 2000" "$(jq -c '.disks[0].file = "x/y.qcow2"' <<<"$r3")"
problem "another parent" "backup-pg-1700000003.*parent of disk 2000" "$(jq -c '.disks[0].parent_backup_id = "backup-pg-1700000001"' <<<"$r3")"
problem "another disk" "backup-pg-1700000003.*key of disk 2005" "$(jq -c '.disks[0].disk_key = 2005' <<<"$r3")"
problem "a disk less" "backup-pg-1700000003.* has 2 disks of it, its record 1" "$(jq -c 'del(.disks[0])' <<<"$r3")"
problem "another VM" "backup-pg-1700000003.*another repository or of another VM" "$(jq -c '.instance_uuid = "50000000-0000-0000-0000-000000000002"' <<<"$r3")"
problem "no disks at all" "backup-pg-1700000004" "$(jq -c '.disks = []' <<<"$r4")"
problem "a parent that is not there" "backup-pg-1700000004.*layer that it stands on.*scan once more" "$(jq -c '.disks[1].parent_backup_id = "backup-pg-1600000000"' <<<"$r4")"
problem "a layer that stands on itself" "backup-pg-1700000004.*layer" "$(jq -c '.disks[].parent_backup_id = .backup_id' <<<"$r4")"
problem "a file of another backup" "backup-pg-1700000004.*backup_disks_file" "$(jq -c '.disks[0].file |= sub("4.qcow2"; "3.qcow2")' <<<"$r4")"
problem "a path out of the repository" "backup-pg-1700000004.*backup_disks_file_form" "$(jq -c '.disks[0].file = "../../etc/shadow"' <<<"$r4")"
problem "an identity that is none" "backup-pg-1700000004.*vm_replication_contexts_uuid_form" "$(jq -c '.instance_uuid = "../x"' <<<"$r4")"
problem "a name that is none" "no valid backup_id" "$(jq -c '.backup_id = "../x"' <<<"$r4")"
problem "members of other types" "." '{"backup_id":"backup-x-1","instance_uuid":7,"disks":{}}'
problem "another type for the disks" "backup-x-1" '{"backup_id":"backup-x-1","instance_uuid":"50000000-0000-0000-0000-000000000007","disks":{"a":1}}'
problem "no record" "." '"record"'
adopt "$(jq -c '.disks[0].capacity_bytes = 0' <<<"$r4")" "$(record 1700000005 1700000003)"
is "$(counts)" 1,0,1 "beside a bad record a good one is adopted"
rows "UPDATE backup_jobs SET state = 'failed', error_name = 'x', finished_usec = 5 WHERE backup_id = 'backup-pg-1700000009'"
before=$(rows_dump)
problem "a backup that the catalog says failed" "backup-pg-1700000009.*failed" "$(record 1700000009 null)"

# One that was made while the clock was ahead is not what the next ones stand on.
adopt "$(record 4000000000 1700000005)"
is "$(counts)" 1,0,0 "a backup of a time to come is adopted"
store_do job_create "$(create_json pg 2 1700000020 '{"Exclude":{"2002":"scratch"}}')"
is "$(got '.Disks | map(.ParentBackupId) | tojson')" '["backup-pg-1700000005","backup-pg-1700000005",null]' "the next one stands on the newest before it"
rows "DELETE FROM backup_jobs WHERE id = $(got .Id)"

# A VM that was entered after the backup is as it was entered.
store_do vm_set "$(vm_json late 2)"
late=$(record 1600000000 null '.instance_uuid = "50000000-0000-0000-0000-000000000002" | .disks[].file |= sub("01/"; "02/") | .backup_id = "backup-late-1600000000" | .disks[1].disk_key = 2007')
adopt "$late"
is "$(counts)" 1,0,0 "a backup of a VM that was entered since is adopted"
store_do vm_get '{"Vm":"late"}'
is "$(got '.Disks | map([.Key, .UnitNumber, .ChangeId]) | tojson')" '[[2000,0,null],[2001,0,null]]' "and adds no disk to it"

# A context id that another VM has is made anew.
adopt "$(record 1600000001 null '.instance_uuid = "50000000-0000-0000-0000-000000000003" | .disks[].file |= sub("01/"; "03/") | .backup_id = "backup-pg-1600000001" | .vm_name = "x"')"
is "$(counts) $(rows "SELECT context_id FROM vm_replication_contexts WHERE instance_uuid LIKE '%3'")" "1,0,0 ctx-x-20200913-122642" \
    "two VMs never share a context"

# A record of a backup that is being deleted, and by no job: what builds on it is there, and deleting it again is possible.
of4() { record "$1" "$2" '.instance_uuid = "50000000-0000-0000-0000-000000000004" | .disks[].file |= sub("01/"; "04/")
    | .context_id = "ctx-x-20200913-122655" | .vm_name = "x4"'"${3:-}"; }
state4() { # of each layer of the first disk, the oldest first: on what it stands, what is said against it
    rows "SELECT j.backup_id, p.backup_id, b.backup_type, COALESCE(b.damaged_usec, '-'), COALESCE(b.damage_text, '-') FROM backup_disks b
        JOIN backup_jobs j ON j.id = b.job_id JOIN vm_replication_contexts v ON v.id = j.vm_context_id LEFT JOIN backup_disks pb ON pb.id = b.parent_id
        LEFT JOIN backup_jobs p ON p.id = pb.job_id WHERE v.vm_name = 'x4' AND b.disk_key = 2000 AND j.deleted_usec IS NULL ORDER BY j.created_usec"
}
marked="5 its deletion was begun, and is not at its end; deleting it again ends it"
doomed=$(of4 1500000000 null ' | .is_deleting = true')
adopt "$(of4 1500000001 1500000000 ' | .is_deleting = false')" "$doomed" "$(of4 1500000002 1500000001)"
is "$(counts)" 3,0,0 "what builds on a backup that is being deleted is adopted"
is "$(state4)" "backup-pg-1500000000 NULL full $marked
backup-pg-1500000001 backup-pg-1500000000 incremental - -
backup-pg-1500000002 backup-pg-1500000001 incremental - -" "and that backup is known for what it is"
delete_again() { # EVENT
    store_do job_work_create "$(jq -cn --arg event "$(event "$1")" '{Type: "delete", BackupId: "backup-pg-1500000000", Work: {force: false},
        Principal: "uid:0", EventId: $event, NowUSec: 1700000300000000}')"
    got .Id
}
job=$(delete_again 70)
rows "UPDATE backup_disks SET damaged_usec = NULL, damage_text = NULL" >/dev/null
adopt "$doomed"
is "$(counts) $(state4 | head -n 1)" "0,1,0 backup-pg-1500000000 NULL full - -" "while a job deletes it nothing is said against it"
step "$job" queued cancelled 71 '{"FinishedUSec":1700000300000001}'
adopt "$doomed"
is "$(counts) $(state4 | head -n 1)" "0,1,0 backup-pg-1500000000 NULL full $marked" "when no job does, it is said of one that is known, too"
job=$(delete_again 72)
step "$job" queued copying 73
step "$job" copying finishing 74 '{"WorkType":"delete","WorkResult":{"result":"ok","outcome":"deleted","children":[]}}'
step "$job" finishing completed 75 '{"FinishedUSec":1700000400000000}'
is "$(state4)" "backup-pg-1500000001 NULL full - -
backup-pg-1500000002 backup-pg-1500000001 incremental - -" "deleted again it is gone, and nothing is said against those above"
rows "UPDATE backup_disks SET damaged_usec = NULL, damage_text = NULL" >/dev/null
adopt "$doomed"
is "$(counts) $(rows "SELECT COUNT(*) FROM backup_disks WHERE damage_text IS NOT NULL")" "0,1,0 0" "nor when a list of before is adopted"

# What was deleted and is there again, by a snapshot of the storage, say. A chain of three; all are deleted, the newest first.
of5() { record "$1" "$2" '.instance_uuid = "50000000-0000-0000-0000-000000000005" | .disks[].file |= sub("01/"; "05/")
    | .context_id = "ctx-x-20200913-122666" | .vm_name = "x5"'"${3:-}"; }
q1=$(of5 1400000001 null) q2=$(of5 1400000002 1400000001) q3=$(of5 1400000003 1400000002)
adopt "$q1" "$q2" "$q3"
is "$(counts)" 3,0,0 "a chain of three"
there() { # of the first disk of each backup that is there: its end, on what it stands, verified, damage
    rows "SELECT CONCAT_WS(' ', RIGHT(j.backup_id, 1), RIGHT(p.backup_id, 1), b.verified_usec, b.damage_text) FROM backup_disks b
        JOIN backup_jobs j ON j.id = b.job_id JOIN vm_replication_contexts v ON v.id = j.vm_context_id LEFT JOIN backup_disks pb ON pb.id = b.parent_id
        LEFT JOIN backup_jobs p ON p.id = pb.job_id WHERE v.vm_name = 'x5' AND b.disk_key = 2000 AND j.deleted_usec IS NULL ORDER BY j.created_usec" | paste -sd,
}
deletion() { # N EVENT: begins one
    store_do job_work_create "$(jq -cn --arg id "backup-pg-140000000$1" --arg event "$(event "$2")" '{Type: "delete", BackupId: $id, Work: {force: true},
        Principal: "uid:0", EventId: $event, NowUSec: 1700000300000000}')"
    job=$(got .Id)
    step "$job" queued copying $(($2 + 1))
}
deleted_at=1700000100000000 # by step
deletion_ends() { # EVENT
    step "$job" copying finishing "$1" '{"WorkType":"delete","WorkResult":{"result":"ok","outcome":"deleted","children":[]}}'
    step "$job" finishing completed $(($1 + 1)) '{"FinishedUSec":1700000400000000}'
}
rows "UPDATE backup_disks SET verified_usec = 7"
deletion 3 100
deletion_ends 105
is "$(there)" "1 7,2 1 7" "the newest is deleted"
begun=$deleted_at
adopt "$q1" "$q2" "$q3"
is "$(counts) $(there)" "0,3,0 1 7,2 1 7" "a list that was begun before its deletion was at its end brings nothing back"
begun=$((deleted_at + 1))
adopt "$q1" "$q2" "$(jq -c '.is_flawed = true' <<<"$q3")"
is "$(counts) $(there)" "0,2,1 1 7,2 1 7" "nor one that says that something is wrong with it"
like "$(got '.Problems[0]')" 'backup-pg-1400000003: the catalog says that it was deleted, and its record is there; it is not taken in while' "which is told"
adopt "$(jq -c '.disks[0].capacity_bytes *= 2' <<<"$q3")"
is "$(counts) $(there)" "0,0,1 1 7,2 1 7" "nor a record that says something else"
like "$(got '.Problems[0]')" 'the catalog says that it was deleted, and its record is there; the catalog has another capacity of disk 2000' "which is told, too"
rows "UPDATE backup_jobs SET state = 'finishing', finished_usec = NULL WHERE id = $job" >/dev/null
adopt "$q3"
is "$(counts) $(there)" "0,1,0 1 7,2 1 7" "nor one whose deletion is not over"
rows "UPDATE backup_jobs SET state = 'completed', finished_usec = 5 WHERE id = $job" >/dev/null
is "$(rows "SELECT change_id FROM vm_disks d JOIN vm_replication_contexts v ON v.id = d.vm_context_id WHERE vm_name = 'x5' AND disk_key = 2000")" 52/1400000002 "the disk shows the newest that is there"
adopt "$q3" "$q1"
is "$(counts) $(there)" "1,1,0 1 7,2 1 7,3 2" "when it is there again it is a backup again that nobody has verified"
is "$(rows "SELECT change_id FROM vm_disks d JOIN vm_replication_contexts v ON v.id = d.vm_context_id WHERE vm_name = 'x5' AND disk_key = 2000")" 52/1400000003 "and the disk shows that"
adopt "$q3" "$q2" "$q1"
is "$(counts)" 0,3,0 "from then on it is known"

# Of a whole chain, each when the one below is there.
n=200
for i in 3 2 1; do
    deletion $i $n
    deletion_ends $((n + 5))
    n=$((n + 10))
done
is "$(there)" "" "all three are deleted"
adopt "$q3"
is "$(counts) $(got '.Problems[0]' | grep -c 'layer that it stands on is not in the catalog, or deleted')" "0,0,1 1" "a layer does not come back without the one that it stands on"
adopt "$(of5 1400000004 1400000003)"
is "$(counts)" 0,0,1 "nor does one that the catalog did not know stand on a deleted one"
rows "UPDATE backup_disks b JOIN backup_jobs j ON j.id = b.job_id SET damaged_usec = 5, damage_text = '${marked#5 }' WHERE j.backup_id = 'backup-pg-1400000001';
    UPDATE backup_disks b JOIN backup_jobs j ON j.id = b.job_id SET damaged_usec = 5, damage_text = 'rotten' WHERE j.backup_id = 'backup-pg-1400000002'" >/dev/null
adopt "$q3" "$q2" "$q1"
is "$(counts) $(there)" "3,0,0 1,2 1 rotten,3 2" "together they do; a damage stays, and not that a deletion was begun"

# Below one that took them over they are a chain of their own.
deletion 2 300
deletion_ends 305
deletion 1 310
deletion_ends 315
is "$(there)" "3 rotten" "two are deleted, and in the third"
adopt "$q2" "$q1" "$q3"
is "$(counts) $(there)" "2,0,1 1,2 1 rotten,3 rotten" "they come back beside it"
like "$(got '.Problems[0]')" 'backup-pg-1400000003: the catalog has another parent of disk 2000' "a record of it from before is told"

# In the middle of a deletion it comes back as such, so that it can be deleted to the end.
deletion 1 400
deletion_ends 405
adopt "$(jq -c '.is_deleting = true | .is_flawed = true' <<<"$q1")"
is "$(counts) $(there)" "1,0,0 1 ${marked#5 },2 rotten,3 rotten" "what is left of a deletion comes back as one that is not at its end"
deletion 1 410
deletion_ends 415
is "$(there)" "2 rotten,3 rotten" "and is deleted again"
done_testing
