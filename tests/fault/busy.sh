#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# PID 1 answers nobody for longer than a call to it waits, as while a generator hangs at a daemon-reload or its disk does not
# answer: nothing is ended for that. A step that runs is waited for, and a copy that a hub finds after its own start goes on.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

# Longer than a call waits for its answer (30 s), and than a round of looking (20 s).
busy_sec=32 round_sec=20

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk 16
backup web --type=full

init=$(init_of hub)
require "PID 1 of the machine is found" test -n "$init"
freeze() { kill -STOP "$init"; }
thaw() { kill -CONT "$init"; }
at_end thaw

change web
hold image finish
start web || fail "a backup starts" "$ANSWER"
ok "in a step: the check of a disk waits" eventually "$patience_sec" held image finish-2000
ok "in a step: and that of the other" eventually "$patience_sec" held image finish-2001
freeze
sleep $((round_sec + busy_sec))
thaw
ok "in a step: PID 1 answers again" eventually "$patience_sec" hub systemctl list-units 'sendense-*'
release
is "$(wait_job)" completed "in a step: the job completes" || diag "$(job_error)"
hub systemctl daemon-reload
keep web
unharmed "a step"

# A hub asks for everything anew when it has just started: here PID 1 tells it what there is, and nothing of the copy, because the
# exports, which are asked before that, answer when PID 1 does not any more.
change web
start_held web --type=full
in_hub 'kill -STOP $(pgrep -x qemu-nbd)'
hub systemctl restart sendense-hub
taken_up() { hub journalctl -q -o cat -t sendense-hub | grep -q "Takes up job $JOB "; }
ok "at the start of a hub: it takes the job up" eventually "$patience_sec" taken_up
freeze
in_hub 'kill -CONT $(pgrep -x qemu-nbd)'
sleep "$busy_sec"
thaw
ok "at the start of a hub: PID 1 answers again" eventually "$patience_sec" hub systemctl list-units 'sendense-*'
rate web ""
is "$(wait_job)" completed "at the start of a hub: the job completes" || diag "$(job_error)"
keep web
unharmed "a start"
done_testing
