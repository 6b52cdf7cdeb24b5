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

record_of() { # JOB
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'cat /var/lib/sendense/repository/*/backups/"$1".json' "$(job_field "$1" BackupId)"
}
nvram_of() { simctl vm nvram vm="$1" "${@:2}" | jq -r .sha256; } # VM [K=V…]

ok "a full backup" backup --type=full
full=$(last_job)
nvram_full=$(nvram_of pgtest1)
nvram_second=$(nvram_of pgtest1 seed=7)
head -c 1536000 /dev/urandom | guest_writes "${keys[0]}" 4194304
ok "an incremental" backup
second=$(last_job)
head -c 71680 /dev/urandom | guest_writes "${keys[0]}" 8388608
nvram_of pgtest1 seed=8 >/dev/null
is "$(record_of "$full" | jq -r '.hardware.nvram.sha256') $(record_of "$second" | jq -r '.hardware.nvram.sha256')" "$nvram_full $nvram_second" \
    "each backup has the variables of the EFI as they were"
ok "which are not the same" test "$nvram_full" != "$nvram_second"

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
is "$(nvram_of "back again")" "$nvram_second" "its EFI has the variables of that moment"
is "$(result "$job" | jq -c '[.left_out[].type]')" '[]' "nothing is left out"
clean "after the restore"

ok "the VM of the first backup" restore "$(job_field "$full" BackupId)" --name=first --datastore=datastore1 --no-verify --keep-macs
mapfile -t first_keys < <(simctl vm list | jq -r '.[] | select(.name == "first") | .disks[].key')
for i in 0 1; do
    is "$(disk_hash first "${first_keys[$i]}")" "$(was_at_snapshot "$full" "${keys[$i]}")" "disk ${keys[$i]} is what it was then"
done
is "$(power_of first)" poweredOff "it stays off"
is "$(nvram_of first)" "$nvram_full" "with the variables of its own moment"

# Never over a VM that is there.
is "$(restore "$(job_field "$full" BackupId)" --datastore=datastore1 >/dev/null 2>&1 && echo 'done')" "" "a name that is taken"
is "$(job_field "$(last_job)" ErrorName)" com.sendense.Error.Exists "is refused"
is "$(vms)" "back again first pgtest1" "and nothing was made or removed"
clean "after the refusal"

# A node that tells megabytes of what it has made: the job keeps what a row can hold, and the VM is as good.
node_peer --task /srv/task
jq -n '{warnings: [range(500) | "warning \(.) of many" + " that are long" * 20]}' | node install -m 644 /dev/stdin /srv/task
ok "with very many warnings the VM is made" restore "$(job_field "$full" BackupId)" --name=warned --datastore=datastore1 --no-verify
job=$(last_job)
is "$(job_field "$job" State) $(result "$job" | jq -c '[.path, .warnings]')" 'completed ["DC0/vm/warned",null]' "its job has all but them"
like "$(in_hub 'journalctl -q --sync; journalctl -q -o cat SENDENSE_JOB="$1"' "$job")" "Node edge1 tells the warnings of the restore at a length of more than 128 KiB; the job is without it" "and says so"
node_peer_goes
clean "with very many warnings"

ok "the VM that came back is found" ctl vm discover vc1 first
ok "and backed up" ctl backup start first --type=full --wait
again=$(last_job)
is "$(job_field "$again" State)" completed "its backup is completed"
is "$(read_back "$again" "${first_keys[0]}")" "$(was_at_snapshot "$full" "${keys[0]}")" "with the same bytes"
is "$(record_of "$again" | jq -r '.hardware.nvram.sha256')" "$nvram_full" "and the same variables, though it was never switched on"
clean "at the end"
done_testing
