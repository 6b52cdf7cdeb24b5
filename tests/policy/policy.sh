#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A policy: its timer backs up, and what its rule does not keep is deleted by merging; what would go is shown before, with reasons; a VM
# that has another job is left out; a run that was missed is made up; its removal leaves nothing.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../e2e/e2e.bash"

e2e_up
vcenter_with_pgtest1 8M:fill=2M

timer=sendense-policy@web.timer
policy() { ctl --json policy show web | jq -r "$1"; } # JQ
runs() { policy "[.Runs[] | select($1)] | length"; }  # JQ
has_runs() { [ "$(runs "$2")" -ge "$1" ]; }           # N JQ
is_idle() { [ "$(runs '.State == "running"')" = 0 ]; }
over() { has_runs "$1" "$2" && is_idle; } # N JQ
# Nothing asks for a run any more, and none is open.
is_quiet() { [ "$(hub systemctl show --value -p ActiveState "${timer%.timer}.service")" = inactive ] && is_idle; }
n_backups() { ctl --json backup list pgtest1 | jq length; }
not() { ! "$@"; }
no() { ok "$1" not "${@:2}"; }
stamp() { hub ls /var/lib/systemd/timers | grep -c "$timer"; }

# By the timer.
ok "a policy" ctl policy set web --vm='pgtest*' --calendar='*:*:0/2' --keep-last=2
ok "its timer backs the VM up" eventually 120 has_runs 1 '.State == "completed" and .Cause == "timer"'
ok "and is listed" grep -q "$timer" <(hub systemctl list-timers --all "$timer")
ok "it runs seldom from now on" ctl policy set web --calendar='2099-01-01' --random-delay=5min
ok "what is under way ends" eventually 120 is_quiet
is "$(hub systemctl show --value -p NextElapseUSecRealtime "$timer" | grep -c 2099)" 1 "the timer is the new one"
is "$(policy '.NextRunUSec / 1000000 | floor | . > 4070908800 and . < 4070909200')" true "which the hub shows"
is "$(stamp)" 1 "systemd keeps when it ran last"
is "$(policy '[.Runs[] | select(.State == "skipped")] | all(.Summary | test("^run [0-9]+ was not over$"))')" true "none overlapped"

# What would go, and then goes: the oldest is merged into what builds on it.
for _ in 1 2 3; do [ "$(n_backups)" -ge 3 ] || backup; done
oldest=$(ctl --json backup list pgtest1 | jq -r '.[-1].BackupId')
n=$(n_backups)
plan=$(ctl --json policy prune web --dry-run)
is "$(jq -r '[.[] | select(.Stays) | .Reason] | join(", ")' <<<"$plan")" "1 of 2 last, 2 of 2 last" "a dry run says what stays and why"
is "$(jq -r '[.[] | select(.Stays | not) | .Reason] | unique | join(", ")' <<<"$plan")" "no period needs it" "and what goes"
diag "$(ctl policy prune web --dry-run)"
is "$(n_backups)" "$n" "nothing went"
ok "it is run by hand" ctl policy run web
like "$(ctl policy run web 2>&1)" 'is not over' "while it runs, it is not run again"
ok "the hub is killed" hub systemctl kill --kill-whom=main --signal=KILL sendense-hub.service
ok "the run goes on and ends" eventually 120 over 1 '.Cause == "asked"'
is "$(policy '.Runs[0].State')" completed "well" || diag "$(policy '.Runs[0]')"
is "$(n_backups)" 2 "two are kept"
no "the oldest is gone" grep -q "$oldest" <(ctl backup list pgtest1)
is "$(policy '.Runs[0].Vms[0] | .Deleted > 0 and .BeforeBytes > .AfterBytes')" true "sizes before and after are shown"
is "$(policy '.Runs[0].Vms[0].AfterBytes')" "$(in_hub "find /var/lib/sendense/repository -name '*.qcow2' -printf '%b\n' | awk '{ n += \$1 * 512 } END { print n }'")" \
    "by what the layers take up on the disk"
