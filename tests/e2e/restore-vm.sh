#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A whole VM comes back: one command makes it anew at its vCenter, each disk as it was at the moment of the backup, with the hardware
# that was recorded; and the VM that came back is backed up like any other.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/e2e.bash"

e2e_up
vcenter_with_pgtest1

vms() { simctl vm list | jq -r '[.[].name] | sort | join(" ")'; }
disk_hash() { simctl disk hash vm="$1" key="$2" | jq -r .hash; } # VM KEY
power_of() { ctl --json vm discover vc1 "$1" | jq -r ".. | .PowerState? // empty"; } # VM
result() { job_field "$1" 'WorkResult | if type == "string" then fromjson else . end'; }
restore() { ctl restore vm "$@" --wait >"$TEST_TMP/restore" 2>&1 || { diag "$(tail -n 20 "$TEST_TMP/restore")" && return 1; }; }

ok "a full backup" backup --type=full
full=$(last_job)
head -c 1536000 /dev/urandom | guest_writes "${keys[0]}" 4194304
ok "an incremental" backup
second=$(last_job)
head -c 71680 /dev/urandom | guest_writes "${keys[0]}" 8388608

ok "the VM of the second backup, under another name" restore "$(job_field "$second" BackupId)" --name="back again" --datastore=datastore1 --power-on
job=$(last_job)
is "$(job_field "$job" State) $(job_field "$job" Type) $(job_field "$job" Node)" "completed restore edge1" "its job is completed, by the node"
is "$(vms)" "back again pgtest1" "vCenter has it"
is "$(result "$job" | jq -r '.path')" "DC0/vm/back again" "the job says where"
is "$(power_of "back again")" poweredOn "it is switched on"
mapfile -t back_keys < <(simctl vm list | jq -r '.[] | select(.name == "back again") | .disks[].key')
is "${#back_keys[@]}" 2 "it has two disks"
for i in 0 1; do
    is "$(disk_hash "back again" "${back_keys[$i]}")" "$(was_at_snapshot "$second" "${keys[$i]}")" "disk ${keys[$i]} is what it was at the snapshot's moment"
done
clean "after the restore"

ok "the VM of the first backup" restore "$(job_field "$full" BackupId)" --name=first --datastore=datastore1 --no-verify --keep-macs
mapfile -t first_keys < <(simctl vm list | jq -r '.[] | select(.name == "first") | .disks[].key')
for i in 0 1; do
    is "$(disk_hash first "${first_keys[$i]}")" "$(was_at_snapshot "$full" "${keys[$i]}")" "disk ${keys[$i]} is what it was then"
done
is "$(power_of first)" poweredOff "it stays off"

# Never over a VM that is there.
is "$(restore "$(job_field "$full" BackupId)" --datastore=datastore1 >/dev/null 2>&1 && echo 'done')" "" "a name that is taken"
is "$(job_field "$(last_job)" ErrorName)" com.sendense.Error.Exists "is refused"
is "$(vms)" "back again first pgtest1" "and nothing was made or removed"
clean "after the refusal"

ok "the VM that came back is found" ctl vm discover vc1 first
ok "and backed up" ctl backup start first --type=full --wait
again=$(last_job)
is "$(job_field "$again" State)" completed "its backup is completed"
is "$(read_back "$again" "${first_keys[0]}")" "$(was_at_snapshot "$full" "${keys[0]}")" "with the same bytes"
clean "at the end"
done_testing
