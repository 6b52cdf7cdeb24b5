#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A test that hangs, forks away or leaves a mount must neither stop the run nor stay behind. Every fake
# leaves its pids in a file, so that this test looks for exactly those.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/fake.sh"

export PIDS=$TEST_TMP/pids
all_gone() {
    local pid state
    while read -r pid; do
        # A dead process whose parent is a lazy init is gone enough.
        state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
        [[ $state =~ ^[ZX]?$ ]] || return 1
    done <"$PIDS"
}

fake_suite hang limit_sec=5 parallel=yes
fake_test hang/polite.sh <<'EOF'
trap 'echo "# cleaned up"; kill $!; exit 143' TERM
sleep 300 & echo $! $$ | tr ' ' '\n' >>"$PIDS"
wait
EOF
fake_test hang/stubborn.sh <<'EOF'
trap '' TERM
(trap '' TERM; echo $BASHPID >>"$PIDS"; exec sleep 301) &
echo $$ >>"$PIDS"
while :; do sleep 302; done
EOF
fake_test hang/child-only.sh <<'EOF'
# Ends by TERM itself; the child in its group does not.
(trap '' TERM; echo $BASHPID >>"$PIDS"; exec sleep 303) &
echo $$ >>"$PIDS"
wait
EOF
fake_test hang/flood.sh <<'EOF'
echo $$ >>"$PIDS"
while :; do sleep 0.01; echo "# still here"; done
EOF
fake_run --jobs 4
is "$last" "0 passed, 4 failed, 0 skipped" "four hanging tests: counted"
is "$status" 1 "four hanging tests: exit status"
is "$(grep -c 'not ok .*time limit of 5 s reached' <<<"$out")" 4 "each says that its time was up"
like "$out" '^# cleaned up$' "a test gets the time to clean up"
is "$(wc -l <"$PIDS")" 7 "every fake process has run"
ok "no process stays" all_gone

fake_forget
fake_suite slow limit_sec=1 parallel=yes
fake_test slow/machine.sh <<'EOF'
. "$SENDENSE_SRC/tests/lib/tap.sh"
began=$SECONDS
is_late() { [ $((SECONDS - began)) -ge 3 ]; }
ok "it comes at last" eventually 1 is_late
done_testing
EOF
fake_run
is "$status" 1 "what takes three times as long as it may is red"
fake_run --patience 10
is "$last" "1 passed, 0 failed, 0 skipped" "on a machine that is told to be slow it is not"

fake_forget
: >"$PIDS"
fake_suite stray parallel=yes
fake_test stray/daemon.sh <<'EOF'
setsid bash -c 'trap "" TERM; echo $$ >>"$PIDS"; while :; do sleep 304; done' &
until [ -s "$PIDS" ]; do sleep 0.01; done
echo "ok 1 - done"; echo 1..1
EOF
fake_test stray/no-environment.sh <<'EOF'
env -i sleep 306 & echo $! >"$PIDS.2"
echo "ok 1 - done"; echo 1..1
EOF
fake_test stray/bystander.sh <<<'echo "ok 1 - done"; echo 1..1'
fake_run
cat "$PIDS.2" >>"$PIDS"
is "$last" "3 passed, 2 failed, 0 skipped" "two processes that outlive their tests: counted"
like "$out" 'stray/daemon.sh: left processes: [0-9]+ \(bash -c' "it is named"
like "$out" 'stray/no-environment.sh: left processes: [0-9]+ \(sleep 306\)' "so is one without its environment"
ok "they do not stay" all_gone

fake_forget
fake_suite late
fake_test late/late.sh <<<'setsid sleep 0.3 & echo "ok 1 - done"; echo 1..1'
fake_run
is "$last" "1 passed, 0 failed, 0 skipped" "a daemon on its way out is given the time"

fake_forget
if mkdir -p "$TEST_TMP/precious" && touch "$TEST_TMP/precious/file" && mount --bind "$TEST_TMP" "$TEST_TMP" 2>/dev/null; then
    umount "$TEST_TMP"
    export PRECIOUS=$TEST_TMP/precious
    fake_suite mount
    fake_test mount/bind.sh <<'EOF'
mkdir "$TEST_TMP/a b" && mount --bind "$PRECIOUS" "$TEST_TMP/a b"
echo "ok 1 - done"; echo 1..1
EOF
    fake_run
    is "$last" "1 passed, 1 failed, 0 skipped" "a mount that stays: counted"
    like "$out" 'left mounts: .*a b' "it is named"
    ok "what was mounted is not removed with the folder" test -e "$TEST_TMP/precious/file"
else
    skip "a mount that stays" "mounting is not permitted here"
fi

fake_forget
: >"$PIDS"
fake_suite interrupted
fake_test interrupted/long.sh <<<'echo $$ >>"$PIDS"; trap "" TERM; while :; do sleep 305; done'
"$SENDENSE_SRC/tests/run" --tests-dir "$fakes" --no-install --grace-sec 1 >"$TEST_TMP/run.out" 2>&1 &
runner=$!
eventually 30 test -s "$PIDS"
tmp_before=$(tr '\0' '\n' <"/proc/$(<"$PIDS")/environ" | sed -n 's/^TEST_TMP=//p')
kill -s TERM "$runner"
wait "$runner"
is $? 143 "a run that is told to end does"
ok "and takes its test with it" all_gone
not_ok "and its temporary folder" test -e "$tmp_before"

fake_forget
: >"$PIDS"
export GONE=$TEST_TMP/gone
fake_suite pipe parallel=yes
fake_test pipe/a.sh <<<'until [ -s "$PIDS" ]; do sleep 0.02; done; echo "ok 1 - a"; echo 1..1'
fake_test pipe/b.sh <<<'until [ -e "$GONE" ]; do sleep 0.02; done; echo "ok 1 - b"; echo 1..1'
fake_test pipe/c.sh <<<'echo $$ >>"$PIDS"; while :; do sleep 307; done'
"$SENDENSE_SRC/tests/run" --tests-dir "$fakes" --no-install --jobs 3 2>/dev/null |
    { grep -q -m 1 '^ok' && exec <&- && touch "$GONE" && eventually 30 all_gone; }
ok "a reader that goes away ends the run and its tests" all_gone

done_testing
