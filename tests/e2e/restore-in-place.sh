#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A VM that is there gets the disks of a backup in the place of its own: by one command it is what it was at the moment of the backup, and
# still the VM that it is; its next backup is a full and says why. One that runs, or has snapshots, is refused, and nothing of it is
# touched.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up
vcenter_with_pgtest1

result() { job_field "$1" 'WorkResult | if type == "string" then fromjson else . end'; }
in_place() { ctl restore vm "$@" --in-place --wait >"$TEST_TMP/restore" 2>&1; } # BACKUP [OPTION…]
hashes() { simctl vm list vm=pgtest1 | jq -c '[.disks[] | [.key, .hash]]'; }
identity() { simctl vm list vm=pgtest1 | jq -c '[.vm, .name, .instance_uuid, [.disks[].key]]'; }
moment() { simctl snapshots all=1 | jq -c --arg n "-$1-[0-9]+\$" '[[.[] | select(.name | test($n))][-1].disks[] | [.key, .hash]]'; } # JOB
loose() { simctl left | jq -c .loose_disks; }
off() { simctl vm power vm=pgtest1 on=0 >/dev/null; }
on_again() { simctl vm power vm=pgtest1 on=1 >/dev/null; }
reasons() { job_field "$1" 'Disks[] | "\(.BackupType) \(.Reason // "")"' | sort -u; } # JOB
refused() { # NAME ERROR TEXT [OPTION…]
    local name=$1 error=$2 text=$3 before
    shift 3
    before="$(hashes) $(loose)"
    in_place "$backup_id" "$@"
    is "$(job_field "$(last_job)" ErrorName)" "com.sendense.Error.$error" "$name: $error"
    like "$(job_field "$(last_job)" ErrorText)" "$text" "$name: says why, and what to do"
    is "$(hashes) $(loose)" "$before" "$name: nothing of it is touched"
    clean "$name"
}

ok "a full backup" backup --type=full
full=$(last_job)
backup_id=$(job_field "$full" BackupId)
head -c 1536000 /dev/urandom | guest_writes "${keys[0]}" 4194304
ok "an incremental" backup
head -c 71680 /dev/urandom | guest_writes "${keys[1]}" 1048576
it=$(identity)

# One that somebody uses.
refused "a VM that runs" VmNotUsable 'pgtest1 is switched on.*; switch it off; nothing is restored into a VM that runs'
off
simctl vm user-snapshot vm=pgtest1 >/dev/null
refused "a VM with a snapshot" VmNotUsable "has 1 snapshots, 'before the update' among them; remove them, or restore it as a new VM" --force --no-verify
on_again
like "$(ctl restore vm "$backup_id" --in-place --name=x 2>&1)" 'into the VM that is there, and goes without name' "another name is refused"
like "$(ctl restore vm "$backup_id" --keep-disks 2>&1)" 'keep_disks is for a restore in_place' "so are disks to keep of no VM"
simctl vm remove vm=pgtest1 >/dev/null
simctl vm add name=pgtest1 disks=48M:fill=20M,8M:fill=3M on=1 >/dev/null
ok "the VM is made anew, with its identity" ctl vm discover vc1 pgtest1
is "$(simctl vm list vm=pgtest1 | jq -r .instance_uuid)" "$uuid" "it is the same to the hub"
it=$(identity)

