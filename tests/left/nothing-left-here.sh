#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# nothing-left without a machine of the lab: what a probe or its tools complain about is never taken for clean, options
# are strict, and what belongs to a machine inside this one is not of this one.

. "$(dirname "$0")/../lib/tap.sh"

NOTHING_LEFT=$SENDENSE_SRC/tests/lib/nothing-left
[ "$EUID" -eq 0 ] || skip_all "nothing-left takes root"
repo=$TEST_TMP/repository
mkdir "$repo"
look() { "$NOTHING_LEFT" --here --repository "$repo" "$@" 2>&1; }

# judged FUNCTION-BODY: what look_all makes of a probe that does this.
judged() {
    local out
    out=$(bash -c ". '$SENDENSE_SRC/tests/lib/nothing-left.d/report.bash'; look_quiet() { :; }; look_x_y() { $1
        }; look_all quiet x-y" 2>&1)
    echo "$? $out"
}
is "$(judged ':')" "0 " "a probe that finds nothing"
is "$(judged 'leftover thing "ls thing"')" "1 leftover x-y: thing (ls thing)" "one that finds something"
is "$(judged 'cannot "no way"')" "2 could not look at x-y: no way" "one that cannot look"
is "$(judged 'leftover a b; cannot c; leftover d e')" $'2 leftover x-y: a (b)\ncould not look at x-y: c\nleftover x-y: d (e)' "not to have looked is worse"
is "$(judged 'return 3')" "2 could not look at x-y: the probe failed" "one that fails"
is "$(judged 'cat /nowhere; return 0')" "2 could not look at x-y: cat: /nowhere: No such file or directory" "one whose tool complains"
is "$(judged 'nonsense; return 0' | cut -c1-30)" "2 could not look at x-y: envir" "one that calls what is not there"
is "$(judged 'echo "leftover other: thing"')" "2 could not look at x-y: leftover other: thing" "one that speaks for another"

is "$(look --only partial-files,locks,processes)$?" 0 "an empty repository"
touch "$repo/a.partial"
is "$(look --only repository)" "leftover partial-files: $repo/a.partial (ls -l $repo/a.partial)" "a group; and a file"
is "$(look --only repository --without partial-files)$?" 0 "without it"
(sleep 0.5 && rm "$repo/a.partial") &
ok "--within waits until it is gone" look --only partial-files --within 20
wait
touch "$repo/a.partial"
start=$EPOCHREALTIME
not_ok "but not for ever" look --only partial-files --within 1
ok "for as long as it was told" test "$(((${EPOCHREALTIME/./} - ${start/./}) / 100000))" -ge 10
rm "$repo/a.partial"

# A folder that gives an I/O error: a FUSE file system whose server was killed.
if [ -c /dev/fuse ] && command -v nbdfuse >/dev/null; then
    mkdir "$repo/dead"
    at_end 'umount -l "$repo/dead" 2>/dev/null || true'
    nbdkit -U "$TEST_TMP/null.sock" -P "$TEST_TMP/null.pid" null 1M
    at_end 'kill "$(cat "$TEST_TMP/null.pid")"'
    nbdfuse "$repo/dead/disk" --unix "$TEST_TMP/null.sock" &
    fuse=$!
    ok "a mount in the repository" eventually 30 test -e "$repo/dead/disk"
    kill -KILL "$fuse"
    wait "$fuse" 2>/dev/null
    like "$(look --only partial-files; echo "rc $?")" 'could not look at partial-files: .*not connected' "that is dead: could not look"
    like "$(look --only locks; echo "rc $?")" '^rc 2' "neither for locks"
    umount -l "$repo/dead"
else
    skip "a dead folder in the repository" "no /dev/fuse or no nbdfuse"
fi

# A process of another pid namespace is a machine's of its own.
qemu-img create -q -f qcow2 "$repo/b.qcow2" 1M
unshare --pid --fork --kill-child --mount-proc tail -f /dev/null <"$repo/b.qcow2" &
inside=$!
at_end 'kill -KILL "$inside" 2>/dev/null || true' # it ignores TERM
seen() { [ "$(look --only processes | grep -c "tail\[")" = "$1" ]; }
has_child() { pgrep -P "$inside" -x tail; }
ok "a process in a machine inside" eventually 30 has_child
ok "is not ours" seen 0
tail -f /dev/null <"$repo/b.qcow2" &
ours=$!
ok "the same of ours is" eventually 30 seen 1
kill -KILL "$ours" "$inside"
wait "$ours" "$inside" 2>/dev/null

for wrong in "--only unit" "--only" "--within x" "--ports 1" "--unknown" "" "--since /nowhere" "--only units --without systemd"; do
    # shellcheck disable=SC2086 # words are meant
    "$NOTHING_LEFT" ${wrong:+--here} $wrong >/dev/null 2>&1
    is $? 2 "refused: '$wrong'"
done
is "$("$NOTHING_LEFT" --list-kinds | sort | uniq -d)" "" "no kind twice"
for kind in $("$NOTHING_LEFT" --list-kinds); do
    grep -q "^look_${kind//-/_}()" "$SENDENSE_SRC"/tests/lib/nothing-left.d/*.bash || fail "there is no probe for $kind"
done
done_testing
