# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # hits is for the tests
#
# Rounds of "a backup in which somebody is killed at one fault point": source it after machine.bash, call rounds_up,
# `hits_of SCENARIO PROGRAM` and `rounds SCENARIO PROGRAM INSTRUCTION...`. Used by the suites fault-points and fault-all.

# rounds_up: a machine with a full backup.
rounds_up() {
    backup_lab_up
    grep -q 'SENDENSE_FAULT_POINTS 1' "$SENDENSE_BUILD/build-config.h" || skip_all "no build with fault points"
    ok "a first backup" backup start --type=full --wait
    ok "and one onto it" backup again
}

# hits_of SCENARIO PROGRAM: sets hits to NAME:N of all that the program passes in it, N counted in the scenario.
hits_of() {
    require "a backup that is $1, without a kill" backup recorded "$1"
    hits=$(hub awk -v program="$2" '$4 == program { print $1 ":" ++n[$1] }' /run/recorded)
}

# points_of PROGRAM: the names of all fault points in it.
points_of() {
    "$SENDENSE_SRC/tests/lib/fault-points" | awk -v program="$1" '
        { for (i = 3; i <= NF; i++) if ($i == program) print $1 }' | LC_ALL=C sort -u
}

# points_listed REGEX: the names that points.txt gives to such tests.
points_listed() {
    awk -v test="^($1)\$" '!/^#/ && $2 ~ test { print $1 }' "$SENDENSE_SRC/tests/fault-points/points.txt" | LC_ALL=C sort
}

# names: of the hits on stdin.
names() { cut -d: -f1 | LC_ALL=C sort -u; }

# rounds SCENARIO PROGRAM INSTRUCTION...: each in a backup of its own, on one machine. What went wrong is told for each.
rounds() {
    local scenario=$1 program=$2 hit out bad n_bad=0 n=0 begin=${EPOCHREALTIME/[.,]/}
    shift 2
    for hit; do
        bad=
        out=$(backup round "$hit" "$scenario" "$program" 2>&1) || bad+=" $out"
        out=$(nothing_left 2>&1) || bad+=" $out"
        out=$(backup again 2>&1) || bad+=" $out"
        [ -z "$bad" ] || diag "$hit:$bad"
        n_bad=$((n_bad + (${#bad} > 0)))
        n=$((n + 1))
        # A chain of a hundred layers is no part of this.
        [ $((n % 10)) -ne 0 ] || backup start --type=full --wait >/dev/null 2>&1
    done
    is "$n_bad" 0 "$scenario: $program killed at each of $n places, each job ends, leaves nothing and harms nothing, and the next works"
    diag "$n rounds in $(((${EPOCHREALTIME/[.,]/} - begin) / 1000000)) s"
}
