#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Feeds the runner one fake test for every way in which a test can go wrong, and the good ones beside
# them. Each must be counted as what it is and be named with its reason.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/fake.sh"

# one NAME WANTED-LAST-LINE WANTED-STATUS PATTERN: a single fake test, its script on stdin.
one() {
    fake_forget
    fake_suite x
    fake_test "x/t.sh"
    fake_run
    is "$last" "$2" "$1: counted"
    is "$status" "$3" "$1: exit status"
    like "$out" "$4" "$1: named"
}

one "two good results" "2 passed, 0 failed, 0 skipped" 0 '^ok 2 - x/t.sh: b$' <<<'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..2'
one "plan first, a version line and diagnostics" "1 passed, 0 failed, 0 skipped" 0 '^# hello$' \
    <<<'echo "TAP version 13"; echo 1..1; echo "# hello"; echo "ok 1 - a"'
one "not ok" "1 passed, 1 failed, 0 skipped" 1 '^not ok 2 - x/t.sh: b$' <<<'echo "ok 1 - a"; echo "not ok 2 - b"; echo 1..2; exit 1'
one "not ok with exit status 0" "0 passed, 1 failed, 0 skipped" 1 '^not ok 1 - x/t.sh: a$' <<<'echo "not ok 1 - a"; echo 1..1'
one "a failure excused as to do" "0 passed, 1 failed, 0 skipped" 1 '^not ok 1' <<<'echo "not ok 1 - a # TO''DO later"; echo 1..1'
one "too few results" "1 passed, 1 failed, 0 skipped" 1 'planned 2 results, got 1' <<<'echo "ok 1 - a"; echo 1..2'
one "too many results" "2 passed, 1 failed, 0 skipped" 1 'planned 1 results, got 2' <<<'echo "ok 1 - a"; echo "ok 2 - b"; echo 1..1'
one "no plan" "1 passed, 1 failed, 0 skipped" 1 'not ok 2 - x/t.sh: no plan' <<<'echo "ok 1 - a"'
one "two plans" "1 passed, 1 failed, 0 skipped" 1 'second plan' <<<'echo 1..1; echo "ok 1 - a"; echo 1..1'
one "wrong number" "1 passed, 1 failed, 0 skipped" 1 'result 1 is numbered 2' <<<'echo 1..1; echo "ok 2 - a"'
one "prints nothing" "0 passed, 1 failed, 0 skipped" 1 'no plan' <<<'exit 0'
one "an empty plan" "0 passed, 1 failed, 0 skipped" 1 'no results and no reason' <<<'echo 1..0'
one "bail out" "1 passed, 1 failed, 0 skipped" 1 'bailed out: the peer is gone' <<<'echo "ok 1 - a"; echo "Bail out! the peer is gone"; exit 1'
one "exit status without a not ok" "1 passed, 1 failed, 0 skipped" 1 'exit status 3' <<<'echo 1..1; echo "ok 1 - a"; exit 3'
one "a crash" "1 passed, 1 failed, 0 skipped" 1 'killed by signal 11' <<<'echo 1..1; echo "ok 1 - a"; kill -s SEGV $$'
one "a crash after a not ok" "0 passed, 2 failed, 0 skipped" 1 'killed by signal 6' <<<'echo 1..1; echo "not ok 1 - a"; kill -s ABRT $$'
one "not executable by its first line" "0 passed, 1 failed, 0 skipped" 1 'exit status 127' <<<$'\nexec /no/such/program'
one "a skip among good ones" "1 passed, 0 failed, 1 skipped" 0 '^#   x/t.sh: b: no tool$' <<<'echo "ok 1 - a"; echo "ok 2 - b # SKIP no tool"; echo 1..2'
one "cmocka's skip" "1 passed, 0 failed, 1 skipped" 0 '^#   x/t.sh: b: skipped by the test$' <<<'echo 1..2; echo "ok 1 - a"; echo "not ok 2 # SKIP b"'
one "everything skipped is no success" "0 passed, 0 failed, 1 skipped" 1 '^#   x/t.sh: no machine$' <<<'echo "1..0 # SKIP no machine"'
one "a skip of all that fails" "0 passed, 1 failed, 1 skipped" 1 'exit status 1' <<<'echo "1..0 # SKIP no machine"; exit 1'
one "standard error of a failure" "0 passed, 1 failed, 0 skipped" 1 '^#   the cause$' <<<'echo "the cause" >&2; echo "not ok 1 - a"; echo 1..1'
one "not ok on standard error is no result" "1 passed, 0 failed, 0 skipped" 0 '^ok 1' <<<'echo "not ok 1 - a" >&2; echo "ok 1 - a"; echo 1..1'
one "a sanitizer report of a process that nobody waits for" "1 passed, 1 failed, 0 skipped" 1 'sanitizer report' \
    <<<'p=${ASAN_OPTIONS#*log_path=}; echo "ERROR: AddressSanitizer" >"${p%%:*}.x.1"; echo "ok 1 - a"; echo 1..1'

fake_forget
fake_suite empty
fake_run
is "$last/$status" "0 passed, 1 failed, 0 skipped/1" "a suite without tests fails"
like "$out" 'empty/all: the suite has no tests' "and says so"

fake_suite x
fake_test x/a.sh <<<'echo 1..1; echo ok 1'
chmod -x "$fakes/x/a.sh"
echo 'int main(void) { return 0; }' >"$fakes/x/test-gone.c"
fake_run x
is "$last/$status" "0 passed, 2 failed, 0 skipped/1" "a test that nobody can run fails"
like "$out" 'x/a.sh is not executable' "a script without its x bit is named"
like "$out" 'x/test-gone.c was not built' "a unit test that was not built is named"

done_testing
