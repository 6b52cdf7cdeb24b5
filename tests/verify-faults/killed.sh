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

# It may use little of a processor.
slow() {
    hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-verify-.service.d/99-slow.conf <<<$'[Service]\nCPUQuota=2%'
    hub systemctl daemon-reload
}
fast() { hub rm -f /run/systemd/system/sendense-verify-.service.d/99-slow.conf && hub systemctl daemon-reload; }
# in_the_middle: its server reads.
in_the_middle() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $2))
        until pgrep -x -P "$(systemctl show --value -p MainPID "$1")" qemu-nbd >/dev/null; do
            [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1; sleep 0.05; done' "sendense-verify-$JOB.service" "$patience_sec"
}
slow
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
hub systemctl kill -s KILL "sendense-verify-$JOB.service"
fast
is "$(wait_job)" completed "one that is killed is begun again" || diag "$(job_error)"
ok "and leaves nothing" nothing_left

slow
verify "$second"
ok "a verification works" in_the_middle
require "the machine crashes and comes back" lab crash hub
fault_sources_up
hub_ready
is "$(wait_job)" completed "after a crash of the machine it is begun again" || diag "$(job_error)"
ok "nothing is left" nothing_left_without descriptors
done_testing
