#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The database is lost, and the folder of the repository and the nodes are there. After the steps that docs/RESTORE.md names backups go on
# as increments of what was adopted, through a node that remembers jobs of the same numbers, and all that is made of backups is made of these.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up
vcenter_with_pgtest1 "16M:fill=6M,8M:fill=2M"

ok "a full backup" backup --type=full
full=$(job_field 1 BackupId)
was=$(was_at_snapshot 1 "${keys[0]}")
ok "which is verified" ctl backup verify "$full" --wait
head -c 1536000 /dev/urandom | guest_writes "${keys[0]}" 4194304
ok "and an increment" backup
is "$(last_job)" 3 "by the third job"
second=$(job_field 3 BackupId)
ok "a folder for a second repository" hub install -d -o sendense -g sendense-export -m 2750 /var/lib/sendense/other
ok "the second repository" ctl repository add other /var/lib/sendense/other
ok "has a backup, too" backup --type=full --repository=other
for n in 5 6; do
    ok "backup $n" backup
done
for n in 6 5; do
    ok "which is deleted" ctl backup delete "$(job_field "$n" BackupId)" --wait
done

hub systemctl stop sendense-hub
hub mariadb -e 'DROP DATABASE sendense'
ok "the database is lost" hub systemctl restart sendense-migrate
ok "the hub starts" in_hub 'systemctl start sendense-hub && sendensectl database probe >/dev/null'
is "$(ctl --json backup list | jq length)" 0 "and knows nothing"

# The steps of docs/RESTORE.md.
is "$(ctl --json repository scan 1 | jq -c '[.Added, (.Problems | length), (.Strays | length)]')" '[2,0,0]' "the repository is scanned"
ok "the other one added" ctl repository add other /var/lib/sendense/other
is "$(ctl --json repository scan other | jq -c '[.Added, (.Problems | length), (.Strays | length)]')" '[1,0,0]' "and scanned"
enroll_again() { ctl node add edge1 --hub=hub 2>/dev/null | node sendense-node enroll --replace - >"$TEST_TMP/enroll" 2>&1; }
ok "the node is enrolled again" enroll_again || diag "$(<"$TEST_TMP/enroll")"
ok "and answers" eventually "$patience_sec" node_answers edge1
ok "the vCenter is added again" vcenter_add
ok "its VM is discovered" ctl vm discover vc1 pgtest1

# The catalog's next jobs have numbers that the node has seen.
is "$(last_job)" 3 "three backups were adopted"
head -c 524288 /dev/urandom | guest_writes "${keys[0]}" 9437184
ok "a damage that is not there is not believed" ctl backup verify "$second" --wait
for n in 5 6; do
    ok "a backup by the node" backup || diag "$(job_field "$(last_job)" ErrorText)"
    is "$(ctl --json job show "$n" | jq -r '"\(.Type) \(.State) \(.Node) \([.Disks[].BackupType] | unique | join(","))"')" \
        "backup completed edge1 incremental" "is job $n, an increment of what was adopted"
    is_the_vm "job $n" "$n"
    head -c 131072 /dev/urandom | guest_writes "${keys[0]}" $((n * 1048576))
done

# What is made of backups.
like "$(ctl backup tree pgtest1)" "$second" "the chain is shown"
token=$(ctl token create again --role=inspect --role=restore)
hub systemctl start sendense-hub-api.socket
restored=$(hub curl -s --max-time 60 -H "Authorization: Bearer $token" -H 'Idempotency-Key: back' \
    -d '{"name": "back", "datastore": "datastore1", "networks": {}, "power_on": false, "verify": true}' "http://127.0.0.1:8082/api/v1/backups/$full/restore-vm" | jq .job_id)
over() { [[ $(job_over hub "$restored" "$patience_sec") =~ ^(completed|failed|cancelled)$ ]]; }
ok "the adopted VM is restored by HTTP" over
is "$(ctl --json job show "$restored" | jq -r '"\(.Type) \(.State) \(.Principal)"')" "restore completed token:again" "and comes back" || diag "$(job_field "$restored" ErrorText)"
back_key=$(simctl vm list | jq -r '.[] | select(.name == "back") | .disks[0].key')
is "$(simctl disk hash vm=back key="$back_key" | jq -r .hash)" "$was" "as it was"
ok "a policy for it" ctl policy set keep --vm=pgtest1 --keep-last=2
is "$(ctl --json policy prune keep --dry-run | jq -r '[.[] | select(.Stays | not) | .BackupId] | sort | join(" ")' | tr ' ' '\n' | grep -cx "$full")" 1 "would have the adopted full go"
ok "it is pruned" ctl policy prune keep
full_is_gone() { [ "$(ctl --json backup list pgtest1 | jq --arg full "$full" '[.[] | select(.BackupId == $full)] | length')" = 0 ]; }
ok "and merged into the next" eventually "$patience_sec" full_is_gone
is_over() { [ "$(ctl --json policy show keep | jq -r '.Runs[0].State')" = completed ]; }
ok "the run is completed" eventually "$patience_sec" is_over
is_the_vm "the newest" 6
like "$(hub curl -s -H "Authorization: Bearer $token" http://127.0.0.1:8082/api/v1/backups)" "\"backup_id\":\"$(job_field 6 BackupId)\"" "HTTP tells the same, with a new token"

