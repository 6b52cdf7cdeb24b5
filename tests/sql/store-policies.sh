#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Policies and their runs in the store: what is set and what stays as it was, which VMs a run is for, when a full is due, that two runs
# never overlap, how a run goes on and ends, and what is looked at before anything is deleted.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/mariadb.bash"
. "$(dirname "$0")/migrate.bash"
. "$(dirname "$0")/store-run.bash"

store_ready
store_with_node
store_do repository_add '{"Name":"local","Path":"/srv/local","NowUSec":1}'
for vm in web1:1 web2:2 db1:3; do store_do vm_set "$(vm_json "${vm%:*}" "${vm#*:}")"; done

set_policy() { store_do policy_set "$(jq -cn --argjson more "${2:-{\}}" --arg name "$1" '{Name: $name, Principal: "uid:0", NowUSec: 1700000000000000} + $more')"; }
set_policy daily '{"Match":["web*"],"Repository":"nowhere"}'
refused ENOENT 'NotFound .*no repository' "a repository that is none is refused"
set_policy daily '{"Match":["web*"],"Repository":"local","Node":"edge9"}'
refused ENOENT 'NotFound .*no node' "so is a node"
set_policy daily '{"Repository":"local"}'
refused EINVAL 'InvalidArgument .*which VMs' "and a policy for nothing"
is "$(rows 'SELECT COUNT(*) FROM policies')" 0 "nothing of them is there"
set_policy daily '{"Match":["web*"],"Repository":"local","Node":"edge1","Calendar":"daily","KeepLast":2,"FullEveryUSec":86400000000}'
is "$(got '[.Name, .Match[0], .Repository, .Node, .Calendar, .KeepLast, .Persistent, .Enabled, .FullEveryUSec] | join(" ")')" \
    "daily web* local edge1 daily 2 true true 86400000000" "one is set"
set_policy daily '{"Node":"","KeepDaily":7,"NowUSec":1700000001000000}'
is "$(got '[.Node // "none", .Calendar, .KeepLast, .KeepDaily, .HeardUSec] | join(" ")')" "none daily 2 7 1700000000000000" "what is not given stays as it was"
set_policy daily '{"Calendar":"weekly","NowUSec":1700000002000000}'
is "$(got .HeardUSec)" 1700000002000000 "what another timer told is no concern of the new one"

begin() { # CAUSE SECOND [KIND]
    store_do policy_run_begin "{\"Policy\":\"daily\",\"Kind\":\"${3:-backup}\",\"Cause\":\"$1\",\"Principal\":\"uid:0\",\"NowUSec\":${2}000000}"
}
begin timer 1700000100
run=$(got .Run)
is "$(got '"\(.Vms) \(.Skipped)"')" "2 false" "a run is for the VMs that are meant"
is "$(rows "SELECT heard_usec FROM policies")" 1700000100000000 "its timer was heard"
begin asked 1700000101
refused EBUSY 'Busy .*is not over' "while it is open nobody has it run"
begin timer 1700000102
is "$(got '"\(.Skipped) \(.Summary)"')" "true run $run was not over" "and its timer's next one is left out, and written down"
store_do policy_run_load
is "$(got '.Runs[0] | [.Policy, .Repository, (.Vms | map(.Name + ":" + .State + ":" + (.IsFull | tostring)) | join(","))] | join(" ")')" \
    "daily local web1:waiting:1,web2:waiting:1" "its first backups are fulls"
web1=$(got '.Runs[0].Vms[0].Vm') web2=$(got '.Runs[0].Vms[1].Vm')

run_vm() { store_do policy_run_vm "$(jq -cn --argjson run "$run" --argjson vm "$1" --arg from "$2" --arg state "$3" --argjson more "${4:-{\}}" '{Run: $run, Vm: $vm, From: $from, State: $state} + $more')"; }
store_do job_create "$(create_json web1 1 1700000110 '{"BackupType":"full"}')"
job=$(got .Id)
run_vm "$web1" waiting backup "{\"BackupJob\":$job}"
run_vm "$web1" waiting backup "{\"BackupJob\":$job}"
refused ESTALE '' "a step is taken once"
store_do policy_run_load
is "$(got '.Runs[0].Vms[0] | "\(.Name) \(.BackupJob) \(.BackupState)"')" "web1 $job queued" "it knows its job, and how that stands"
finish "$job" 10
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700000200000000}"
refused ESTALE '' "it does not end while a VM is open"
run_vm "$web1" backup prune
run_vm "$web2" waiting skipped '{"Reason":"job 9 is copying"}'
store_do policy_look "{\"Run\":$run,\"Vm\":$web1}"
is "$(got '.Vms[0] | [.Name, (.Backups | length), .Backups[0].Damaged, (.Policies | map(.Name) | join("+")), .Owed] | map(tostring) | join(" ")')" \
    "web1 1 false daily 0" "what decides about old backups is looked at"
