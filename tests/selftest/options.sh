#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What tests/run offers on the command line, its table and its complaints, and what it hands to a test.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/fake.sh"

good='echo "ok 1 - fine"; echo 1..1'
fake_suite one parallel=yes budget_sec=60
fake_test one/a.sh <<<"$good"
fake_test one/b.sh <<<"$good"
fake_suite two default=no budget_sec=45
fake_test two/c.sh <<<"$good"

fake_run --list
like "$out" '^one +yes +60 s  fake one$' "--list: a default suite"
like "$out" '^two +no +45 s  fake two$' "--list: a suite that must be named"

fake_run
is "$last/$status" "2 passed, 0 failed, 0 skipped/0" "without names: the default suites"
like "$out" '^# one +2 +0 +0 +[0-9]+\.[0-9] +60$' "the table has the suite's counts"
fake_run two one/b.sh
is "$last/$status" "2 passed, 0 failed, 0 skipped/0" "a suite and a single test"
like "$out" '^ok 1 - two/c.sh: fine$' "in the order asked for"
fake_run one/none.sh
is "$last/$status" "0 passed, 1 failed, 0 skipped/1" "a test that does not exist"
fake_run one/a one/none.sh
is "$last/$status" "1 passed, 1 failed, 0 skipped/1" "one beside it that does, by its short name"
like "$out" '^not ok 2 - one/none.sh: the suite has no such test' "and says which is missing"
fake_run three
is "$status" 2 "a suite that does not exist: status"
like "$err" 'no suite "three"; there are: one two' "and the ones that do"

for bad in --frobnicate '--jobs 0' '--jobs' '--build none' '--grace-sec x' '--patience 0' '--tests-dir /no/such/folder'; do
    # shellcheck disable=SC2086 # option and value
    fake_run $bad
    is "$status" 2 "refused: $bad"
done
fake_run --help
like "$out" '^Usage: sudo tests/run' "--help"
grep -oE '^        --[a-z-]+' "$SENDENSE_SRC/tests/run" >"$TEST_TMP/options"
while read -r option; do
    like "$out" "^  $option " "--help knows $option"
done <"$TEST_TMP/options"

fake_suite one parallel=yes budget_sec=1
fake_test one/slow.sh <<<'sleep 1.1; echo "ok 1 - fine"; echo 1..1'
fake_run one
like "$out" '^# one .* warning: over budget$' "a suite over its budget is warned of"
is "$status" 0 "and does not fail for it"
rm "$fakes/one/slow.sh"

export MEET=$TEST_TMP/meet
mkdir "$MEET"
meet=': >"$MEET/${0##*/}"; for ((i = 0; i < ${MEET_TRIES:-500}; i++)); do [ "$(ls "$MEET" | wc -l)" -lt 2 ] || { echo "ok 1 - met"; echo 1..1; exit; }; sleep 0.02; done; echo "not ok 1 - alone"; echo 1..1'
fake_test one/a.sh <<<"$meet"
fake_test one/b.sh <<<"$meet"
fake_run --jobs 2 one
is "$last" "2 passed, 0 failed, 0 skipped" "parallel=yes: two tests at a time"
rm "$MEET"/*
MEET_TRIES=20 fake_run --jobs 1 one/a.sh
is "$last" "0 passed, 1 failed, 0 skipped" "and alone with nobody to meet"
rm "$MEET"/*
fake_suite next parallel=yes
fake_test next/b.sh <<<"$meet"
fake_run --jobs 2 one/a.sh next
is "$last" "2 passed, 0 failed, 0 skipped" "two suites: the second begins while the first still runs"
like "$out" '^# all in [0-9]+\.[0-9] s, 2 at a time$' "and how long all of it took is told"
rm "$MEET"/*
fake_suite next parallel=no
MEET_TRIES=20 fake_run --jobs 2 one/a.sh next
is "$last" "1 passed, 1 failed, 0 skipped" "unless it is not parallel"
rm "$MEET"/*
MEET_TRIES=20 fake_run --jobs 2 next one/a.sh
is "$last" "1 passed, 1 failed, 0 skipped" "or the first was not"
rm -r "${MEET:?}"/* "$fakes/next"
fake_suite one parallel=no
alone='[ -z "$(ls "$MEET")" ] && : >"$MEET/x" && sleep 0.2 && rm "$MEET/x" && echo "ok 1 - alone"; echo 1..1'
fake_test one/a.sh <<<"$alone"
fake_test one/b.sh <<<"$alone"
fake_run --jobs 2 one
is "$last" "2 passed, 0 failed, 0 skipped" "parallel=no: one at a time"

fake_test one/a.sh <<'EOF'
n=0
check() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
check "stdin is empty" test -z "$(cat)"
check "no terminal" test ! -t 1
check "own folder" test "$PWD" = "$TEST_TMP" -a -w "$TEST_TMP"
check "short enough for a socket's path" test ${#TEST_TMP} -le 40
check "the tree" test -x "$SENDENSE_SRC/tests/run"
check "the build folder" test -n "$SENDENSE_BUILD"
check "git reads the tree" git -C "$SENDENSE_SRC" rev-parse -q HEAD
check "cmocka speaks TAP" test "$CMOCKA_MESSAGE_OUTPUT" = TAP
echo "# tmp $TEST_TMP"
echo 1..$n
EOF
fake_run one/a.sh
is "$last" "8 passed, 0 failed, 0 skipped" "what a test gets"
tmp=$(sed -n 's/^# tmp //p' <<<"$out")
not_ok "its folder is gone afterwards" test -e "$tmp"
cd / && fake_run --keep-tmp one/a.sh
tmp=$(sed -n 's/^# tmp //p' <<<"$out")
ok "--keep-tmp keeps it" test -d "$tmp"
rm -rf "$(dirname "$tmp")"

for line in 'colour=red' 'budget_sec=ten' 'budget_sec=0' 'default=maybe' 'build=odd' 'limit_sec' 'description="open'; do
    fake_suite bad "$line"
    fake_run one
    is "$status" 2 "suite.conf with $line is refused"
    like "$err" '/bad/suite.conf:5: ' "with its line"
done
fake_forget
fake_run
is "$status" 2 "no suites at all: refused"

if setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
    fake_suite one
    fake_test one/a.sh <<<"$good"
    chmod -R go+rX "$TEST_TMP" "$(dirname "$TEST_TMP")"
    # A copy, because the tree itself may be in a folder that others cannot enter.
    mkdir "$TEST_TMP/tree" && cp -r "$SENDENSE_SRC/tests" "$SENDENSE_SRC/deploy" "$TEST_TMP/tree"
    says=$(cd / && setpriv --reuid 65534 --regid 65534 --clear-groups "$TEST_TMP/tree/tests/run" --tests-dir "$fakes" 2>&1)
    is $? 2 "not root: refused"
    like "$says" 'must be root.* type: sudo tests/run' "with the remedy"
else
    skip "not root" "cannot change the user here"
fi

done_testing
