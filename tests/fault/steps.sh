#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Steps of sendense-image that are killed: a commit is run again, some times, because it goes on where it was; one that
# would begin when its job is being undone already does not; and one that outlives its hub is gone before its work is begun anew.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk 8
backup web --type=full

# drop_in LINES: of all image units from now on.
drop_in() {
    hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-image-.service.d/90-hold.conf
    hub systemctl daemon-reload
}
begun() { # STEP: how often a unit of the job's step was started
    hub journalctl --quiet --sync
    hub journalctl -q -o cat -u "sendense-image-$JOB-$1.service" | grep -c '^Starting '
}

# Once.
change web
hold image commit
start web || fail "a backup starts" "$ANSWER"
ok "the commit waits" eventually "$patience_sec" held image commit
ok "and is killed" hub systemctl kill -s KILL "sendense-image-$JOB-commit.service"
# Not before: it could end in between.
hub rm /run/hold
is "$(wait_job)" completed "a commit that is killed: the job completes" || diag "$(job_error)"
is "$(begun commit)" 2 "it was run again"
release
hub systemctl daemon-reload
keep web
unharmed "a killed commit"

# Every time.
change web
drop_in <<'DROP'
[Service]
ExecStartPre=sh -c 'case %n in *-commit.service) kill -KILL $$$$ ;; esac'
DROP
start web || fail "a backup starts" "$ANSWER"
failed "a commit that is killed every time" '^Failed: The backup cannot be committed: sendense-image-.*-commit\.service: start job failed: result signal'
is "$(begun commit)" 3 "it was run three times"
release
hub systemctl daemon-reload
unharmed "a commit that is killed every time"

# A hub is killed while a disk is being checked. The check of before takes its time to die, and meanwhile the job is cancelled:
# no new one must begin beside the undoing.
change web
drop_in <<'DROP'
[Service]
TimeoutStopSec=120s
ExecStartPre=sh -c 'case %n in *-finish-2000.service) trap "" TERM; while test -e /run/hold; do sleep 0.05; done ;; esac'
DROP
hub touch /run/hold
start web || fail "a backup starts" "$ANSWER"
ok "the check waits" eventually "$patience_sec" held image finish-2000
old=$(unit sendense-hub MainPID)
hub /bin/kill -KILL "$old"
ok "another hub is ready" eventually "$patience_sec" another_hub "$old"
stopping() { [ "$(unit "sendense-image-$JOB-finish-2000.service" ActiveState)" = deactivating ]; }
ok "it ends the check of before" eventually "$patience_sec" stopping
ok "and the job is cancelled meanwhile" hub sendensectl job cancel "$JOB"
hub rm /run/hold
is "$(wait_job)" cancelled "which it is then"
is "$(begun finish-2000)" 1 "no check has begun after that"
release
hub systemctl daemon-reload
unharmed "a step that came too late"

# A hub is killed while an image is being made, and who makes it takes its time to die. What is begun anew removes that
# image, which nobody may have open then.
change web
drop_in <<'DROP'
[Service]
TimeoutStopSec=120s
ExecStartPre=sh -c 'trap "" TERM; case %n in *-create-2000.service) while test -e /run/hold; do sleep 0.05; done | qemu-io -f raw /var/lib/sendense/repository/*/2000/*.partial >/dev/null ;; esac'
DROP
hub touch /run/hold
start web || fail "a backup starts" "$ANSWER"
# shellcheck disable=SC2016 # expanded in the machine
locked() { in_hub 'grep -q "OFDLCK.*:$(stat -c %i /var/lib/sendense/repository/*/2000/*.partial) " /proc/locks'; }
ok "somebody has an image open" eventually "$patience_sec" locked
old=$(unit sendense-hub MainPID)
hub /bin/kill -KILL "$old"
ok "another hub is ready" eventually "$patience_sec" another_hub "$old"
stopping() { [ "$(unit "sendense-image-$JOB-create-2000.service" ActiveState)" = deactivating ]; }
ok "it ends who makes the image" eventually "$patience_sec" stopping
is "$(begun prepare)" 1 "and begins nothing before that has ended"
hub rm /run/hold
is "$(wait_job)" completed "then it does, and the job completes" || diag "$(job_error)"
is "$(begun prepare)" 2 "from its beginning"
release
hub systemctl daemon-reload
keep web
unharmed "an image that was being made"

# A clean-up beside a copy: what is left of jobs that are over goes, and each is told; what runs and what is finished stays.
change web
done_job=$(hub sendensectl job list --json | jq '[.[] | select(.State == "completed") | .Id] | min')
start_held web
before=$(processes "$JOB")
hub systemd-run --quiet --unit="sendense-export-$done_job-2000" --slice="sendense-jobs-$done_job.slice" sleep infinity
hub mariadb sendense -e "INSERT INTO port_leases (port, job_id, backup_disk_id, export_name, unit, boot_id, leased_usec)
        SELECT 10199, $done_job, MIN(id), 'planted', 'sendense-export-$done_job-2000.service', REPEAT('0', 32), 1 FROM backup_disks WHERE job_id = $done_job;
    INSERT INTO obligations (kind, subject, job_id, created_usec, next_attempt_usec) VALUES ('files', 'planted', $done_job, 1, 4102444800000000)"
is "$(hub sendensectl cleanup | sort)" "Backup $(job .BackupId "$done_job") of job $done_job has its commit record: nothing was removed; sendensectl repository scan brings it into the catalog
Port 10199 of job $done_job was given back
sendense-export-$done_job-2000.service was stopped: no open job owns it
sendense-jobs-$done_job.slice was stopped: no open job owns it" "a clean-up beside a copy tells what it undid, and that is what was left"
is "$(processes "$JOB")" "$before" "the copier and its exports are the same processes"
ok "and the copy goes on" copies
rate web ""
is "$(wait_job)" completed "to its end" || diag "$(job_error)"
keep web
unharmed "a clean-up beside a copy"

change web
backup web
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "an incremental follows"
unharmed "all of it"
done_testing
