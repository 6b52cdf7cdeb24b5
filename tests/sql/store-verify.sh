#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a verification leaves in the rows: the layer that is damaged and no other, everything that builds on it shown as damaged, the
# next backup a full with its reason, and all of it taken back by a verification that finds nothing. And what is due.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
store_do vm_set "$(vm_json pgtest1 1)"
store_do vm_set "$(vm_json pgtest2 2)"
n=0
backup() { # VM SECOND
    n=$((n + 10))
    store_do job_create "$(create_json "$1" $n "$2")"
    finish "$(got .Id)" $((n + 1))
}
a=backup-pgtest1-1700000000 b=backup-pgtest1-1700000100 c=backup-pgtest1-1700000200 other=backup-pgtest2-1700000000
backup pgtest1 1700000000
backup pgtest1 1700000100
backup pgtest1 1700000200
backup pgtest2 1700000000

# verified BACKUP RESULT: a verification of the backup ends with this result.
verified() {
    local job
    n=$((n + 10))
    store_do job_work_create "$(jq -cn --arg backup "$1" --arg event "$(event $n)" \
        '{Type: "verify", BackupId: $backup, Work: {chain: true}, Principal: "uid:0", EventId: $event, NowUSec: 1700000300000000}')"
    job=$(got .Id)
    step "$job" queued copying $((n + 1))
    step "$job" copying finishing $((n + 2)) "{\"WorkType\":\"verify\",\"WorkResult\":$2}"
    is "$answer" '{}' "the result of job $job is taken"
    step "$job" finishing completed $((n + 3)) '{"FinishedUSec":1700000400000000}'
}
layer() { jq -cn --arg id "$1" --arg v "$2" --arg p "${3:-}" '{backup_id: $id, verdict: $v, problems: (if $p == "" then [] else [$p] end)}'; }
disk() { jq -cs --argjson key "$1" '{disk_key: $key, n_layers: length, layers: .}'; }
# health: of each layer, newest backup first: verified, damaged, text.
health() {
    rows "SELECT j.backup_id, b.disk_key, b.verified_usec IS NOT NULL AS v, COALESCE(b.damage_text, '-') FROM backup_disks b
        JOIN backup_jobs j ON j.id = b.job_id ORDER BY j.vm_context_id, j.id DESC, b.disk_key"
}
listed() {
    store_do backup_list '{}'
    got '.Backups | map("\(.BackupId | .[-10:]) \(.Damaged) \(.VerifiedUSec // 0)") | join(", ")'
}
due() {
    store_do verify_due "{\"BeforeUSec\":$1,\"Limit\":${2:-100}${3:-}}"
    got '.Backups | map(.BackupId) | join(" ")'
}

is "$(listed)" "1700000200 false 0, 1700000100 false 0, 1700000000 false 0, 1700000000 false 0" "nothing is known of any"
is "$(due 1700000300000000)" "$c $other" "all are due, and the newest of a chain covers it"
is "$(due 1700000300000000 1)" "$c" "as many as are wanted"
is "$(due 1700000300000000 100 ',"Vm":"pgtest2"')" "$other" "of one VM"
is "$(due 1700000300000000 100 ',"Repository":"local"')" "$c $other" "of one repository"
is "$(due 1700000300000000 100 ',"Repository":"none"')" "" "of another"
store_do verify_due '{"BeforeUSec":1,"Vm":"none"}'
refused ENOENT "NotFound There is no VM 'none'" "of a VM that is not there"

# Damage in the middle.
verified $c "$(jq -cn --argjson x "$({ layer $c ok; layer $b damaged "disk 2000, layer $b: block 3 is not what was backed up"; layer $a ok; } | disk 2000)" \
    --argjson y "$({ layer $c ok; layer $b ok; layer $a ok; } | disk 2001)" '{result: "ok", damaged: 1, disks: [$x, $y]}')"
is "$(health)" "$c 2000 1 -
$c 2001 1 -
$b 2000 0 disk 2000, layer $b: block 3 is not what was backed up
$b 2001 1 -
$a 2000 1 -
$a 2001 1 -
$other 2000 0 -
$other 2001 0 -" "the layer that has it is damaged, and no other"
is "$(listed)" "1700000200 true 1700000100000000, 1700000100 true 0, 1700000000 false 0, 1700000000 false 1700000100000000" \
    "it and what builds on it are shown as damaged; what lies below is not"