is "$(got '.Vms[0] | "\(.BackupJob) \(.Backups[0].Job)"')" "$job $job" "and which of them the run made"
# A backup without a disk is partial beside one that has it, and only then.
store_do job_create "$(create_json db1 20 1700000120 '{"BackupType":"full","Exclude":{"2001":"scratch"}}')"
finish "$(got .Id)" 400
db1=$(rows "SELECT id FROM vm_replication_contexts WHERE vm_name = 'db1'")
partial() { store_do policy_look "{\"Run\":$run,\"Vm\":$db1}" && got '.Vms[0].Backups | map(.IsPartial) | join(" ")'; }
is "$(partial)" 0 "where none has the disk a backup without it is whole"
store_do job_create "$(create_json db1 21 1700000130 '{"BackupType":"full"}')"
finish "$(got .Id)" 420
is "$(partial)" "0 1" "beside one with the disk it is partial"
run_vm "$web1" prune completed '{"Deleted":2,"BeforeBytes":100,"AfterBytes":0}'
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700000200000000}"
is "$(got '"\(.State): \(.Summary)"')" "completed: 1 backed up, 1 skipped, 2 backups deleted" "it ends when none is"
store_do policy_get '{"Policy":"daily"}'
is "$(got '.Runs[] | select(.State == "completed").Vms[0] | "\(.Deleted) \(.BeforeBytes) \(.AfterBytes) \(.Full)"')" "2 100 0 true" "its history is shown"

# A full is due when the newest that it made is a day old.
begin asked 1700000300
run=$(got .Run)
store_do policy_run_load
is "$(got '.Runs[0].Vms | map("\(.Name):\(.IsFull)") | join(" ")')" "web1:0 web2:1" "one that has its full is backed up by its changes"
run_vm "$web1" waiting failed '{"Reason":"no"}'
run_vm "$web2" waiting failed '{"Reason":"no"}'
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700000301000000}"
is "$(got '"\(.State): \(.Summary)"')" "failed: 0 backed up, 2 failed" "a run with a failure is a failure"
begin timer 1700090000
run=$(got .Run)
store_do policy_run_load
is "$(got '.Runs[0].Vms | map("\(.Name):\(.IsFull)") | join(" ")')" "web1:1 web2:1" "a day later a full is due"

# Another policy, of the same repository, has its word.
set_policy all '{"Match":["*"],"Except":["web2"],"Repository":"local"}'
store_do policy_look '{"Policy":"daily"}'
is "$(got '.Vms | map("\(.Name):\(.Policies | map(.Name) | join("+"))") | join(" ")')" "web1:all+daily web2:daily" "all that mean a VM are looked at"
store_do policy_look '{"Policy":"daily","Vm":"db1"}'
refused ENOENT 'NotFound .*is not for a VM' "one that it does not mean is refused"

