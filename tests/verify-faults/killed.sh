#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What dies in the middle of a verification: the job by its user, the hub, its unit, the machine. It is ended, goes on or is begun
# again, and nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm web 40 96:64
backup web --type=full
change web
backup web
second=$(job .BackupId)
fault_baseline
verify() {
    ANSWER=$(hub sendensectl backup verify "$@" 2>&1)
    JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
    [ -n "$JOB" ] || diag "$ANSWER"
}
verify "$second"
is "$(wait_job)" completed "a chain that is whole" || diag "$(job_error)"

# Each verification is stopped as soon as it has a layer open, and stays so until something is done to it.
held() {
    hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-verify-.service.d/99-held.conf <<'X'
[Service]
ExecStartPost=+/bin/sh -c 'while [ -e /proc/${MAINPID} ]; do ls -l /proc/${MAINPID}/fd | grep -q qcow2 && exec kill -STOP ${MAINPID}; done'
X
    hub systemctl daemon-reload
}
free() { hub rm -f /run/systemd/system/sendense-verify-.service.d/99-held.conf && hub systemctl daemon-reload; }
# in_the_middle: it is stopped there, and has not come to its end.
is_held() { hub grep -q '^State:.T' "/proc/$(unit "sendense-verify-$JOB.service" MainPID)/status"; }
in_the_middle() { eventually "$patience_sec" is_held; }
held
verify "$second"
ok "a verification works" in_the_middle
is "$(unit "sendense-verify-$JOB.service" User)" sendense-export "as a user that owns no image"
hub sendensectl job cancel "$JOB" >/dev/null
is "$(wait_job)" cancelled "one that is cancelled ends"
ok "and leaves nothing" nothing_left
is "$(hub sendensectl backup list --json | jq -r 'map("\(.Damaged) \(has("VerifiedUSec"))") | join(", ")')" "false true, false true" "what was known stays"

verify "$second"
ok "a verification works" in_the_middle
invocation=$(unit "sendense-verify-$JOB.service" InvocationID)
hub systemctl kill -s KILL sendense-hub
hub_ready
is "$(unit "sendense-verify-$JOB.service" InvocationID)" "$invocation" "it did not notice that the hub died"
free
hub systemctl kill -s KILL "sendense-verify-$JOB.service"
is "$(wait_job)" completed "one that is killed is begun again" || diag "$(job_error)"
ok "and leaves nothing" nothing_left

held
verify "$second"
ok "a verification works" in_the_middle
free
require "the machine crashes and comes back" lab crash hub
fault_sources_up
hub_ready
is "$(wait_job)" completed "after a crash of the machine it is begun again" || diag "$(job_error)"
ok "nothing is left" nothing_left_without descriptors
done_testing
