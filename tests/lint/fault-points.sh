#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every fault point of the hub stands in tests/fault-points/points.txt with a test that is there: those tests take long and run
# when they are named, so that a point which none of them passes would be noticed late.

. "$(dirname "$0")/../lib/tap.sh"

# check TREE: prints what is wrong in it.
check() {
    local list=$1/tests/fault-points/points.txt name test
    diff <(grep -v '^#' "$list" | cut -d' ' -f1 | LC_ALL=C sort) \
        <(cd "$1" && grep -rhoE --include='*.c' 'fault_point\("[^"]*"\)' busd/hub lib | cut -d'"' -f2 | LC_ALL=C sort -u) |
        sed -nE 's/^< (.*)/\1 is in the list and in no source/p; s/^> (.*)/\1 has no test in the list/p'
    while read -r name test; do
        [ -x "$1/tests/$test.sh" ] || echo "$name: there is no test $test"
    done < <(grep -v '^#' "$list")
}

mkdir -p "$TEST_TMP/tree/"{tests/fault-points,busd/hub,lib}
cd "$TEST_TMP/tree" || exit 1
printf 'fault_point("a.before");\n\tfault_point("b.after");\n' >busd/hub/x.c
printf '# a comment\na.before fault-points/x\ngone.after fault-points/y\n' >tests/fault-points/points.txt
install -m 755 /dev/null tests/fault-points/x.sh
is "$(check . | LC_ALL=C sort)" "b.after has no test in the list
gone.after is in the list and in no source
gone.after: there is no test fault-points/y" "finds the planted ones"
is "$(check "$SENDENSE_SRC")" "" "every fault point of the hub has a test"
done_testing