is "$(ctl --json job list | jq -r '[.[] | select(.Type == "delete")][0] | .Principal + " " + .State')" "policy:web completed" "by a job of the policy"
is_the_vm "the newest" "$(ctl --json job list | jq '[.[] | select(.Type == "backup")][0].Id')"
is_the_vm "the other, the full now" "$(ctl --json backup list pgtest1 | jq '.[-1].Job')"

# A mounted chain is left for the next time.
ok "one of them is mounted" ctl backup mount "$(ctl --json backup list pgtest1 | jq -r '.[-1].BackupId')"
told=$(ctl policy run web --wait)
is "$?" 0 "and the policy run, to its end"
like "$told" "^run $(policy '.Runs[0].Id'): completed: 1 backed up" "which is told"
ok "it is over" over 2 '.Cause == "asked"'
is "$(policy '.Runs[0] | .State + ", " + .Vms[0].State + ", " + (.Vms[0].BackupId != null | tostring)')" "completed, completed, true" "a backup is made"
like "$(policy '.Runs[0].Vms[0].Reason')" 'nothing more is deleted this time: Job [0-9]+ \(mount\)' "and nothing deleted, which it says"
is "$(n_backups)" 3 "so there are three"
ok "it is unmounted" ctl backup umount "$(ctl --json mount list | jq -r '.[0].Job')"

# What its timer tells while there is no hub is made up.
due=$(($(hub date +%s) + 60))
ok "it is to run soon" ctl policy set web --random-delay=0 --calendar="$(hub date -d "@$due" '+%Y-%m-%d %H:%M:%S')"
ok "the hub ends" hub systemctl stop sendense-hub.service
is "$(hub systemctl is-active "$timer")" inactive "and the timer with it"
ok "the time passes" eventually 180 in_hub '[ "$(date +%s)" -gt "$1" ]' "$due"
ok "the hub comes back" in_hub 'systemctl start sendense-hub && sendensectl database probe >/dev/null'
ok "the run is made up" eventually 120 over 1 '.Cause == "missed"'
is "$(policy '.Runs[0] | .Cause + " " + .State')" "missed completed" "and known as such"
is "$(n_backups)" 2 "and what was left is deleted"
diag "$(ctl policy list)" "$(ctl policy show web)" "$(ctl doctor | grep -i polic)"

# One that is removed while it backs up deletes nothing after that, by no other policy's rule either.
is_backing_up() { [ "$(ctl --json policy show brief | jq -r '.Runs[0].Vms[0].State')" = backup ]; }
ok "another policy" ctl policy set brief --vm=pgtest1 --keep-last=1
ok "the node stands still" node systemctl kill --signal=STOP sendense-node.service
ok "it is run" ctl policy run brief
ok "it makes a backup" eventually 60 is_backing_up
ok "and is removed" ctl policy remove brief
ok "the node goes on" node systemctl kill --signal=CONT sendense-node.service
ok "its run ends" eventually 120 in_hub 'journalctl -u sendense-hub | grep -q "Policy brief, VM pgtest1: nothing more is deleted: the policy was removed"'
is "$(n_backups)" 3 "and has deleted nothing"

# One that takes long is shown and waited for, however many are left out meanwhile.
ok "its old backups stay from now on" ctl policy set web --keep-last=0
# No copy begins at the node before it is told to.
hold() { node rm -f /run/copies-may-begin; }
release() { node touch /run/copies-may-begin; }
node install -D -m 644 /dev/stdin /run/systemd/system/sendense-copy-.service.d/99-hold.conf \
    <<<$'[Service]\nExecStartPre=+/bin/sh -c "until [ -e /run/copies-may-begin ]; do sleep 0.1; done"'
ok "copies are held" node systemctl daemon-reload
ctl policy run web --wait >"$TEST_TMP/long" 2>&1 &
long=$!
is_under_way() { [ "$(policy '.Runs[0].Vms[0].State')" = backup ]; }
ok "a run makes a backup" eventually 60 is_under_way
run=$(policy '.Runs[0].Id')
ok "21 are left out" hub mariadb sendense -e "INSERT INTO policy_runs (policy_id, kind, cause, state, principal, created_usec, finished_usec, summary)
    SELECT policy_id, kind, 'timer', 'skipped', principal, created_usec + seq, created_usec + seq, CONCAT('run ', id, ' was not over')
    FROM policy_runs JOIN seq_1_to_21 WHERE id = $run"
