# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# TAP for shell tests: source it, call ok/is/like/skip_all, end with done_testing.
# Every test gets SENDENSE_SRC (the tree), SENDENSE_BUILD (the build folder) and
# TEST_TMP (a folder of its own, removed by tests/run). A test that must undo
# something registers it with at_end; these run last in, first out, on every exit.
# A failed check does not stop the script; `require` does.

set -u -o pipefail

: "${SENDENSE_SRC:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${SENDENSE_BUILD:=$SENDENSE_SRC/build}"
export SENDENSE_SRC SENDENSE_BUILD

tap_n=0
tap_failed=0
tap_finished=
tap_at_end=()

tap_exit() {
    local rc=$? i
    trap - EXIT
    for ((i = ${#tap_at_end[@]} - 1; i >= 0; i--)); do
        eval "${tap_at_end[i]}" >&2 || diag "clean-up failed: ${tap_at_end[i]}"
    done
    if [ -z "$tap_finished" ]; then
        echo "Bail out! ended early with status $rc"
        [ "$rc" -ne 0 ] || rc=1
    fi
    exit "$rc"
}
trap tap_exit EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
at_end() { tap_at_end+=("$1"); }

tap_result() { # STATUS NAME
    tap_n=$((tap_n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $tap_n - $2"
    else
        echo "not ok $tap_n - $2"
        tap_failed=$((tap_failed + 1))
    fi
    return "$1"
}

# ok NAME COMMAND [ARG...]: passes when the command succeeds; its output is shown only when it fails.
ok() {
    local name=$1 out rc
    shift
    out=$("$@" 2>&1)
    rc=$?
    tap_result $((rc != 0)) "$name" || diag "command: $*" "status: $rc" "output: $out"
    return "$rc"
}

# not_ok NAME COMMAND [ARG...]: passes when the command fails with an ordinary status (not a signal, not 126/127).
not_ok() {
    local name=$1 out rc
    shift
    out=$("$@" 2>&1)
    rc=$?
    tap_result $((rc == 0 || rc >= 126)) "$name" && return
    diag "command: $*" "status: $rc" "output: $out"
    return 1
}

# is GOT WANT NAME
is() {
    [ "$1" = "$2" ]
    tap_result $? "$3" && return
    diag "got:  $1" "want: $2"
    return 1
}

# like TEXT EXTENDED-REGEX NAME; unlike is its opposite. The text may have many lines.
like() {
    grep -Eq -e "$2" <<<"$1"
    tap_result $? "$3" && return
    diag "no match for: $2" "in: $1"
    return 1
}
unlike() {
    ! grep -Eq -e "$2" <<<"$1"
    tap_result $? "$3" && return
    diag "unwanted match for: $2" "in: $1"
    return 1
}

pass() { tap_result 0 "$1"; }
fail() { tap_result 1 "$1" || diag "${@:2}"; }

# require NAME COMMAND...: like ok, but nothing after it makes sense when it fails.
require() {
    ok "$@" || {
        tap_finished=1
        echo "Bail out! $1"
        exit 1
    }
}

# skip_all REASON: a missing tool is a loud skip, never a pass.
skip_all() {
    echo "1..0 # SKIP $1"
    tap_finished=1
    exit 0
}
skip() { # NAME REASON
    tap_n=$((tap_n + 1))
    echo "ok $tap_n - $1 # SKIP $2"
}

# eventually SECONDS COMMAND...: true as soon as the command is. For what has no event to wait on. It pauses for 50 ms, or for
# as long as the command took: asking must not be what keeps the machine from getting there.
eventually() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * ${SENDENSE_PATIENCE:-1} * 1000000)) begin pause
    shift
    while begin=${EPOCHREALTIME/[.,]/} && ! "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        pause=$((${EPOCHREALTIME/[.,]/} - begin))
        pause=$((pause < 50000 ? 50000 : pause > 500000 ? 500000 : pause))
        sleep "0.$(printf %06d "$pause")"
    done
}

done_testing() {
    tap_finished=1
    echo "1..$tap_n"
    exit $((tap_failed != 0))
}
