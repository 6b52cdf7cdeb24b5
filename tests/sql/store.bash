# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# A store-probe that is told what to do, running as the hub's user. Source it after tap.sh, mariadb.bash
# and migrate.bash.

store_program=$SENDENSE_BUILD/tests/sql/store-probe
store_log=$TEST_TMP/store.log
store_pid=
store_mark=0

store_start() {
    rm -f "$TEST_TMP/store.in"
    mkfifo "$TEST_TMP/store.in"
    : >"$store_log"
    store_mark=0
    mariadb_as_nobody "$store_program" "$TEST_TMP/hub.conf" <"$TEST_TMP/store.in" >>"$store_log" 2>&1 9>&- &
    store_pid=$!
    exec 9>"$TEST_TMP/store.in"
    at_end 'kill -KILL "$store_pid" 2>/dev/null; wait "$store_pid" 2>/dev/null || :'
}

# store_say COMMAND: what is awaited afterwards must come after this.
store_say() {
    store_mark=$(wc -l <"$store_log")
    printf '%s\n' "$1" >&9
}

store_said() { # REGEX
    tail -n "+$((store_mark + 1))" "$store_log" | grep -Eq -e "$1"
}

# expect SECONDS REGEX NAME: a line since the last mark.
expect() {
    local start=${EPOCHREALTIME/[.,]/} rc
    eventually "$1" store_said "$2"
    rc=$?
    store_msec=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    tap_result "$rc" "$3" || diag "no line like: $2" "within $1 s in:" "$(tail -n "+$((store_mark + 1))" "$store_log")"
}
store_now() { store_mark=$(wc -l <"$store_log"); }

# The states in their order, each once however often its error text changed.
store_states() { sed -nE 's/^status ([a-z-]+) .*/\1/p' "$store_log" | uniq | paste -sd' '; }
