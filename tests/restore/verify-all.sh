#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whatever is due for verification leaves room: the timer's service begins as many jobs as leave half of the queue, one reads at a time, and
# what people ask for meanwhile, a backup, a restore, a deletion, is done while they wait.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

n_vms=10
fault_up '[Jobs]
Running=4
RunningPerRepository=2
Queued=6'
declare -A first
for ((i = 1; i <= n_vms; i++)); do
    vm "vm$i" 1
    backup "vm$i"
    first[vm$i]=$(job .BackupId)
done
fault_baseline

# A verification reads nothing before the file is there. And what is due is told by the minute, not by the week.
require "verifications are held" hub install -D -m 644 /dev/stdin /etc/systemd/system/sendense-verify-.service.d/90-hold.conf <<'X'
[Service]
TimeoutStartSec=infinity
ExecStartPre=/bin/sh -c 'until [ -e /run/verify-goes ]; do sleep 0.05; done'
X
require "due is whatever was never read" hub install -D -m 644 /dev/stdin /etc/systemd/system/sendense-verify.service.d/90-due.conf <<'X'
[Service]
Environment=OLDER_THAN_USEC=3600000000
RestartSec=1s
X
require "the timer tells soon" hub install -D -m 644 /dev/stdin /etc/systemd/system/sendense-verify.timer.d/90-soon.conf <<'X'
[Timer]
OnCalendar=
OnCalendar=*:*:0/3
RandomizedDelaySec=0
AccuracySec=1ms
X
require "systemd knows it" hub systemctl daemon-reload

verifications() { hub sendensectl job list --json | jq -r "[.[] | select(.Type == \"verify\" and ($1))] | length"; } # JQ
open='.State | IN("completed", "failed", "cancelled") | not'
are() { [ "$(verifications "$2")" = "$1" ]; } # N JQ

# The service.
ok "the timer's service runs" hub systemctl start sendense-verify.service
is "$(unit sendense-verify.service Result) $(verifications "$open")" "success 3" "it has begun as many as leave half of the queue"
ok "one reads" eventually "$patience_sec" are 1 '.State == "copying"'
is "$(verifications '.State == "queued"')" 2 "and the others wait"
waiting=$(hub sendensectl job list --json | jq ".[] | select(.Type == \"verify\" and .BackupId == \"${first[vm3]}\") | .Id")
is "$(hub busctl get-property "$HUB_NAME" "$HUB_PATH/job/$waiting" "$HUB_NAME.Job" Phase)" 's "waits: 1 jobs verify backups, as many as may"' "which they say"
like "$(hub sendensectl backup verify --all 2>&1)" 'Backups are due, but 3 jobs are open already, .* leaves half of \[Jobs\] Queued=6 to others' "who asks for the rest is told that there is no room"

# Meanwhile people work.
ok "a backup is made" hub timeout "$patience_sec" sendensectl backup vm3 --source=2000=nbd+unix:///?socket=/run/src/vm3-2000.sock --wait
ok "a disk is restored" hub timeout "$patience_sec" sendensectl restore disk "${first[vm4]}" 2000 /srv/back.raw --wait
is "$(hub cmp /srv/back.raw /srv/src/vm4-2000.raw 2>&1)" "" "and is the VM's"
like "$(hub sendensectl backup delete "${first[vm1]}" --force 2>&1)" 'Job [0-9]+ \(verify\) of this VM is copying' "what is being read is not deleted"
hub timeout "$patience_sec" busctl --match="type='signal',interface='$HUB_NAME.Manager',member='JobRemoved'" --json=short monitor >"$TEST_TMP/removed" 2>&1 &
monitor=$!
ok "one listens to the bus" eventually "$patience_sec" grep -q 'Monitoring bus' "$TEST_TMP/removed"
hub timeout "$patience_sec" sendensectl job watch "$waiting" >"$TEST_TMP/watch" 2>&1 &
watcher=$!
watches() { grep -q "^job $waiting: queued" "$TEST_TMP/watch"; }
ok "one watches what waits" eventually "$patience_sec" watches || diag "$(<"$TEST_TMP/watch")"
ok "what only waits to be read is" hub timeout "$patience_sec" sendensectl backup delete "${first[vm3]}" --wait
wait "$watcher"
is "$?" 3 "who watches its verification is told of its end" || diag "$(<"$TEST_TMP/watch")"
removed() { grep '^{.*}$' "$TEST_TMP/removed" | jq -c --argjson id "$waiting" 'select(.member == "JobRemoved" and .payload.data[0] == $id) | .payload.data[2]'; }
was_removed() { [ -n "$(removed)" ]; }
eventually "$patience_sec" was_removed
kill "$monitor"
is "$(removed)" '"cancelled"' \
    "as the bus is" || diag "$(<"$TEST_TMP/removed")"
JOB=$waiting
is "$(job .State)" cancelled "its verification is ended"
like "$(job_error)" '^Cancelled: Job [0-9]+ deletes a backup of its VM; it is due again after that' "which says for whom"
is "$(job '[.Events[] | "\(.From // "") \(.To)"] | last')" "queued cancelled" "as its history does"
is "$(hub busctl get-property "$HUB_NAME" "$HUB_PATH/job/$JOB" "$HUB_NAME.Job" State)" 's "cancelled"' "and the bus for a while"
is "$(verifications '.State == "copying"') $(verifications '.State == "queued"')" "1 1" "all that while one reads"

# One that somebody asked for is not ended for a deletion.
verify=$(hub sendensectl backup verify "$(hub sendensectl backup list vm2 --json | jq -r '.[0].BackupId')" --json | jq -r '.Job | sub(".*/"; "")')
like "$(hub sendensectl backup delete "$(hub sendensectl backup list vm2 --json | jq -r '.[0].BackupId')" --force 2>&1)" "Job $verify \\(verify\\) of this VM is queued" \
    "one that somebody asked for stays"

# The timer has the rest read, as there is room, also while its calls are refused.
ok "the timer" hub systemctl start sendense-verify.timer
ok "asks again and again" eventually "$patience_sec" eval '[ "$(unit sendense-verify.service NRestarts)" -ge 1 ] || [ "$(unit sendense-verify.timer LastTriggerUSec)" != "" ]'
is "$(verifications "$open")" 3 "which makes no more of them"
ok "verifications go on" hub touch /run/verify-goes
all_read() { [ "$(hub sendensectl backup list --json | jq 'all(.VerifiedUSec)')" = true ]; }
ok "all are read in the end" eventually 180 all_read
ok "the timer ends" hub systemctl stop sendense-verify.timer sendense-verify.service
ok "and nothing is open" eventually "$patience_sec" are 0 "$open"
is "$(verifications '.State == "failed"')" 0 "nothing was wrong"
is "$(hub journalctl -b -o cat --no-pager | grep -c 'AccessDenied.*VerifyAll')" 0 "the timer's user may"
is "$(hub sendensectl backup verify --all --older-than=1h)" "Nothing is due." "and nothing is due"
hub rm -f /srv/back.raw
ok "nothing is left" nothing_left

done_testing
