#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The queue: thirty jobs at a limit of five, one job for one VM, and one that is cancelled before its turn.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

n_vms=30
fault_up '[Jobs]
Running=5
RunningPerRepository=5
Queued=31'
vm first 2
backup first
kept=$(job .BackupId)
for ((i = 1; i <= n_vms; i++)); do
    fault_keys[vm$i]=2000
done
# shellcheck disable=SC2016 # expanded in the machine
require "the hub learns $n_vms VMs" in_hub '
    for ((i = 1; i <= $1; i++)); do
        head -c 1M /dev/urandom >"/srv/src/vm$i-2000.raw" && echo 0 >"/srv/src/vm$i-2000.rate" &&
            systemctl start "source@vm$i-2000.socket" &&
            printf "{\"instance_uuid\":\"%08x-1111-2222-3333-444444444444\",\"name\":\"vm%d\",\"path\":\"/DC/vm/vm%d\",
                \"disks\":[{\"key\":2000,\"unit_number\":0,\"controller\":\"pvscsi:1000\",\"capacity_bytes\":1048576,
                \"backing_uuid\":\"uuid-of-vm%d\"}]}" "$i" "$i" "$i" "$i" | sendensectl vm set - >/dev/null || exit 1
    done' "$n_vms"

# The first ones are held, so that the others find them running.
for i in 1 2 3 4 5; do
    hold "vm$i"
done
start vm1
held=$JOB
# shellcheck disable=SC2016 # expanded in the machine
require "and takes a job for each" in_hub '
    for ((i = 2; i <= $1; i++)); do
        sendensectl backup start "vm$i" --source="2000=nbd+unix:///?socket=/run/src/vm$i-2000.sock" >/dev/null || exit 1
    done' "$n_vms"
for i in 1 2 3 4 5; do
    ok "job $i runs" wait_state copying $((held + i - 1))
done
states_of() { hub sendensectl job list --json | jq -c --arg type "$1" '[.[] | select(.Type == $type and .State != "completed") | .State] | group_by(.) | map([.[0], length])'; }
states() { hub sendensectl job list --json | jq -c '[.[] | .State] | group_by(.) | map([.[0], length])'; }
many="[[\"completed\",1],[\"copying\",5],[\"queued\",$((n_vms - 5))]]"
is "$(states)" "$many" "five run, and the others are queued"

# The hub is killed: who waited waits on, in the same order, behind the same five.
old=$(unit sendense-hub MainPID)
hub /bin/kill -KILL "$old"
back() { [ "$(unit sendense-hub MainPID)" != "$old" ] && [ "$(prop DatabaseState 2>/dev/null)" = 's "ready"' ] && [ "$(prop Jobs)" = "u $n_vms" ]; }
ok "the hub is killed, and back with all of them" eventually "$patience_sec" back
is "$(states)" "$many" "five run, and the others are queued"
is "$(hub sendensectl job list --json | jq -c '[.[] | select(.State == "copying") | .Id] | sort')" \
    "$(jq -nc --argjson first "$held" '[range($first; $first + 5)]')" "the same five"

# One job for one VM.
busy() { # VM
    hub gdbus call --system --dest "$HUB_NAME" --object-path "$HUB_PATH" --method "$HUB_MANAGER.StartBackup" "$1" \
        "{'sources': <{uint32 2000: 'nbd+unix:///?socket=/run/src/$1-2000.sock'}>}" 2>&1
}
like "$(busy vm2)" "com\.sendense\.Error\.VmBusy: Job $((held + 1)) of this VM is copying; .*job show $((held + 1))" "a second job for a VM that runs is refused by the first one's name"
like "$(busy vm20)" "com\.sendense\.Error\.VmBusy: Job $((held + 19)) of this VM is queued; .*job show $((held + 19))" "and for one that is queued"
like "$(busy "a$(printf 'ä%.0s' {1..60})")" "com\.sendense\.Error\.NotFound: There is no VM 'a" "one whose name is cut within a character is answered, too"
ok "one whose backup has completed may have another" start first
vm late 1
start late && fail "more than may be open are not taken" "$ANSWER"
like "$ANSWER" '31 jobs are open already, as \[Jobs\] Queued= allows' "more than may be open are refused, by the setting's name"

# Who has lost something waits for none of them.
ok "a disk is restored all the same" hub timeout "$patience_sec" sendensectl restore disk "$kept" 2000 /srv/back.raw --wait
is "$(hub cmp /srv/back.raw /srv/src/first-2000.raw 2>&1)" "" "and is the VM's"
is "$(states_of backup)" "[[\"copying\",5],[\"queued\",$((n_vms - 4))]]" "while all others stand where they stood"

# Cancelled in the queue.
cancelled=$((held + n_vms - 1))
ok "a queued job is cancelled" hub sendensectl job cancel "$cancelled"
is "$(wait_job "$cancelled")" cancelled "at once, while the others run"
is "$(job '.StartedUSec // "never"' "$cancelled")" never "it never left the queue"
is "$(job '[.Events[] | "\(.From // "") \(.To)"] | last' "$cancelled")" "queued cancelled" "as its history says"

for i in 1 2 3 4 5; do
    release "vm$i"
done
ok "all end" eventually 150 eval '[ "$(prop Jobs)" = "u 0" ]'
hub sendensectl job list --json >"$TEST_TMP/jobs"
is "$(jq -c '[.[] | select(.Type == "backup") | .State] | group_by(.) | map([.[0], length])' "$TEST_TMP/jobs")" \
    "[[\"cancelled\",1],[\"completed\",$((n_vms + 1))]]" "$n_vms complete"

# Objects of jobs: those that are over leave the bus after a minute.
objects() {
    hub busctl --json=short call "$HUB_NAME" "$HUB_PATH" org.freedesktop.DBus.ObjectManager GetManagedObjects |
        jq '[.data[0] | keys[] | select(test("/job/"))] | length'
}
ok "what has just ended is on the bus still" test "$(objects)" -gt 0
gone() { [ "$(objects)" = 0 ]; }
ok "and leaves it" eventually 90 gone || diag "$(objects)"

# How many ran at each moment, by the times of the history.
most=$(jq '[.[] | select(.Type == "backup" and .StartedUSec) | [.StartedUSec, 1], [.FinishedUSec, -1]] | sort |
    reduce .[] as [$at, $step] ({n: 0, most: 0}; .n += $step | .most = ([.n, .most] | max)) | .most' "$TEST_TMP/jobs")
is "$most" 5 "never more than five ran at once, and five did"
is "$(jq '[.[] | select(.Type == "backup" and .StartedUSec)] | sort_by(.Id) | [.[].StartedUSec] | . == sort' "$TEST_TMP/jobs")" true \
    "they started in their order"

# What they made is what their sources are.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'mariadb --skip-column-names --batch sendense -e "SELECT j.backup_id, v.vm_name FROM backup_jobs j
        JOIN vm_replication_contexts v ON v.id = j.vm_context_id WHERE j.state = \"completed\"" |
    while read -r backup name; do
        [ -e "/srv/kept/$backup-2000.raw" ] || cp "/srv/src/$name-2000.raw" "/srv/kept/$backup-2000.raw"
    done'
unharmed "$n_vms jobs"

done_testing
