# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the tests of sendensectl share: a bus of their own, a hub on it that says what the test wants
# (ctl-peer), and sendensectl beside it. Source it after tap.sh.

command -v dbus-daemon >/dev/null || skip_all "dbus-daemon is not installed"
ctl=$SENDENSE_BUILD/cli/sendensectl
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus
unset DBUS_STARTER_BUS_TYPE

# run NAME WANTED-STATUS ARGUMENT...: fills out, err.
run() {
    local name=$1 want=$2 rc
    shift 2
    out=$("$ctl" "$@" 2>"$TEST_TMP/err" 7>&- 8<&-)
    rc=$?
    err=$(<"$TEST_TMP/err")
    is "$rc" "$want" "$name: exit status $want" || diag "out: $out" "err: $err"
}

# Ends the peer that runs; peer NAME=VALUE... starts one that says these.
peer_pid=
peer_stop() {
    [ -n "$peer_pid" ] || return 0
    exec 7>&- 8<&-
    wait "$peer_pid"
    peer_pid=
}
peer_says() { # LINE: waits for it, and passes over others
    local line
    while IFS= read -r -t 10 line <&8; do
        [ "$line" != "$1" ] || return 0
    done
    echo "Bail out! ctl-peer did not say $1"
    exit 1
}
peer() {
    peer_stop
    "$SENDENSE_BUILD/tests/unit/ctl-peer" "$@" <"$TEST_TMP/to-peer" >"$TEST_TMP/from-peer" 5>&- 6<&- &
    peer_pid=$!
    exec 7>"$TEST_TMP/to-peer" 8<"$TEST_TMP/from-peer"
    peer_says ready
}
mkfifo "$TEST_TMP/to-peer" "$TEST_TMP/from-peer"
at_end peer_stop

# The same with answers from JSON, see ctl-peer-answers.h. answer METHOD SIGNATURE JSON: what it answers from
# now on; refuse METHOD ERROR TEXT; asked METHOD: what the last call of it said, types and all, in one line.
answers=$TEST_TMP/answers
mkdir "$answers"
peer_with_answers() { peer "Answers=$answers" State=running DatabaseState=ready "$@"; }
answer_file() { # METHOD, the content on stdin: at once, as the peer may be reading
    cat >"$answers/$1.new" && mv "$answers/$1.new" "$answers/$1.json"
}
answer() { printf '{"signature": "%s", "value": %s}' "$2" "${3:-null}" | answer_file "$1"; }
refuse() { jq -n --arg error "$2" --arg text "$3" '{$error, $text}' | answer_file "$1"; }
asked() { tr -s ' \n' ' ' <"$answers/$1.call"; }
# peer_does JSON: a signal; it is on the bus when this returns.
peer_does() {
    printf '%s\n' "$1" >&7
    peer_says 'done'
}

ctl_bus_start() {
    export XDG_DATA_HOME=$TEST_TMP/data
    mkdir -p "$XDG_DATA_HOME/dbus-1/services"
    bus_pid=$(dbus-daemon --session --fork --print-pid --nopidfile --address="$DBUS_SYSTEM_BUS_ADDRESS") || {
        echo "Bail out! dbus-daemon does not start"
        exit 1
    }
    at_end ctl_bus_stop
}
ctl_bus_stop() {
    [ -z "$bus_pid" ] || kill "$bus_pid"
    bus_pid=
}