store_do policy_remove '{"Policy":"daily","NowUSec":1700099999000000}'
store_do policy_run_load
is "$(got '.Runs[0].IsRemoved')" 1 "what a removed one had begun is led to its end"
store_do policy_list
is "$(got '.Policies | map(.Name) | join(" ")')" all "and it is listed no more"
set_policy daily '{"Match":["*"],"Repository":"local"}'
is "$(got .KeepLast)" 0 "its name is free"
begin asked 1700100000
ok "for runs, too" test "$(got .Run)" -gt 0

# However often its timer tells while one is open, that one is shown, and when it is over as well.
run=$(got .Run)
store_do policy_run_load
vms=$(got ".Runs[] | select(.Id == $run).Vms[].Vm")
for i in {1..21}; do begin timer $((1700100000 + i)); done
runs() { store_do policy_get '{"Policy":"daily"}' && got "[.Runs[] | $1] | map(tostring) | join(\" \")"; } # JQ
is "$(runs 'select(.State == "running").Id')" "$run" "a run is shown that 21 others came upon"
is "$(runs 'select(.State == "skipped").CreatedUSec / 1000000 - 1700100000')" "$(seq -s' ' 21 -1 2)" "and the newest 20 of those"
for vm in $vms; do run_vm "$vm" waiting failed '{"Reason":"no"}'; done
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700100100000000}"
is "$(runs 'select(.Id == '"$run"').State')" failed "it is there when it is over"
for i in {1..20}; do
    begin asked $((1700100200 + i))
    run=$(got .Run)
    for vm in $vms; do run_vm "$vm" waiting failed '{"Reason":"no"}'; done
    store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700100300000000}"
done
is "$(runs .State)" "$(yes failed | head -n 20 | paste -sd' ')" "20 runs later neither it nor what was left out meanwhile"

# A run that made no backup is no success, for whoever asks when the last one was.
set_policy daily '{"Match":["web*"]}'
begin asked 1700100400
run=$(got .Run)
store_do policy_run_load
mapfile -t vms < <(got ".Runs[] | select(.Id == $run).Vms[].Vm")
success() { store_do policy_get '{"Policy":"daily"}' && got '.LastSuccessUSec // 0' && store_do figures && got '.PolicyFigures[] | select(.Policy == "daily").LastSuccessUSec'; }
store_do job_create "$(create_json web1 30 1700100410 '{"BackupType":"full"}')"
job=$(got .Id)
run_vm "${vms[0]}" waiting backup "{\"BackupJob\":$job}"
finish "$job" 500
run_vm "${vms[0]}" backup prune
run_vm "${vms[0]}" prune completed
run_vm "${vms[1]}" waiting skipped '{"Reason":"job 9 is copying"}'
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700100450000000}"
is "$(got .State) $(success | paste -sd' ')" "completed 1700100450000000 1700100450000000" "one VM that was backed up is a success, though the other was skipped"
begin timer 1700100500
run=$(got .Run)
for vm in "${vms[@]}"; do run_vm "$vm" waiting skipped '{"Reason":"job 9 is copying"}'; done
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700100501000000}"
is "$(got '"\(.State): \(.Summary)"')" "skipped: 0 backed up, 2 skipped" "a run whose every VM was skipped was skipped"
is "$(success | paste -sd' ')" "1700100450000000 1700100450000000" "and is no success"
is "$(runs '.State' | cut -d' ' -f1)" skipped "it is shown"
begin timer 1700100600
run=$(got .Run)
for vm in "${vms[@]}"; do run_vm "$vm" waiting completed '{"Reason":"it is of no vCenter"}'; done
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700100601000000}"
is "$(got '"\(.State): \(.Summary)"') $(success | paste -sd' ')" "completed: 0 backed up, 2 with a remark 1700100450000000 1700100450000000" \
    "nor is one whose VMs are all of no vCenter"
begin timer 1700100700 prune
run=$(got .Run)
for vm in "${vms[@]}"; do run_vm "$vm" prune skipped; done
store_do policy_run_end "{\"Run\":$run,\"NowUSec\":1700100701000000}"
is "$(got .State)" completed "a run that only prunes is no backup that was left out"