store_do backup_get "{\"BackupId\":\"$c\"}"
is "$(got '[.Damaged, .Problems] | tojson')" "[true,[\"disk 2000, layer $b: block 3 is not what was backed up\"]]" "a backup above tells what is wrong below"
store_do backup_get "{\"BackupId\":\"$a\"}"
is "$(got '[.Damaged, .Problems, (.Disks | map(.VerifiedUSec))] | tojson')" '[false,[],[1700000100000000,1700000100000000]]' "one below is fine"
store_do backup_get "{\"BackupId\":\"$b\"}"
is "$(got '.Disks | map([.Key, .DamagedUSec, .Damage]) | tojson')" \
    "[[2000,1700000100000000,\"disk 2000, layer $b: block 3 is not what was backed up\"],[2001,null,null]]" "and the disk tells since when"
store_do job_create "$(create_json pgtest1 900 1700000500)"
is "$(got '.Disks | map([.Key, .BackupType, .Reason]) | tojson')" \
    '[[2000,"full","its last backup, or one that this builds on, is damaged (backup verify)"],[2001,"incremental",null]]' \
    "the next backup of that disk is a full and says why, that of the other is not"
step "$(got .Id)" queued cancelled 901 '{"FinishedUSec":1700000500000001}'
is "$(due 1700000050000000)" "$c $other" "what is damaged stays due"

# Seen again, and gone again. A layer that was left out of a result that was too long is fine; one that could not be read stays as it was.
verified $b "$(jq -cn --argjson x "$({ layer $b damaged "worse"; layer $a unread; } | disk 2000)" '{result: "ok", damaged: 1, disks: [$x]}')"
is "$(rows "SELECT damaged_usec, damage_text FROM backup_disks WHERE damage_text IS NOT NULL")" "1700000100000000 worse" \
    "the newer words, and since when it is"
verified $c "$(jq -cn --argjson x "$({ layer $b unread; } | disk 2000 | jq -c '.n_layers = 3 | .lowest = "'$a'"')" '{result: "ok", damaged: 0, disks: [$x]}')"
is "$(rows "SELECT COUNT(*) FROM backup_disks WHERE damage_text IS NOT NULL")" 1 "what was not read stays damaged"
verified $c "$(jq -cn '{result: "ok", damaged: 0, disks: [{disk_key: 2000, n_layers: 3, layers: [], lowest: "'$a'"}]}')"
is "$(listed)" "1700000200 false 1700000100000000, 1700000100 false 1700000100000000, 1700000000 false 0, 1700000000 false 1700000100000000" \
    "a verification that finds nothing takes it back"
is "$(due 1700000050000000)" "$other" "and then it is not due"
is "$(due 1700000200000000)" "$c $other" "until it is long ago"
verified $c "$(jq -cn --argjson x "$({ layer $c damaged "x"; layer $b ok; layer $a ok; } | disk 2000)" '{result: "ok", damaged: 1, disks: [$x]}')"
is "$(due 1700000050000000)" "$c $other" "what was sound a moment ago and is damaged now is due too"
verified $c "$(jq -cn '{result: "ok", damaged: 0, disks: [{disk_key: 2000, n_layers: 3, layers: [], lowest: "'$a'"}]}')"
long=$(printf 'ä%.0s' {1..1000})
verified $other "$(jq -cn --argjson x "$(layer $other damaged "x$long$long" | disk 2000)" '{result: "ok", damaged: 1, disks: [$x]}')"
is "$(rows "SELECT LENGTH(damage_text) BETWEEN 1400 AND 1500 FROM backup_disks WHERE damage_text IS NOT NULL")" 1 "words that are too many are cut"

# Only its own layer.
n=$((n + 10))
verified $c "$(jq -cn --argjson x "$(layer $c damaged "x" | disk 2001)" '{result: "ok", damaged: 1, disks: [$x]}')"
is "$(rows "SELECT COUNT(*) FROM backup_disks b JOIN backup_jobs j ON j.id = b.job_id WHERE j.backup_id IN ('$a', '$b') AND b.damage_text IS NOT NULL")" 0 \
    "with one layer nothing is said of those below"

# The rows of a database from before a deletion have a layer that has no files any more: nobody has read it.
rows "UPDATE backup_disks SET verified_usec = NULL, damaged_usec = NULL, damage_text = NULL;
    UPDATE backup_disks b JOIN backup_jobs j ON j.id = b.job_id SET damaged_usec = 1, damage_text = 'rotten' WHERE j.backup_id = '$b'" >/dev/null
