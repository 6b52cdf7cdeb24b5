#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every fault point of the hub stands in tests/fault-points/points.txt with a test that is there and part of the default run.

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
        if [ ! -x "tests/$test.sh" ]; then
            echo "$points:$line: fault-point: there is no test $test"
        elif ! grep -qx default=yes "tests/${test%/*}/suite.conf"; then
            echo "$points:$line: fault-point: $test is not part of the default run"
        fi
    done <"$points"
    in_sources | while IFS=: read -r file line name; do
        grep -q "^$name " "$points" || echo "$file:$line: fault-point: $name has no test in $points"
    done
}

plant busd/hub/x.c <<<$'fault_point("a.before");\n\tfault_point("b.after");'
plant lib/y.c <<<'int x;'
plant $points <<<$'# a comment\na.before fault-points/x\ngone.after fault-points/x\na.before fault-points/y\na.before fault-rare/x'
for suite in fault-points fault-rare; do
    plant tests/$suite/x.sh </dev/null
    chmod +x "$lint_plants/tests/$suite/x.sh"
done
plant tests/fault-points/suite.conf <<<default=yes
plant tests/fault-rare/suite.conf <<<default=no
lint_planted busd/hub/x.c:2 $points:3 $points:4 $points:5
lint_tree fault-point
done_testing