# A policy whose node is removed is one without a node, whoever gets the name.
set_policy pinned '{"Match":["web*"],"Repository":"local","Node":"edge1"}'
set_policy before '{"Match":["web*"],"Repository":"local","Node":"edge1"}'
store_do node_remove '{"Node":"edge1","Force":true,"NowUSec":5}'
is "$(rows "SELECT node_id FROM policies WHERE live_name = 'pinned'")" NULL "its node is removed"
rows "UPDATE policies SET node_id = 1 WHERE live_name = 'before'" >/dev/null # by a hub that forgot it
for name in pinned before; do
    store_do policy_get "{\"Policy\":\"$name\"}"
    is "$(got 'has("Node")')" false "$name: it shows none"
    set_policy $name '{"KeepLast":3}'
    is "$(got '"\(.KeepLast) \(.Node // "none")"')" "3 none" "$name: and can be changed"
done
rows "UPDATE policies SET node_id = 1 WHERE live_name = 'before';
    INSERT INTO nodes (id, name, reverse_port, created_usec) VALUES (2, 'edge1', 9082, 1)" >/dev/null
for name in pinned before; do
    set_policy $name '{"KeepLast":4}'
    is "$(got .Node) $(rows "SELECT node_id FROM policies WHERE live_name = '$name'")" "null NULL" "$name: another node of that name is not its node"
done

# A repository that policies name stays; what they named is history when it is all that is left.
store_do repository_add '{"Name":"extra","Path":"/srv/extra","NowUSec":5}'
extra=$(got .Id)
set_policy there '{"Match":["web*"],"Repository":"extra"}'
set_policy other '{"Match":["web*"],"Repository":"extra"}'
store_do repository_remove '{"Repository":"extra"}'
refused EBUSY '^com.sendense.Error.Busy Repository extra is the one of policies: other, there; set another' "a repository of policies is not removed, and they are named"
for i in 1 2 3 4; do set_policy "more$i" '{"Match":["web*"],"Repository":"extra"}'; done
store_do repository_remove '{"Repository":"extra"}'
refused EBUSY 'policies: more1, more2, more3, more4, other, …; set' "when there are many some of them"
for i in 1 2 3 4; do store_do policy_remove "{\"Policy\":\"more$i\",\"NowUSec\":5}"; done
store_do policy_remove '{"Policy":"there","NowUSec":5}'
set_policy other '{"Repository":"local"}'
store_do repository_remove '{"Repository":"extra"}'
is "$answer $(rows "SELECT COUNT(*) FROM policies WHERE repository_id = $extra")" "{\"Id\":$extra} 0" "without them it is removed, and those that never ran with it"
store_do repository_add '{"Name":"extra","Path":"/srv/extra","NowUSec":5}'
extra=$(got .Id)
set_policy ran '{"Match":["none"],"Repository":"extra"}'
rows "INSERT INTO policy_runs (policy_id, kind, cause, state, principal, created_usec, finished_usec)
    SELECT id, 'backup', 'asked', 'completed', 'uid:0', 1, 1 FROM policies WHERE live_name = 'ran'" >/dev/null
store_do policy_remove '{"Policy":"ran","NowUSec":5}'
store_do repository_remove '{"Repository":"extra"}'
refused EBUSY 'Busy Repository extra is part of the history of 1 runs of policies that were removed' "one that ran is history, and keeps it"

# A VM may be named by its instance UUID, in capitals, too.
set_policy uuids '{"Match":["web9"],"Repository":"local"}'
store_do vm_set "$(vm_json web9 4 | jq -c '.InstanceUuid = "abcdef00-0000-0000-0000-00000000000a"')"
store_do policy_look '{"Policy":"uuids","Vm":"ABCDEF00-0000-0000-0000-00000000000A"}'
is "$(got '.Vms[0].Name')" web9 "an instance UUID in capitals says which VM is looked at"
done_testing
