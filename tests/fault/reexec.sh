#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# PID 1 executes itself anew, as an update of systemd has it do, in each step of a job and without a pause through whole ones:
# it is off the bus for moments, in which calls stay without an answer and ends without a signal. Jobs go on all the same, and
# a copy does not notice.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk 16
backup web --type=full

# Once, in each step.
for step in "image prepare" "image create" "export" "image finish" "image commit"; do
    change web
    # shellcheck disable=SC2086 # two words
    hold $step
    start web || fail "a backup starts" "$ANSWER"
    # shellcheck disable=SC2086
    ok "$step: it waits" eventually "$patience_sec" held $step
    ok "$step: PID 1 executes itself anew" hub systemctl daemon-reexec
    release
    is "$(wait_job)" completed "$step: the job completes" || diag "$(job_error)"
    keep web
    unharmed "$step"
done
change web
start_held web
copier=$(unit "sendense-copy-$JOB.service" MainPID)
ok "in the copy: PID 1 executes itself anew" hub systemctl daemon-reexec
is "$(unit "sendense-copy-$JOB.service" MainPID)" "$copier" "in the copy: the copier is the same process"
is "$(job_state)" copying "in the copy: it goes on"
rate web ""
is "$(wait_job)" completed "in the copy: the job completes" || diag "$(job_error)"
keep web
unharmed "the copy"

# Without a pause.
for round in 1 2 3; do
    change web
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'while [ ! -e /run/enough ]; do systemctl daemon-reexec; echo >>/run/reexecs; done' >/dev/null 2>&1 &
    start web || fail "a backup starts" "$ANSWER"
    is "$(wait_job)" completed "round $round: beside a PID 1 that is ever anew the job completes" || diag "$(job_error)"
    hub touch /run/enough
    wait $!
    diag "round $round: $(hub sh -c 'wc -l </run/reexecs; rm /run/reexecs /run/enough') times"
    keep web
done
unharmed "all of it"
done_testing
