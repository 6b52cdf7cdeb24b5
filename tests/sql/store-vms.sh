#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Repositories and VMs in the store, and what becomes of a disk in the next backup: what is refused, and
# what a chain goes on from.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
marker=50000000-0000-0000-0000-0000000000aa

# Repositories.
store_do repository_add '{"Name":"second","Path":"/srv/second","NowUSec":5}'
is "$(got .Id)" 2 "a repository is added"
store_do repository_add '{"Name":"second","Path":"/srv/other","NowUSec":5}'
refused EEXIST "Exists There is a repository named second" "not twice under one name"
store_do repository_add '{"Name":"other","Path":"/srv/second","NowUSec":5}'
refused EEXIST "Exists /srv/second is a repository already" "nor twice in one folder, which is told apart"
store_do repository_add "{\"Name\":\"x for key 'backup_repositories_path\",\"Path\":\"/srv/q\",\"NowUSec\":5}"
store_do repository_add "{\"Name\":\"x for key 'backup_repositories_path\",\"Path\":\"/srv/r\",\"NowUSec\":5}"
refused EEXIST "There is a repository named x" "a name that looks like MariaDB's message deceives nobody"
store_do repository_remove "{\"Repository\":\"x for key 'backup_repositories_path\"}"
store_do repository_add '{"Name":"other","Path":"srv/x","NowUSec":5}'
refused EINVAL "InvalidArgument .*srv/x" "a path that is none is refused by its name"
store_do repository_set_uuid "{\"Id\":2,\"RepositoryUuid\":\"$marker\"}"
store_do repository_set_uuid "{\"Id\":2,\"RepositoryUuid\":\"${marker%aa}bb\"}"
store_do repository_list
is "$(got '.Repositories | map([.Id, .Name, .Path, .RepositoryUuid, .Backups]) | tojson')" \
    "[[1,\"local\",\"/var/lib/sendense/repository\",null,0],[2,\"second\",\"/srv/second\",\"$marker\",0]]" \
    "its marker is written once, and never changed"
store_do repository_set_uuid "{\"Id\":1,\"RepositoryUuid\":\"$marker\"}"
refused EEXIST "Exists .*$marker" "two repositories never have the same marker"
store_do repository_add '{"Name":"2","Path":"/srv/named-2","NowUSec":5}'
named=$answer
store_do repository_remove '{"Repository":"2"}'
is "$answer" "$named" "a name comes before an id"
store_do repository_remove '{"Repository":"none"}'
refused ENOENT "NotFound There is no repository 'none'" "one that is not there is told"

# VMs.
store_do vm_set "$(vm_json pg 1)"
context=$(got .ContextId)
store_do vm_set "$(vm_json pg 1)"
is "$(got .ContextId) $(rows 'SELECT COUNT(*) FROM vm_replication_contexts')" "$context 1" "a VM that is known is brought up to date"
store_do vm_set "$(vm_json pg 2)"
is "$(got .ContextId)" ctx-pg-20231114-221321 "another of its name in the same second has the next one in its id"
is "$(rows "SELECT COUNT(*) FROM vm_replication_contexts WHERE created_usec = 1700000000000000")" 2 "and was entered in this one all the same"
store_do vm_get '{"Vm":"pg"}'
refused EINVAL "InvalidArgument Several VMs are named pg.*$context, ctx-pg-20231114-221321" "a name that two have is refused, with their ids"
store_do vm_get "{\"Vm\":\"$context\"}"
is "$(got '[.InstanceUuid, .Disks[].Key] | @csv')" '"50000000-0000-0000-0000-000000000001",2000,2001' "an id says which"
store_do vm_get '{"Vm":"50000000-0000-0000-0000-000000000002"}'
is "$(got .ContextId)" ctx-pg-20231114-221321 "so does an instance UUID"
store_do vm_set "$(vm_json caps 4 | jq -c '.InstanceUuid = "abcdef00-0000-0000-0000-00000000000a"')"
store_do vm_get '{"Vm":"ABCDEF00-0000-0000-0000-00000000000A"}'
is "$(got .Name)" caps "in capitals, too"
rows "DELETE d FROM vm_disks d JOIN vm_replication_contexts v ON v.id = d.vm_context_id WHERE v.vm_name = 'caps'; DELETE FROM vm_replication_contexts WHERE vm_name = 'caps'"
store_do vm_get '{"Vm":"none"}'
refused ENOENT "NotFound There is no VM 'none'" "one that is not there is told"
store_do vm_set "$(vm_json x 3 | jq -c '.InstanceUuid = "X"')"
refused EINVAL "InvalidArgument instance_uuid must be" "an instance UUID that is none is refused"
store_do vm_set "$(vm_json x 3 | jq -c '.Path = "p" * 1025')"
is "$(got '[.error, (.text | contains("instance_uuid"))] | @csv')" '"EINVAL",false' "and not blamed for what is wrong with another value"
long=$(printf 'ü%.0s' {1..1024})
store_do vm_set "$(vm_json long 4 | jq -c --arg p "$long" '.Path = $p')"
store_do vm_get '{"Vm":"long"}'
is "$(got .Path)" "$long" "a long text comes back whole"
store_do vm_list '{"Limit":2}'
is "$(got '.Vms | map(.Id) | tojson')" "$(rows 'SELECT JSON_ARRAYAGG(id ORDER BY id DESC) FROM (SELECT id FROM vm_replication_contexts ORDER BY id DESC LIMIT 2) x')" "VMs are listed newest first"
store_do vm_list "{\"Limit\":2,\"After\":$(got '.Vms[1].Id')}"
is "$(got '.Vms | map([.ContextId, .Disks]) | tojson')" "[[\"$context\",2]]" "and further on"

