#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A whole backup at the node, asked for by HTTP as a hub does: one snapshot, every disk into its own target, the snapshot
# held until the hub says so; then an increment. What is in the images is what the disks were at the snapshot's moment.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up
vcenter_up -empty
vm_new 64M:fill=16M,32M:nvme:fill=8M

targets_up full
backup full
like "$answer" '^202 .*"status":"started","job_id":1' "a full backup is taken"
ok "it is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
is "$(simctl snapshots | jq length)" 1 "the snapshot is held"
is "$(task .owes_snapshot)" true "and shown as owed"
targets_down
same full
like "$(release committed)" '^200 ' "the hub has it"
ok "the job is over" eventually "$patience_sec" state_is released
clean "a full backup"

# The same request again is no new backup; another for the same job and attempt is refused.
answer=$(api POST backup/start "$(request full)")
like "$answer" '^202 .*"state":"released"' "the same request again tells how the job stands"
like "$(api POST backup/start "$(request full '.vm_name = "other"')")" '^409 .*another request' "another request for it is refused"

# An increment: tracking was switched on by the first, so each disk is known.
node systemctl reset-failed
known=$(api GET "backup/$job" | cut -d' ' -f2- | jq -c --argjson vm "$(simctl vm list | jq -c '.[] | select(.name == "web01")')" \
    '[.disks[] | .key as $k | {key: $k, capacity_bytes: .capacity_bytes, change_id: .change_id,
      backing_uuid: ($vm.disks[] | select(.key == $k).uuid)}]')
head -c 102400 /dev/urandom | simctl_write 2000 1048576
head -c 65536 /dev/zero | simctl_write 32000 0
targets_up inc full
simctl calls clear >/dev/null
backup incremental ".disks = $known"
like "$answer" '^202 ' "an increment is taken"
ok "it is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
is "$(simctl calls | jq '[.[] | select(.method == "Login")] | length')" 4 "by one login for each step"
is "$(task '[.disks[].backup_type] | unique | join(" ")')" incremental "of both disks" || diag "$(task .disks)"
is "$(node jq -c '[.disks[] | .bytes_sent + .bytes_zeroed < 1000000]' "/var/lib/sendense-node/ledger/$job.result")" '[true,true]' \
    "and little more than what was written" || diag "$(node cat "/var/lib/sendense-node/ledger/$job.result" | cut -c1-2000)"
targets_down
same inc
# The snapshot goes and its deltas stay: no failure, and not silent either.
head -c 65536 /dev/urandom | simctl_write 2000 0
simctl fault consolidation-needed count=2 >/dev/null
simctl fault task-error method=ConsolidateVMDisks_Task count=2 >/dev/null
release committed >/dev/null
ok "and is over" eventually "$patience_sec" state_is released
like "$(task '.warnings | join("; ")')" 'web01 is removed, but the VM needs consolidation, and 127.0.0.1 could not do it' \
    "that the VM needs consolidation is shown"
is "$(task '.error + (.owes_snapshot | tostring)')" false "and is no failure"
ok "the journal has it" in_node 'journalctl --sync; journalctl -q -t sendense-node -p warning | grep -q "the VM needs consolidation"'
is "$(simctl left | jq '.consolidation_needed | length')" 1 "it does need it"
clean "an increment"

# Cancelled in the middle, and given up.
targets_up again
simctl fault delay method=FolderGet ms=6000 count=0 >/dev/null
backup full
ok "a third one copies" eventually "$patience_sec" state_is copying
# How far it is: in one line by systemctl, by disk for who asks, and by disk in the stream.
in_node 'exec curl -sN --max-time 300 -H "Authorization: Bearer $(cat /srv/token)" "http://127.0.0.1:8081/api/v1/backup/$1/events"' "$job" >"$TEST_TMP/events" &
stream=$!
status() { node systemctl show --value -p StatusText "sendense-copy-$job"; }
tells_disk() { [[ $(status) == *'; 2000: '* || $(status) == *', 2000: '* ]]; }
ok "its unit tells how far each disk is" eventually "$patience_sec" tells_disk
like "$(status)" '^Copying: [0-9]+ % of 0\.1 GiB, [0-9]+ MiB/s; 0 of 2 disks done; (32000: [0-9]+ %, )?2000: [0-9]+ %(, 32000: [0-9]+ %)?$' "in one line"
like "$(node systemctl status --no-pager "sendense-copy-$job")" 'Status: "Copying: ' "which systemctl status shows"
shown() { task '[.disks[] | select(.bytes_done > 0) | "\(.key) \(.bytes_total)"] | sort | join(", ")'; }
shows_both() { [[ $(shown) == *,* ]]; }
ok "the node shows that both disks are on their way" eventually "$patience_sec" shows_both || diag "$(task .)"
is "$(shown)" "2000 $((64 << 20)), 32000 $((32 << 20))" "each with its length"
# Bytes done of a disk, as often as they were another number.
steps() { sed -n 's/^data: //p' "$TEST_TMP/events" | jq -c --argjson k "$1" '.disks[]? | select(.key == $k).bytes_done' | uniq; }
walks() { [ "$(steps "$1" | wc -l)" -ge 3 ]; }
for key in 2000 32000; do
    ok "the stream shows disk $key on its way" eventually "$patience_sec" walks "$key" || diag "$(head -c 2000 "$TEST_TMP/events")"
    is "$(steps "$key")" "$(steps "$key" | sort -n)" "and it goes on, and never back"
