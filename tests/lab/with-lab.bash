# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154 # tap_failed is of tap.sh
#
# For tests that need booted machines: source it after tap.sh, call lab_up, then use `on NAME CMD...`. The lab belongs
# to the test: it lives in TEST_TMP, ends with the test, however that ends, and when a check failed, the end of every
# machine's journal is printed. Where the lab cannot run at all, the test skips and says why.

: "${TEST_TMP:?a test needs a folder of its own; tests/run makes one}"
LAB=$SENDENSE_SRC/tests/lab/lab
export LAB_STATE=$TEST_TMP/lab

lab() { "$LAB" "$@"; }

# on NAME CMD...: in the machine, as root. NAME CMD comes back with its own status.
on() { "$LAB" exec "$@"; }

# init_of MACHINE: its PID 1, as that is called out here; in there nobody can stop it. A machine whose PID 1 is stopped does not go: whoever
# does that has it go on at the end.
init_of() {
    local namespace process
    namespace=$(on "$1" readlink /proc/self/ns/pid)
    for process in /proc/[0-9]*; do
        [ "$(readlink "$process/ns/pid")" != "$namespace" ] || ! grep -q $'^NSpid:.*\t1$' "$process/status" || echo "${process#/proc/}"
    done 2>/dev/null
}

# job_over MACHINE ID SECONDS: follows a job of the hub there to its end, through every absence of the hub: one who begins to
# watch while it has only just come back may be sent away. Prints the job's state. Entering the machine for each look would cost
# more than the job.
job_over() {
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" bash -c 'end=$((${EPOCHREALTIME%[.,]*} + $2))
        while :; do
            timeout "$2" sendensectl job watch "$1" >/dev/null 2>&1
            state=$(sendensectl job show "$1" --json 2>/dev/null | jq -r .State)
            [[ ! $state =~ ^(completed|failed|cancelled)$ && ${EPOCHREALTIME%[.,]*} -lt $end ]] || break
            sleep 0.1
        done
        echo "$state"' job_over "$2" "$3"
}

# job_copies MACHINE ID SECONDS: until that job has copied something and its hub has heard of it.
job_copies() {
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" bash -c 'end=$((${EPOCHREALTIME%[.,]*} + $2))
        until [[ $(sendensectl job show "$1" --json 2>/dev/null | jq -r .BytesDone) =~ ^[1-9] ]]; do
            [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1
            sleep 0.05
        done' job_copies "$2" "$3"
}

# metric MACHINE NAME: its value in the figures of the hub there, as /metrics has it: NAME may have labels. Nothing: there is no such line.
metric() {
    on "$1" curl -s --max-time 30 --unix-socket /run/sendense/hub-api.sock http://localhost/metrics | awk -v name="$2" 'index($0, name " ") == 1 { print $2 }'
}

# metric_moves NAME MACHINE METRIC BEFORE: a check that it has grown. What a node says of itself takes the hub one look.
metric_grows() { awk -v now="$(metric "$1" "$2")" -v before="$3" 'BEGIN { exit !(now + 0 > before + 0) }'; }
metric_moves() { ok "$1: $3 has moved" eventually 20 metric_grows "$2" "$3" "$4" || diag "$(metric "$2" "$3"), before $4"; }

# lab_up [OPTION...]: boots a lab (options as for `lab up`) or ends the test.
lab_up() {
    [ "$EUID" -eq 0 ] || skip_all "booting machines takes root"
    command -v systemd-nspawn >/dev/null || skip_all "systemd-nspawn is missing (package systemd-container)"
    at_end lab_end
    require "the lab boots" "$LAB" up "$@"
}

lab_end() {
    local dir name
    # shellcheck disable=SC2154 # tap.sh sets it
    if [ "$tap_failed" -gt 0 ]; then
        for dir in "$LAB_STATE"/machine/*/; do
            name=$(basename "$dir")
            diag "end of the journal of $name:" "$("$LAB" journal "$name" -n 40 -o short-monotonic 2>&1)"
        done
    fi
    "$LAB" down
}
