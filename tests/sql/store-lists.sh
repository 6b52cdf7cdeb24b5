#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lists of the store with many rows: pages without gaps and repeats, bounds, filters. How long they take is
# printed.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready

# fill FROM TO VMS: jobs, each an ended backup of one disk; every seventh failed.
fill() {
    rows "SET foreign_key_checks = 0;
    INSERT INTO vm_replication_contexts (id, context_id, instance_uuid, vm_name, vm_path, created_usec)
        SELECT seq, CONCAT('ctx-vm', seq, '-20260101-000000'), CONCAT('50000000-0000-0000-0000-', LPAD(seq, 12, '0')),
        CONCAT('vm', seq), CONCAT('/DC/vm/vm', seq), seq FROM seq_1_to_$3 ON DUPLICATE KEY UPDATE id = id;
    INSERT INTO vm_disks (vm_context_id, disk_key, unit_number, controller, capacity_bytes)
        SELECT seq, 2000, 0, 'pvscsi:1000', 1048576 FROM seq_1_to_$3 ON DUPLICATE KEY UPDATE vm_disks.id = vm_disks.id;
    INSERT INTO backup_jobs (id, vm_context_id, repository_id, backup_id, backup_type, state, error_name, principal, created_usec, finished_usec)
        SELECT seq, 1 + seq % $3, 1, CONCAT('backup-vm-', seq), 'full', IF(seq % 7 = 0, 'failed', 'completed'), IF(seq % 7 = 0, 'x', NULL),
        'uid:0', seq, seq FROM seq_$1_to_$2;
    INSERT INTO backup_disks (job_id, vm_context_id, repository_id, disk_key, state, backup_type, capacity_bytes, file_path, size_bytes)
        SELECT id, vm_context_id, 1, 2000, IF(state = 'failed', 'failed', 'completed'), 'full', 1048576, CONCAT('v/', id, '.qcow2'), 4096
        FROM backup_jobs WHERE id BETWEEN $1 AND $2;
    ANALYZE TABLE backup_jobs, backup_disks, vm_disks, vm_replication_contexts" >/dev/null
}