# What a request may name.
create() { store_do job_create "$(create_json "$context" "$1" "$2" "${3:-}")"; }
create 1 1700000000 '{"Sources":{"2000":"nbd://a"}}'
refused EINVAL "InvalidArgument .*2001" "a disk without its source is refused by its key"
create 1 1700000000 '{"Sources":{"2000":"nbd://a","2001":"nbd://b","2002":"nbd://c"}}'
refused EINVAL "InvalidArgument .*2002" "so is a source without its disk"
create 1 1700000000 '{"Sources":{"2001":"nbd://b","3000":"nbd://a"}}'
refused EINVAL "InvalidArgument .*3000" "and one under another key"
create 1 1700000000 '{"Exclude":{"2000":"x","2001":"y"}}'
refused EINVAL "InvalidArgument Every disk" "excluding every disk is no backup"
create 1 1700000000 '{"Exclude":{"2000":""}}'
refused EINVAL "InvalidArgument .*2000" "excluding without a reason neither"
create 1 1700000000 '{"Repository":"none"}'
refused ENOENT "NotFound There is no repository" "a repository that is not there is told"
is "$(rows 'SELECT COUNT(*) FROM backup_jobs')$(rows 'SELECT COUNT(*) FROM job_events')" 00 "none of them left anything"
create 1 1700000000 '{"Sources":{"2000":"nbd://a","2001":"nbd://b"}}'
is "$(got '.Disks | map([.Key, .SourceUri]) | tojson')" '[[2000,"nbd://a"],[2001,"nbd://b"]]' "each disk has its own source"
first=$(got .Id)
finish "$first" 16

# Chains.
plan() { # EVENT SECOND [JSON]: the plan of the next job, which then fails
    create "$@"
    planned=$(got '.Disks | map([.Key, .BackupType, .ParentBackupId, .Reason]) | tojson')
    local id
    id=$(got .Id)
    rows "UPDATE backup_jobs SET state = 'failed', error_name = 'x', finished_usec = 5 WHERE id = $id;
        UPDATE backup_disks SET state = 'failed' WHERE job_id = $id AND state <> 'excluded'"
}
b=backup-pg-1700000000
plan 2 1700000010
is "$planned" "[[2000,\"incremental\",\"$b\",null],[2001,\"incremental\",\"$b\",null]]" "the next backup stands on the first"
is "$(got .BackupType)" incremental "and is an incremental"
plan 3 1700000020
is "$planned" "[[2000,\"incremental\",\"$b\",null],[2001,\"incremental\",\"$b\",null]]" "never on one that failed"
plan 4 1700000030 '{"BackupType":"full"}'
is "$planned" '[[2000,"full",null,null],[2001,"full",null,null]]' "a full stands on nothing"
plan 5 1700000031 '{"Repository":"second"}'
is "$planned" '[[2000,"full",null,"there is no backup of this disk in this repository yet"],[2001,"full",null,"there is no backup of this disk in this repository yet"]]' \
    "nor does the first in another repository"