done
is "$(simctl left | jq '.consolidation_needed | length')" 0 "and has consolidated before"
like "$(api DELETE "backup/$job")" '^202 ' "it is cancelled"
ok "that is what it ends as" eventually "$patience_sec" state_is cancelled
simctl faults clear >/dev/null
ok "with it the stream ends" timeout "$patience_sec" tail --pid="$stream" -f /dev/null
is "$(sed -n 's/^data: //p' "$TEST_TMP/events" | jq -s -r '[.[] | objects | .state // empty] | last')" cancelled "after it has told that"
clean "a cancelled one"
backup full
ok "a fourth one is copied" eventually "$patience_sec" state_is copied
release abandoned >/dev/null
ok "the hub gives it up" eventually "$patience_sec" state_is released
targets_down
clean "one that was given up"

# What cannot be done is a named error, and leaves nothing.
fails() { # NAME ERROR TEXT JQ
    backup full "$4"
    ok "$1: it fails" eventually "$patience_sec" state_is failed || diag "$answer" "$(task .)"
    is "$(task .error_name)" "com.sendense.Error.$2" "$1: $2"
    like "$(task .error)" "$3" "$1: and says what"
    clean "$1"
}
fails "a wrong password" VCenterLogin . '.vcenter_password = "wrong"'
fails "no such VM" VmMissing . '.instance_uuid = "00000000-0000-0000-0000-000000000000"'

# So does what would fail the copy; and it is found before there is a snapshot.
snapshots_asked() { simctl calls | jq '[.[] | select(.method == "CreateSnapshotEx_Task" or .method == "CreateSnapshot_Task")] | length'; }
asked=$(snapshots_asked)
ok "the snapshots of before are on record" [ "$asked" -gt 0 ]
targets_up refused
fails "a disk without a target" DisksChanged '^Disk 2000 .*no target' 'del(.nbd_targets["2000"])'
fails "a target without a disk" DisksChanged '^Disk 2001 has a target, and the VM has no such disk' '.nbd_targets["2001"] = "nbd://127.0.0.1:10999/nothing"'
fails "a target that is not there" TargetFailed '^disk 2000: .*nothing was done' '.nbd_targets["2000"] = "nbd://127.0.0.1:10999/nothing"'
fails "swapped targets" TargetFailed 'are they swapped\?' \
    '.nbd_targets as $t | .nbd_targets["2000"] = $t["32000"] | .nbd_targets["32000"] = $t["2000"]'
simctl disk descriptor vm=web01 key=32000 type=sesparse >/dev/null
fails "a disk that HTTPS cannot read" SourceFailed '^disk 32000: .*nothing was done' .
is "$(snapshots_asked)" "$asked" "no snapshot was asked for"
# What an earlier job has left above the disk does not hide it.
# shellcheck disable=SC2016 # expanded in the machine
in_node 'jq -nc --argjson request "$1" --arg name "$2" "{vcenter: (\$request | {host: .vcenter_host, port: .vcenter_port,
    user: .vcenter_user, ca_file}), instance_uuid: \$request.instance_uuid, name: \$name, leftover_prefix: \$name, quiesce: \"no\",
    cbt: \"as-is\"}" | /usr/lib/sendense/sendense-vsphere --password-file=/srv/sim/password snapshot >/dev/null' \
    "$(request full)" "$(task .snapshot_name | cut -d- -f1-2)-900-1"
is "$(simctl snapshots | jq length)" 1 "an earlier job has left a snapshot"
asked=$(snapshots_asked)
fails "a disk that HTTPS cannot read, below it" SourceFailed '^disk 32000: .*nothing was done' .
like "$(task '.warnings | join("; ")')" '1 snapshot\(s\) of an earlier job removed' "the leftover is gone, and that is told"
simctl disk descriptor vm=web01 key=32000 type=vmfs >/dev/null
is "$(snapshots_asked)" "$asked" "nor was one then"
targets_down
is "$(in_node 'grep -rlF "$(cat /srv/sim/password)" /var/lib/sendense-node /run/sendense-node /run/systemd/transient /var/log/journal 2>/dev/null')" "" "the password is in no file of ours"

done_testing