# pages FUNCTION LIST ID JSON: the ids of all pages, from the first to an empty one, 100 at most.
pages() {
    local after=0 ids
    for _ in {1..100}; do
        store_do "$1" "$(jq -c --argjson after "$after" '. + {After: $after}' <<<"$4")"
        ids=$(got ".$2[].$3")
        [ -n "$ids" ] || break
        printf '%s\n' "$ids"
        after=${ids##*$'\n'}
    done
}

fill 1 2500 50
is "$(pages job_list Jobs Id '{"Limit":700}')" "$(seq 2500 -1 1)" "2500 jobs come in pages, newest first, each once"
is "$(pages job_list Jobs Id '{"Limit":100,"State":"failed"}')" "$(seq 2499 -7 7)" "those of one state too"
is "$(pages job_list Jobs Id '{"Limit":7,"Vm":"vm3"}')" "$(seq 2452 -50 2)" "those of one VM"
is "$(pages job_list Jobs Id '{"Limit":2,"Vm":"vm3","State":"failed"}')" "$(seq 2452 -50 2 | awk '$1 % 7 == 0')" "and of both"
is "$(pages backup_list Backups Job '{"Limit":900}')" "$(seq 2500 -1 1 | awk '$1 % 7')" "so do backups"
is "$(pages vm_list Vms Id '{"Limit":20}')" "$(seq 50 -1 1)" "and VMs"
store_do job_list
is "$(got '.Jobs | length')" 100 "without a limit a list has 100 rows"
store_do job_list '{"Limit":1000000}'
is "$(got '.Jobs | length')" 1000 "with whatever limit, 1000 at most"
store_do job_list '{"Vm":"none"}'
refused ENOENT "NotFound There is no VM 'none'" "a filter for a VM that is not there is refused"

# Rows that a scan has adopted have new numbers and old times; some of them the same.
rows "UPDATE backup_jobs SET created_usec = 5000 - id DIV 3"
by_time() { awk '{ print 5000 - int($1 / 3), $1 }' | sort -k1,1nr -k2,2nr | cut -d' ' -f2; }
is "$(pages backup_list Backups Job '{"Limit":37}')" "$(seq 2500 -1 1 | awk '$1 % 7' | by_time)" \
    "backups go by their time and not by their number, and at one time by that; in pages each once"
is "$(pages backup_list Backups Job '{"Limit":2,"Vm":"vm3"}')" "$(seq 2452 -50 2 | awk '$1 % 7' | by_time)" "those of one VM, too"
is "$(pages backup_list Backups Job '{"Limit":333,"Repository":"local"}')" "$(seq 2500 -1 1 | awk '$1 % 7' | by_time)" "and those of one repository"
store_do backup_list '{"After":700000}'
refused ENOENT "NotFound There is no job 700000 to go on after" "a page behind a job that is not there is refused"
store_do backup_list '{"After":7,"Limit":1}'
is "$(got .Backups[0].Job)" 6 "one behind a job that failed is not"
store_do vm_get '{"Vm":"vm3"}'
is "$(got .LastBackup)" backup-vm-2 "the last backup of a VM is the newest by its time"
store_do vm_list '{"Limit":1000}'
is "$(got '.Vms[] | select(.Name == "vm3") | [.LastBackup, .LastBackupUSec] | tojson')" '["backup-vm-2",2]' "in a list, too"
store_do figures
is "$(got '.VmFigures[] | select(.Vm == "vm3").LastBackup')" backup-vm-2 "and in the figures"
rows "UPDATE backup_jobs SET created_usec = id"

store_do job_list '{"Limit":1}'
is "$(got '.Jobs[0] | keys | join(" ")')" \
    "Attempt BackupId BackupType ContextId CreatedUSec FinishedUSec Id Principal Repository State Type Vm" \
    "a job has the keys of the bus, and none for what it lacks"
store_do repository_list
is "$(got '.Repositories[0].Backups')" 2143 "a repository counts its backups"

# An id that the JSON of the bus can just hold.
rows "INSERT INTO backup_jobs (id, vm_context_id, repository_id, backup_id, backup_type, state, principal, created_usec, finished_usec)
    VALUES (9223372036854775807, 1, 1, 'backup-vm-0', 'full', 'completed', 'uid:0', 9223372036854775807, 9223372036854775807)"
store_do job_get '{"Id":9223372036854775807}'
is "$(grep -o '"[A-Za-z]*":9223372036854775807' <<<"$answer" | paste -sd' ')" \
    '"CreatedUSec":9223372036854775807 "FinishedUSec":9223372036854775807 "Id":9223372036854775807' "numbers of 63 bits are exact"
rows "UPDATE backup_jobs SET created_usec = 9223372036854775808 WHERE id = 9223372036854775807"
store_do job_get '{"Id":9223372036854775807}'
is "$(got .error)" ERANGE "one bit more is an error and no other number"
rows "DELETE FROM backup_jobs WHERE id = 9223372036854775807"

fill 2501 10000 2000
# What the server has looked at for a page: its rows some times over, and never the table. (Its client's own question counts a little.)
looked_at() { mariadb_sql -e "SHOW GLOBAL STATUS LIKE 'Handler\\_read\\_%'" | awk '{ n += $2 } END { print n }'; }
for call in '{}' '{"After":5000}' '{"Repository":"local"}' '{"Vm":"vm3","Limit":1}'; do
    before=$(looked_at)
    store_do backup_list "$call"
    n=$(($(looked_at) - before))
    ok "a page of backups costs what it holds: $call" test "$n" -lt 4000
    diag "$call: $n rows were looked at"
done
for call in 'job_list {}' 'job_list {"Limit":1000}' 'job_list {"After":5000}' 'job_list {"State":"failed"}' 'job_list {"State":"copying"}' \
    'job_list {"Vm":"vm3"}' 'job_get {"Id":9000}' 'job_load_open {}' 'backup_list {}' 'vm_list {}' 'repository_list {}'; do
    store_do time "50 $call"
    diag "$call, 10000 jobs, 2000 VMs: $answer"
done
like "$answer" "^p50 [0-9.]+ ms, p99 [0-9.]+ ms$" "figures were printed"
done_testing
