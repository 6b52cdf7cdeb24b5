#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The timers of policies, without a VM: made by what is set, refused by systemd when it cannot read a calendar, there again after a
# restart of the hub and a reboot, and gone with all that systemd remembers of them.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lab/hub-lab.bash"

hub_lab_up
hub_ready
timer=sendense-policy@web.timer
ctl() { hub sendensectl "$@"; }
policy() { ctl --json policy show web | jq -r "$1"; }
stamps() { hub find /var/lib/systemd/timers -name 'stamp-sendense-policy*' | wc -l; }
left() { hub systemctl list-units --all --plain --no-legend 'sendense-policy*'; }
transient() { hub find /run/systemd/transient -name '*sendense-policy*'; }

like "$(ctl policy set web --vm='*' --calendar=sometimes 2>&1)" 'systemd cannot read it' "a calendar that is none is refused, by systemd"
like "$(ctl policy set web --vm='*' --calendar='daily;x' 2>&1)" 'must be a time' "so is what is no calendar at all"
like "$(ctl policy set web --calendar=daily 2>&1)" 'which VMs' "and a policy for nothing"
is "$(ctl --json policy list | jq length)$(left)$(transient)" 0 "nothing is there of them"

ok "a policy is set" ctl policy set web --vm='*' --calendar='Mon 03:30' --random-delay=10min --keep-daily=7
is "$(hub systemctl show -p ActiveState,Persistent,RandomizedDelayUSec,PartOf "$timer" | sort | paste -sd' ')" \
    "ActiveState=active PartOf=sendense-hub.service Persistent=yes RandomizedDelayUSec=10min" "it has its timer"
like "$(hub systemctl list-timers --all --no-legend "$timer")" "$timer.*sendense-policy@web.service" "which is listed, with what it starts"
diag "$(hub systemctl list-timers "sendense-policy@*")" "$(ctl policy list)"
is "$(policy .NextRunUSec)" "$(hub busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1/unit/sendense_2dpolicy_40web_2etimer \
    org.freedesktop.systemd1.Timer NextElapseUSecRealtime | cut -d' ' -f2)" "the hub knows when it runs next"
is "$(stamps)" 1 "systemd keeps when it ran"
ok "it is changed" ctl policy set web --calendar='Tue 04:00'
like "$(hub systemctl show -p TimersCalendar "$timer")" 'Tue \*-\*-\* 04:00' "the timer is another"
is "$(policy '"\(.KeepDaily) \(.RandomizedDelayUSec) \(.Match[0])"')" "7 600000000 *" "and the rest of it as it was"
next=$(hub systemctl show -p ActiveEnterTimestampMonotonic "$timer")
ok "the same again" ctl policy set web --calendar='Tue 04:00'
is "$(hub systemctl show -p ActiveEnterTimestampMonotonic "$timer")" "$next" "leaves it alone"

# A hub that is killed: the timer is there.
ok "the hub is killed" hub systemctl kill --kill-whom=main --signal=KILL sendense-hub.service
has_timer() { [ "$(hub systemctl is-active "$timer")" = active ] && [ "$(policy .TimerError)" = null ]; }
ok "and the timer is there again" eventually "$patience_sec" has_timer
is "$(policy '.Runs | length')" 0 "and nothing was run for it"

# One that is nobody's.
hub busctl --quiet call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' \
    sendense-policy@stray.timer replace 1 TimersCalendar 'a(ss)' 1 OnCalendar '2099-01-01' 0
ok "a timer of no policy" test -n "$(hub systemctl is-active sendense-policy@stray.timer)"
ok "the hub restarts" in_hub 'systemctl restart sendense-hub && sendensectl database probe >/dev/null'
gone() { ! hub systemctl is-active --quiet sendense-policy@stray.timer; }
ok "and ends it" eventually "$patience_sec" gone
ok "not the other" eventually "$patience_sec" has_timer

# A run that has nothing to do says so.
is "$(ctl --json policy run web | jq '.Run > 0')" true "it is run"
is "$(policy '.Runs[0] | .State + ": " + .Summary')" "failed: the hub knows no VM that it is for" "for no VM, which is no success"
like "$(ctl doctor)" 'policy web .*the hub knows no VM' "and doctor says it"