is "$(got .BackupType) $(rows 'SELECT backup_type FROM backup_jobs ORDER BY id DESC LIMIT 1')" "full incremental" \
    "which is a full, though an incremental was asked for, which is kept"
store_do backup_list '{}'
is "$(got '.Backups[0] | [.Job, .BackupType] | join(" ")')" "$first full" "and so is the first backup in the list of backups"
changed() { vm_json pg 1 | jq -c "$1"; }
store_do vm_set "$(changed '.Disks[1].CapacityBytes *= 2')"
plan 6 1700000040
is "$planned" "[[2000,\"incremental\",\"$b\",null],[2001,\"full\",null,\"its capacity has changed since the last backup\"]]" \
    "a disk that has grown is read whole, and no other"
is "$(got .BackupType)" incremental "with one disk that stands on a layer it is an incremental"
store_do vm_set "$(changed '.Disks[0].BackingUuid = "new"')"
plan 7 1700000050
is "$planned" "[[2000,\"full\",null,\"another disk has its key now (its UUID has changed)\"],[2001,\"incremental\",\"$b\",null]]" \
    "so is another disk under the same key"
store_do vm_set "$(changed .)"
create 8 1700000060
finish "$(got .Id)" 32
# A catalog that was rebuilt has its rows in any order: the newest is told by its time.
rows "UPDATE backup_jobs SET created_usec = 1 WHERE backup_id = 'backup-pg-1700000060'"
plan 9 1700000070
is "$planned" "[[2000,\"incremental\",\"$b\",null],[2001,\"incremental\",\"$b\",null]]" "the newest layer is the newest by its time"

# Disks that go and come back.
store_do vm_set "$(changed 'del(.Disks[1]) | .Disks += [.Disks[0] + {Key: 2002}]')"
store_do vm_get "{\"Vm\":\"$context\"}"
is "$(got '.Disks | map(.Key) | tojson')" '[2000,2002]' "a VM has the disks that were said last"
is "$(rows 'SELECT disk_key, present FROM vm_disks WHERE vm_context_id = 1 ORDER BY 1' | paste -sd,)" "2000 1,2001 0,2002 1" "one with backups is kept as absent"
plan 10 1700000080 '{"Exclude":{"2002":"new"}}'
is "$planned" "[[2000,\"incremental\",\"$b\",null],[2002,\"full\",null,\"new\"]]" "and not backed up"
store_do vm_set "$(changed .)"
is "$(rows 'SELECT disk_key, present FROM vm_disks WHERE vm_context_id = 1 ORDER BY 1' | paste -sd,)" "2000 1,2001 1,2002 0" "it comes back"
store_do vm_set "$(vm_json nobackup 5 | jq -c '.Disks += [.Disks[0] + {Key: 2002}]')"
store_do vm_set "$(vm_json nobackup 5)"
is "$(rows 'SELECT GROUP_CONCAT(disk_key ORDER BY 1) FROM vm_disks d JOIN vm_replication_contexts v ON v.id = d.vm_context_id WHERE vm_name = "nobackup"')" \
    "2000,2001" "one without is forgotten"

# What is in use is not removed.
store_do repository_remove '{"Repository":"local"}'
refused EBUSY "Busy Repository local holds 2 backups" "a repository with backups is not removed"
store_do repository_remove '{"Repository":"second"}'
refused EBUSY "Busy Repository second is part of the history of 1 jobs" "nor one with history"
store_do backup_list "{\"Vm\":\"$context\",\"Repository\":\"local\"}"
is "$(got '.Backups | map([.BackupId, .Disks, .SizeBytes, .Repository]) | tojson')" \
    "[[\"$b\",2,8192,\"local\"],[\"backup-pg-1700000060\",2,8192,\"local\"]]" "backups are listed newest first, by their time"
store_do backup_list '{"Repository":"second"}'
is "$(got '.Backups | length')" 0 "those of one repository alone"
done_testing
