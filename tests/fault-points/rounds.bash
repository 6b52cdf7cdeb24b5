# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # hits and points are for the tests
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

# rounds SCENARIO PROGRAM INSTRUCTION...: each in a backup of its own, on one machine. What went wrong is told for each. A backup
# without a kill is made after every $calm_every-th; those between them show with the next kill that one works.
calm_every=1
rounds() {
    local scenario=$1 program=$2 hit out bad n_bad=0 n=0 begin=${EPOCHREALTIME/[.,]/}
    shift 2
    for hit; do
        bad=
        n=$((n + 1))
        out=$(backup round "$hit" "$scenario" "$program" 2>&1) || bad+=" $out"
        out=$(nothing_left 2>&1) || bad+=" $out"
        if [ $((n % calm_every)) -eq 0 ] || [ "$n" -eq $# ]; then
            out=$(backup again 2>&1) || bad+=" $out"
        fi
        [ -z "$bad" ] || diag "$hit:$bad"
        n_bad=$((n_bad + (${#bad} > 0)))
        # A chain of a hundred layers is no part of this.
        [ $((n % 10)) -ne 0 ] || backup start --type=full --wait >/dev/null 2>&1
    done
    is "$n_bad" 0 "$scenario: $program killed at each of $n places, each job ends, leaves nothing and harms nothing, and the next works"
    diag "$n rounds in $(((${EPOCHREALTIME/[.,]/} - begin) / 1000000)) s"
}

# work_points KIND NAMES: sets points to those of the names that the hub passes in such a job about the newest backup, see machine-backup.
work_points() {
    require "a $1 without a kill" backup work_recorded "$1"
    mapfile -t points < <(hub awk '$4 == "sendense-hub" { print $1 }' /run/recorded | LC_ALL=C sort -u | LC_ALL=C comm -12 - <(echo "$2"))
}

# work_rounds KIND POINT...: the hub is killed at the first hit of each, in a job of its own.
work_rounds() {
    local kind=$1 point out bad n_bad=0
    shift
    for point; do
        bad=
        out=$(backup work_round "$point:1" "$kind" 2>&1) || bad+=" $out"
        out=$(nothing_left 2>&1) || bad+=" $out"
        [ -z "$bad" ] || diag "$kind, $point:$bad"
        n_bad=$((n_bad + (${#bad} > 0)))
    done
    is "$n_bad" 0 "$kind: the hub is killed at each of $# points, the job ends as it should and leaves nothing"
}