# The machine is down when it is due: nothing of a transient timer is left then but what systemd notes in a file.
n_runs=$(policy '.Runs | length')
due=$(($(hub date +%s) + 60))
ok "it is to run soon" ctl policy set web --random-delay=0 --calendar="$(hub date -d "@$due" '+%Y-%m-%d %H:%M:%S')"
ok "the hub ends" hub systemctl stop sendense-hub.service
is "$(hub systemctl is-active "$timer")" inactive "and the timer with it"
ok "the time passes" eventually 180 in_hub '[ "$(date +%s)" -gt "$1" ]' "$due"
ok "the machine starts anew" lab reboot hub
ok "the timer is there again, by itself" eventually "$patience_sec" has_timer
made_up() { [ "$(policy '.Runs | length')" -gt "$n_runs" ]; }
ok "the run is made up" eventually "$patience_sec" made_up
is "$(policy '.Runs[0].Cause')" missed "and known as such"
ok "it is over" eventually "$patience_sec" in_hub 'sendensectl --json policy show web | jq -e ".Runs[0].State != \"running\""'
ok "the machine starts anew once more" lab reboot hub
ok "the timer is there" eventually "$patience_sec" has_timer
is "$(policy '.Runs | length')" "$((n_runs + 1))" "one run was missed, and one was made up"

ok "it is switched off" ctl policy set web --enabled=no
is "$(left)$(transient)$(stamps)" 0 "and has no timer, nor a trace of it"
ok "and on" ctl policy set web --enabled=yes
ok "it is removed" ctl policy remove web
is "$(left)$(transient)$(stamps)" 0 "nothing of it is left"
like "$(ctl policy show web 2>&1)" 'no policy' "nor in the hub"
ok "the name is free" ctl policy set web --vm=x
is "$(policy '.Runs | length')$(left)" 0 "for another one, which has no timer without a calendar"

# The same by HTTP, by the roles that the routes ask for.
hub systemctl start sendense-hub-api.socket
token=$(ctl token create all --role=inspect --role=backup --role=delete --role=manage)
api() { # METHOD PATH [BODY]: status and body
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -s --max-time 60 -X "$1" -H "Authorization: Bearer $3" ${4:+-d "$4"} -w "\n%{http_code}" "http://127.0.0.1:8082/api/v1/$2" | tac | paste -sd" "' "$1" "$2" "$token" "${3:-}"
}
answer=$(api POST policies/night '{"match": ["*", "x y"], "except": ["test*"], "calendar": "Wed 05:00", "randomized_delay_sec": 60, "full_every_sec": 604800,
    "persistent": false, "enabled": true, "keep_last": 3, "keep_yearly": 1, "repository": "1", "node": ""}')
is "${answer%% *}" 200 "a policy is set by HTTP" || diag "$answer"
set_so='[.match, .except, .calendar, .randomized_delay_usec, .full_every_usec, .persistent, .enabled, .keep_last, .keep_yearly]'
want='[["*","x y"],["test*"],"Wed 05:00",60000000,604800000000,false,true,3,1]'
is "$(cut -d' ' -f2- <<<"$answer" | jq -c "$set_so")" "$want" "the answer is the policy"
is "$(api GET policies/night | cut -d' ' -f2- | jq -c "$set_so")" "$want" "which one path shows"
is "$(api GET policies | cut -d' ' -f2- | jq -c '[.policies[].policy // .policies[].name] | sort')" '["night","web"]' "and the list has"
is "$(hub systemctl is-active sendense-policy@night.timer)" active "it has its timer"
answer=$(api POST policies/night/run)
like "$answer" '^202 \{"run":[0-9]+\}$' "it is run"
run_is_over() { [ "$(api GET policies/night | cut -d' ' -f2- | jq -r '.runs[0].state')" = failed ]; }
ok "the run is over, for no VM" eventually "$patience_sec" run_is_over
like "$(api POST policies/night/prune '{"dry_run": true}')" '^200 \{"plan":\[\]\}$' "a dry run of its pruning has nothing to show"
like "$(api POST policies/night/prune)" '^202 .*"run":[0-9]+' "and it is pruned"
is "$(api DELETE policies/night)" '200 {"status":"removed"}' "it is removed"
like "$(api GET policies/night)" '^404 ' "and gone"
is "$(hub systemctl is-active sendense-policy@night.timer)" inactive "with its timer"
done_testing