# Put back to the first moment.
ok "a backup of it" backup
like "$(reasons "$(last_job)")" 'full another disk has its key' "which is a full of other disks"
is "$(metric hub 'sendense_full_instead_of_incremental_total{reason="other-disk"}')" 2 "and counted, for each disk"
for key in "${keys[@]}"; do head -c 71680 /dev/urandom | guest_writes "$key" 2097152; done
ok "an incremental of it" backup
is "$(reasons "$(last_job)")" 'incremental ' "which is one"
off
wrong=$(hashes)
ok "the first backup, in place" in_place "$backup_id" --power-on || diag "$(tail -n 20 "$TEST_TMP/restore")"
job=$(last_job)
is "$(job_field "$job" State) $(job_field "$job" Type)" "completed restore" "its job is completed"
is "$(hashes)" "$(moment "$full")" "every disk is what it was at the snapshot's moment"
ok "and not what it was before" test "$(hashes)" != "$wrong"
is "$(identity)" "$it" "it is the same VM, with its disks under their keys"
is "$(simctl vm list vm=pgtest1 | jq .on)" true "it is switched on"
is "$(loose)" '[]' "the disks that it had are gone"
is "$(result "$job" | jq -c '[.in_place, .vm, .instance_uuid, .path, .kept_files]')" "[true,\"pgtest1\",\"$uuid\",\"DC0/vm/pgtest1\",[]]" "the job says what it was"
is "$(hub busctl get-property com.sendense.Hub1 "/com/sendense/Hub1/job/$job" com.sendense.Hub1.Job BytesDone)" "t $((56 << 20))" "and that all of it is done"
like "$(ctl job show "$job")" 'exchanged the disks of DC0/vm/pgtest1' "also in words"
clean "after the restore"

# The next backup is a full, also when the hub has been started anew.
hub systemctl restart sendense-hub
require "the hub is back" eventually "$patience_sec" node_answers edge1
head -c 71680 /dev/urandom | guest_writes "${keys[0]}" 1048576
ok "the next backup" backup --type=incremental
next=$(last_job)
is "$(reasons "$next")" 'full the VM was restored in place since its last backup' "is a full, and says why"
is_the_vm "after the restore" "$next"
head -c 71680 /dev/urandom | guest_writes "${keys[0]}" 3145728
ok "the one after it" backup --type=incremental
is "$(reasons "$(last_job)")" 'incremental ' "is an incremental again"
is_the_vm "the incremental after it" "$(last_job)"

# Alone with its VM; and the old disks stay when that is wanted. By HTTP.
off
simctl fault delay method=NfcUpload ms=600000 count=0 >/dev/null
token=$(ctl token create t1 --role=restore --role=inspect 2>/dev/null | tail -n 1)
http() { hub curl -sS --unix-socket /run/sendense/hub-api.sock -H "Authorization: Bearer $token" -w '\n%{http_code}' "$@"; } # OPTION… URL
answer=$(http -X POST -H 'Content-Type: application/json' -d '{"in_place": true, "keep_disks": true, "verify": false}' "http://hub/api/v1/backups/$backup_id/restore-vm")
is "$(tail -n 1 <<<"$answer")" 202 "one is asked for by HTTP" || diag "$answer"
job=$(last_job)
uploads() { [ "$(simctl leases | jq '[.[].open] | add // 0')" -gt 0 ]; }
ok "its disks are being brought" eventually "$patience_sec" uploads || diag "$(job_field "$job" ErrorText)"
like "$(ctl backup start pgtest1 2>&1)" "Job $job of this VM is copying; a VM has one job at a time" "no backup of the VM begins meanwhile"
like "$(ctl restore vm "$backup_id" --in-place 2>&1)" "Job $job \(restore\) of this VM is copying, and a restore in place is alone with its VM" "and no other restore in place"
simctl faults clear >/dev/null
completed() { job_is "$job" completed; }
ok "it completes" eventually "$patience_sec" completed || diag "$(ctl job show "$job")"
is "$(hashes)" "$(moment "$full")" "the VM is what it was then"
is "$(loose)" "$(result "$job" | jq -c '.kept_files | sort')" "the disks that it had lie there, and are named"
is "$(result "$job" | jq '.kept_files | length')" 2 "both of them"
answer=$(http -X POST -H 'Content-Type: application/json' -d '{"in_place": true, "folder": "x"}' "http://hub/api/v1/backups/$backup_id/restore-vm")
is "$(tail -n 1 <<<"$answer")" 400 "by HTTP, too, it goes without a folder"
clean "at the end"
done_testing