is "$(runs "(.State == \"skipped\") and .Summary == \"run $run was not over\"")" 20 "the newest of those that were left out are shown"
is "$(policy '[.Runs[] | select(.State == "running").Id] | join(" ")')" "$run" "and the run itself"
ok "it goes on" release
wait "$long"
is "$? $(tail -n 1 "$TEST_TMP/long")" "0 run $run: completed: 1 backed up" "it is waited for to its end"

# A VM that has another job is left to that: a run that backs nothing up was skipped, and is no success.
success=$(policy .LastSuccessUSec)
hold
ok "somebody backs the VM up" ctl backup start pgtest1
busy=$(last_job)
told=$(ctl policy run web --wait 2>&1)
is "$?" 1 "a run meanwhile fails nobody, and backs nothing up"
like "$told" '^sendensectl: run [0-9]+ of policy web skipped: 0 backed up, 1 skipped' "which is told"
like "$(ctl doctor)" 'policy web .*skipped: 0 backed up, 1 skipped' "by doctor, too"
is "$(policy .LastSuccessUSec)" "$success" "the last success is the one before"
ok "it goes on" release
ok "the other backup ends" eventually 120 job_is "$busy" completed
ok "copies are held no more" node sh -c 'rm -r /run/systemd/system/sendense-copy-.service.d && systemctl daemon-reload'

# Why it failed is told, also where the words are so many that they are cut: of one of two in the middle of a character.
ok "the hub ends" hub systemctl stop sendense-hub.service
ok "runs whose backups have failed" hub mariadb sendense -e "
    INSERT INTO policies (id, name, vms, except_vms, repository_id, principal, created_usec, changed_usec, heard_usec)
        SELECT 100 + seq, CONCAT('cut', seq), '[\"none\"]', '[]', 1, 'uid:0', 1, 1, 1 FROM seq_1_to_2;
    INSERT INTO backup_jobs (id, vm_context_id, repository_id, backup_id, backup_type, state, error_name, error_text, principal, created_usec,
        finished_usec) SELECT 1000 + seq, v.id, 1, CONCAT('backup-cut-', seq), 'full', 'failed', 'com.sendense.Error.Cancelled',
        CONCAT(REPEAT('x', seq), REPEAT('ü', 900)), 'policy:cut', 1, 1 FROM seq_1_to_2 JOIN vm_replication_contexts v WHERE v.vm_name = 'pgtest1';
    INSERT INTO policy_runs (id, policy_id, kind, cause, state, principal, created_usec)
        SELECT 1000 + seq, 100 + seq, 'backup', 'asked', 'running', 'uid:0', 1 FROM seq_1_to_2;
    INSERT INTO policy_run_vms (run_id, vm_context_id, state, is_full, backup_job_id)
        SELECT id, vm_context_id, 'backup', 1, id FROM backup_jobs WHERE id > 1000"
ok "and comes back" in_hub 'systemctl start sendense-hub && sendensectl database probe >/dev/null'
cut() { ctl --json policy show "cut$1" | jq -r ".Runs[0] | $2"; } # N JQ
cut_ends() { [ "$(cut "$1" .State)" = failed ]; }
for n in 1 2; do
    ok "run $n ends" eventually 60 cut_ends $n
    like "$(cut $n '.Vms[0].Reason')" "^its backup \\(job 100$n\\) failed: x{$n}ü{480}" "and says why"
done
is "$(for n in 1 2; do cut $n '.Vms[0].Reason[-1:]'; done | sort | xargs)" "? ü" "one of them was cut in the middle of a character"
for n in 1 2; do ok "policy $n is removed" ctl policy remove cut$n; done

# Gone.
ok "it is removed" ctl policy remove web
is "$(hub systemctl list-units --all --plain --no-legend 'sendense-policy@*')$(hub ls /run/systemd/transient | grep policy)$(stamp)" 0 "nothing of it is left"
is "$(n_backups)" 5 "but its backups"
clean "at the end"
done_testing