of_disk() { health | awk -v key="$1" '$2 == key && !/pgtest2|1700000500/ { print $1, $3, $4 }' | sed 's/^backup-pgtest1-//' | paste -sd,; }
verified $c "$(jq -cn --argjson x "$({ layer $c ok; layer $a ok; } | disk 2000)" '{result: "ok", damaged: 0, disks: [$x]}')"
is "$(of_disk 2000)" "1700000200 1 -,1700000100 0 rotten,1700000000 1 -" "a layer that the result does not name was not read: it is not verified, and what was known stays"
verified $c "$(jq -cn --argjson x "$({ layer $c damaged "the catalog has another parent"; layer $a damaged "bad"; } | disk 2001)" '{result: "ok", damaged: 2, disks: [$x]}')"
is "$(of_disk 2001)" "1700000200 0 the,1700000100 0 rotten,1700000000 0 bad" "one below it that the result names is what that says"
rows "UPDATE backup_disks SET verified_usec = NULL, damaged_usec = NULL, damage_text = NULL" >/dev/null
verified $c "$(jq -cn '{result: "ok", damaged: 0, disks: [{disk_key: 2000, n_layers: 2, layers: [], lowest: "'$a'"}]}')"
is "$(of_disk 2000)" "1700000200 0 -,1700000100 0 -,1700000000 0 -" "of a result that was too long nothing is taken for read where the chains differ"
verified $c "$(jq -cn '{result: "ok", damaged: 0, disks: [{disk_key: 2000, n_layers: 3, layers: []}]}')"
is "$(of_disk 2000)" "1700000200 0 -,1700000100 0 -,1700000000 0 -" "and nothing of one that does not say that it is one"

# What is being verified is not due.
store_do job_work_create "$(jq -cn --arg backup "$c" --arg event "$(event 9000)" \
    '{Type: "verify", BackupId: $backup, Work: {chain: true}, Principal: "uid:0", EventId: $event, NowUSec: 1700000300000000}')"
is "$(due 1800000000000000)" "$other" "what is being verified is left out"

# MariaDB cuts a recursive query after so many levels, with a warning alone: chains are longer than it allows by itself.
rows "SET GLOBAL max_recursive_iterations = 3"
store_do vm_set "$(vm_json deep 3)"
for i in 0 1 2 3 4 5; do backup deep $((1700001000 + i)); done
deep=backup-deep-1700001005 lowest=backup-deep-1700001000
damage_lowest() { rows "UPDATE backup_disks b JOIN backup_jobs j ON j.id = b.job_id SET damaged_usec = 1, damage_text = 'rotten' WHERE j.backup_id = '$lowest'" >/dev/null; }
damage_lowest
store_do backup_list '{"Vm":"deep"}'
is "$(got '[.Backups[].Damaged] | tojson')" '[true,true,true,true,true,true]' "damage below a long chain is seen at its top"
store_do backup_get "{\"BackupId\":\"$deep\"}"
is "$(got '[.Damaged, .Problems] | tojson')" '[true,["rotten","rotten"]]' "with what is wrong"
is "$(due 1 100 ',"Vm":"deep"')" "$deep" "it is due"
store_do job_create "$(create_json deep 910 1700001100)"
is "$(got '[.Disks[].BackupType] | join(" ")')" "full full" "nothing is built on it"
step "$(got .Id)" queued cancelled 911 '{"FinishedUSec":1700001100000001}'
store_do job_work_create "$(jq -cn --arg backup "$deep" --arg event "$(event 920)" \
    '{Type: "delete", BackupId: $backup, Work: {force: false}, Principal: "uid:0", EventId: $event, NowUSec: 1700001200000000}')"
refused EMLINK LastBackup "no backup of it counts as a sound one"
n=1000
verified $deep "$(jq -cn --arg lowest "$lowest" '{result: "ok", damaged: 0, disks: [{disk_key: 2000, n_layers: 6, layers: [], lowest: $lowest}]}')"
is "$(health | awk '/backup-deep-170000100/ && $2 == 2000 { print $3, $4 }' | uniq -c | xargs)" "6 1 -" "and a verification reaches all of its layers"
store_do job_work_create "$(jq -cn --arg backup "$deep" --arg event "$(event 1100)" \
    '{Type: "verify", BackupId: $backup, Work: {chain: true}, Principal: "uid:0", EventId: $event, NowUSec: 1700001300000000}')"
store_do job_load_open "{\"Id\":$(got .Id)}"
is "$(got '.Jobs[0].TargetLayers | length')" 12 "which it is told of"
done_testing