# The database comes back from a dump, and the node still holds a job that is later than the dump: the next of its number is another one,
# which is refused, and gives up nothing but itself.
in_hub 'mariadb-dump sendense >/var/tmp/before.sql' || fail "the database can be dumped"
simctl fault delay method=CreateSnapshot_Task ms=120000 count=1 >/dev/null
ctl backup start pgtest1 >/dev/null
held=$(last_job)
task_of() { node sendensectl --json task show "$held" | jq -r "$1"; }
ending() { node busctl get-property com.sendense.Node1 "/com/sendense/Node1/task/$held" com.sendense.Node1.Task Ending; }
held_at_node() { [ -n "$(task_of .State)" ]; }
ok "job $held is at the node" eventually "$patience_sec" held_at_node
attempt=$(task_of .Attempt)
hub systemctl stop sendense-hub
in_hub 'mariadb -e "DROP DATABASE sendense; CREATE DATABASE sendense" && mariadb sendense </var/tmp/before.sql' || fail "the dump can be put back"
ok "the hub starts with the dump" in_hub 'systemctl start sendense-hub && sendensectl database probe >/dev/null'
ok "the node answers" eventually "$patience_sec" node_answers edge1
not_ok() { ! "$@"; }
ok "the next backup fails" not_ok ctl backup start pgtest1 --wait
is "$(last_job)" "$held" "under the number of before"
is "$(job_field "$held" State) $(job_field "$held" ErrorName)" "failed com.sendense.Error.Exists" "because the node has one of it"
is "$(task_of '"\(.Attempt) \(.Outcome)"') $(ending)" "$attempt  s \"\"" "the node's goes on, and is not given up"
is "$(ctl --json obligation list | jq length)" 0 "the hub owes nothing for its own"
ok "the node's own is cancelled there" node sendensectl task cancel "$held"
is "$(ending)" 's "cancelled"' "which shows"
simctl faults clear >/dev/null
# Nobody's: a scan names the images of the job that the dump does not know, and they are removed as docs/RESTORE.md says.
mapfile -t strays < <(ctl --json repository scan 1 | jq -r '.Strays[]')
is "$(printf '%s\n' "${strays[@]}" | grep -c '\.qcow2\.partial$')/${#strays[@]}" 2/2 "the images that it had begun are told, and nothing else" || diag "${strays[@]}"
for stray in "${strays[@]}"; do hub rm "/var/lib/sendense/repository/$stray"; done
clean "after the dump"

# The same while a restore in place waits for its hub: nobody but an operator can say what becomes of it, and is told how.
simctl vm power vm=pgtest1 on=0 >/dev/null
in_hub 'mariadb-dump sendense >/var/tmp/before.sql' || fail "the database can be dumped"
simctl fault delay method=NfcUpload ms=600000 count=0 >/dev/null
ok "a restore in place" ctl restore vm "$(job_field 6 BackupId)" --in-place --no-verify
held=$(last_job)
uploads() { [ "$(simctl leases | jq '[.[].open] | add // 0')" -gt 0 ]; }
ok "brings its disks" eventually "$patience_sec" uploads || diag "$(job_field "$held" ErrorText)"
hub systemctl stop sendense-hub
simctl faults clear >/dev/null
copied() { [ "$(task_of .State)" = copied ]; }
ok "its disks are the VM's while the hub is away" eventually "$patience_sec" copied
in_hub 'mariadb -e "DROP DATABASE sendense; CREATE DATABASE sendense" && mariadb sendense </var/tmp/before.sql' || fail "the dump can be put back"
ok "the hub starts with the dump" in_hub 'systemctl start sendense-hub && sendensectl database probe >/dev/null'
ok "the node answers" eventually "$patience_sec" node_answers edge1
way_out="sendensectl task release $held committed"
ok "a backup of the VM fails" not_ok ctl backup start pgtest1 --wait
like "$(job_field "$(last_job)" ErrorText)" "$way_out" "under the number of before, and says what ends it"
ok "the next one fails" not_ok ctl backup start pgtest1 --wait
is "$(job_field "$(last_job)" ErrorName)" com.sendense.Error.VmBusy "because of the VM"
like "$(job_field "$(last_job)" ErrorText)" "$way_out" "and says the same"
like "$(node sendensectl task show "$held" | tr -s ' \n' ' ')" "Waits for: its hub; .*$way_out" "so does the node of its task"
ok "it is typed there" node sendensectl task release "$held" committed
released() { [ "$(task_of .State)" = released ]; }
ok "the restore comes to its end" eventually "$patience_sec" released || diag "$(node sendensectl task show "$held")"
ok "and backups go on" backup || diag "$(job_field "$(last_job)" ErrorText)"
is_the_vm "after it" "$(last_job)"
clean "at the end"
done_testing
