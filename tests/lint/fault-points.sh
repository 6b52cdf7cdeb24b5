#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every fault point of the hub stands in tests/fault-points/points.txt with a test that is there: those tests take long and run
# when they are named, so that a point which none of them passes would be noticed late.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

points=tests/fault-points/points.txt
# in_sources: "FILE:LINE:NAME" of each point of the hub.
in_sources() { grep -rnoE --include='*.c' 'fault_point\("[^"]*"\)' busd/hub lib | sed -E 's/fault_point\("([^"]*)"\)/\1/'; }

check() {
    local name test line=0
    cd "$1" || return
    while read -r name test; do
        line=$((line + 1))
        [[ $name != '#'* ]] || continue
        in_sources | grep -q ":$name\$" || echo "$points:$line: fault-point: $name is in no source"
        [ -x "tests/$test.sh" ] || echo "$points:$line: fault-point: there is no test $test"
    done <"$points"
    in_sources | while IFS=: read -r file line name; do
        grep -q "^$name " "$points" || echo "$file:$line: fault-point: $name has no test in $points"
    done
}

plant busd/hub/x.c <<<$'fault_point("a.before");\n\tfault_point("b.after");'
plant lib/y.c <<<'int x;'
plant $points <<<$'# a comment\na.before fault-points/x\ngone.after fault-points/x\na.before fault-points/y'
plant tests/fault-points/x.sh </dev/null
chmod +x "$lint_plants/tests/fault-points/x.sh"
lint_planted busd/hub/x.c:2 $points:3 $points:4
lint_tree fault-point
done_testing
