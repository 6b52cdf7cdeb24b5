#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fault points: a program is killed or stopped exactly where the test says, its hits are written down, the list of the
# points is what was built, and a normal build has no trace of them. The program is compiled here, once with and once
# without, so that both are tried in every build.

. "$(dirname "$0")/../lib/tap.sh"

LISTER=$SENDENSE_SRC/tests/lib/fault-points
export SENDENSE_FAULT_POINT_DIR=$TEST_TMP/points
mkdir "$SENDENSE_FAULT_POINT_DIR"

# make_victim COMPILER 0|1 DIR: a tree and a build of its own in DIR.
make_victim() {
    mkdir -p "$3/src/lib" "$3/src/helpers" "$3/build"
    cp "$SENDENSE_SRC"/lib/fault-point.[ch] "$3/src/lib/"
    cp "$SENDENSE_SRC/tests/left/data/fault-victim.c" "$3/src/helpers/victim.c"
    printf '#pragma once\n#define SENDENSE_FAULT_POINTS %s\n' "$2" >"$3/src/build-config.h"
    compile "$1" "$2" "$3"
}
compile() {
    local sources=(../src/helpers/victim.c)
    [ "$2" = 0 ] || sources+=(../src/lib/fault-point.c)
    (cd "$3/build" && "$1" -D_GNU_SOURCE -std=gnu17 -O2 -Wall -Wextra -Wshadow -Wundef -Wconversion -Werror \
        -pthread -I../src -o victim "${sources[@]}")
}

instruct() { # the way tests do it: whole or not at all
    echo "$1" >"$SENDENSE_FAULT_POINT_DIR/new" && mv "$SENDENSE_FAULT_POINT_DIR/new" "$SENDENSE_FAULT_POINT_DIR/fault-point"
}
points_clear() { rm -f "$SENDENSE_FAULT_POINT_DIR"/*; }

run_victim() { # sets out and rc
    out=$(exec "$victim" "$@" 2>"$TEST_TMP/err")
    rc=$?
}
state_of() { sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"; }
lines_are() { [ "$(wc -l <"$TEST_TMP/out")" -eq "$1" ]; }
state_is() { [ "$(state_of "$1")" = "$2" ]; }

require "compiles with points" make_victim cc 1 "$TEST_TMP/with"
require "compiles without" make_victim cc 0 "$TEST_TMP/without"
if command -v clang >/dev/null; then
    ok "compiles with points, clang" make_victim clang 1 "$TEST_TMP/clang"
else
    skip "compiles with points, clang" "clang is missing"
fi
victim=$TEST_TMP/with/build/victim

# Without an instruction nothing happens.
run_victim steps 2
is "$rc $(wc -l <<<"$out")" "0 6" "no instruction: it runs through, and errno is kept"

# By environment.
SENDENSE_FAULT_POINT=victim.write.before:2 run_victim steps 3
is "$rc" 137 "killed by the second hit"
is "$out" $'wrote 1\nsynced 1\nrenamed 1' "and it got exactly that far"
SENDENSE_FAULT_POINT=victim.write.after run_victim steps 3
is "$rc $out" "137 wrote 1" "without a number it is the first hit"
SENDENSE_FAULT_POINT=victim.rename.after:3:kill run_victim steps 3
is "$rc $(tail -n 1 <<<"$out")" "137 synced 3" "the last step of all"
SENDENSE_FAULT_POINT=victim.rename.after:4 run_victim steps 3
is "$rc" 0 "a hit that does not come kills nothing"
SENDENSE_FAULT_POINT=somebody.else run_victim steps 1
is "$rc" 0 "the point of another program is none of its business"

for wrong in victim.write.before:0 victim.write.before:x victim.write.before:1:pause victim.write.before:1:kill:2 :1 victim.write.before:99999999999999999999; do
    SENDENSE_FAULT_POINT=$wrong run_victim steps 1
    is "$rc $(grep -c 'not NAME' "$TEST_TMP/err")" "134 1" "'$wrong' is refused loudly"
done

# By file: obeyed once, by one process.
instruct victim.write.after:2
run_victim steps 3
is "$rc $(tail -n 1 <<<"$out")" "137 wrote 2" "an instruction file is obeyed"
is "$(cat "$SENDENSE_FAULT_POINT_DIR/fault-point.fired")" victim.write.after:2 "and shows that it was"
ok "and is gone" test ! -e "$SENDENSE_FAULT_POINT_DIR/fault-point"
run_victim steps 3
is "$rc" 0 "so that a restarted program lives"

# A program that is older than its instruction: hits are counted from the instruction on.
points_clear
mkfifo "$TEST_TMP/lines"
"$victim" wait <"$TEST_TMP/lines" >"$TEST_TMP/out" &
pid=$!
exec {lines}>"$TEST_TMP/lines"
printf '\n\n\n' >&"$lines"
ok "a long-running program" eventually 30 lines_are 3
instruct victim.line:2:stop
echo >&"$lines"
echo >&"$lines"
ok "stops" eventually 30 state_is "$pid" T
is "$(wc -l <"$TEST_TMP/out")" 4 "at the second hit after the instruction, and not a step further"
ok "the instruction is taken" test -e "$SENDENSE_FAULT_POINT_DIR/fault-point.fired"
kill -CONT "$pid"
ok "and goes on when it is continued" eventually 30 lines_are 5
exec {lines}>&-
wait "$pid"
is $? 0 "to its end"

# Hits are written down.
points_clear
: >"$SENDENSE_FAULT_POINT_DIR/hits"
run_victim steps 2
is "$(cut -d' ' -f1,2,4 "$SENDENSE_FAULT_POINT_DIR/hits" | paste -sd,)" \
    "victim.write.before 1 victim,victim.write.after 1 victim,victim.rename.after 1 victim,victim.write.before 2 victim,victim.write.after 2 victim,victim.rename.after 2 victim" \
    "every hit is written down in order"
# Enumerating what a scenario passes and killing it at each of them is what later suites do.
mapfile -t hits < <(cut -d' ' -f1,2 "$SENDENSE_FAULT_POINT_DIR/hits" | tr ' ' :)
rm "$SENDENSE_FAULT_POINT_DIR/hits"
killed=0
for hit in "${hits[@]}"; do
    instruct "$hit"
    run_victim steps 2
    [ "$rc" -ne 137 ] || [ "$(wc -l <<<"$out")" -ne "$killed" ] && [ "$killed" -gt 0 ] || killed=$((killed + 1))
done
is "$killed" 6 "killed at each of them, one step further each time"

: >"$SENDENSE_FAULT_POINT_DIR/hits"
run_victim threads 10000
is "$rc $(wc -l <"$SENDENSE_FAULT_POINT_DIR/hits") $(cut -d' ' -f2 "$SENDENSE_FAULT_POINT_DIR/hits" | sort -n | uniq | wc -l)" \
    "0 40000 40000" "four threads: no hit lost, no number twice"
points_clear
instruct victim.shared:1500
run_victim threads 500
is "$rc:$out" 137: "killed by the 1500th hit of four threads"
points_clear
killed=0
for round in {1..10}; do
    instruct victim.write.before
    pids=()
    for process in 1 2 3 4; do
        exec "$victim" steps 1 >"$TEST_TMP/out-$round-$process" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" 2>/dev/null
        [ $? -ne 137 ] || killed=$((killed + 1))
    done
done
is "$killed" 10 "of four processes one obeys, ten times"
points_clear
: >"$SENDENSE_FAULT_POINT_DIR/hits"
SENDENSE_FAULT_POINT=somebody.else run_victim signals 2000
is "$rc $out" "0 handled 1" "a signal handler hits the point that main() is in"
points_clear
if [ "$EUID" -ne 0 ] || ! command -v setpriv >/dev/null; then
    skip "a folder that cannot be written is said loudly" "takes root and setpriv"
else
    instruct victim.write.before
    chmod 755 "$TEST_TMP" "$SENDENSE_FAULT_POINT_DIR"
    out=$(cd / && setpriv --reuid=65534 --regid=65534 --clear-groups "$victim" steps 1 2>&1 >/dev/null)
    is "$? $(grep -c 'must be writable' <<<"$out")" "134 1" "a folder that cannot be written is said loudly"
fi
points_clear

# The list.
list() { SENDENSE_SRC=$TEST_TMP/$1/src SENDENSE_BUILD=$TEST_TMP/$1/build "$LISTER" "${@:2}" 2>&1; }
got=$(list with)
is $? 0 "the build and the sources agree"
is "$(grep -oE '^[^ ]+ [^ ]+|^[0-9].*' <<<"$got" | sed 's/:[0-9]*$//')" \
    "victim.line helpers/victim.c
victim.rename.after helpers/victim.c
victim.shared helpers/victim.c
victim.write.after helpers/victim.c
victim.write.before helpers/victim.c
5 fault points" "all points with their places, and how many"
like "$got" "^victim.line helpers/victim.c:$(grep -n victim.line "$TEST_TMP/with/src/helpers/victim.c" | cut -d: -f1) victim$" "file, line and program are right"
is "$(list with --names | paste -sd' ')" "victim.line victim.rename.after victim.shared victim.write.after victim.write.before" "--names"
if [ -x "$TEST_TMP/clang/build/victim" ]; then
    is "$(list clang)" "$got" "clang builds the same list"
fi
not_ok "--absent sees points that should not be there" list with --absent

ok "a normal build has none" list without --absent
is "$(readelf -SW "$TEST_TMP/without/build/victim" | grep -c sendense_fault_points)" 0 "no section"
is "$(grep -c -e 'victim\.line' -e FAULT_POINT "$TEST_TMP/without/build/victim")" 0 "no name and no text"
like "$(list without)" "only in the sources: victim.line" "an unbuilt point is reported"
echo 'void again(void); void again(void) { fault_point("victim.line"); }' >>"$TEST_TMP/with/src/helpers/victim.c"
like "$(list with)" "only in the sources: victim.line helpers/victim.c" "a build older than the sources is reported"
ok "it builds" compile cc 1 "$TEST_TMP/with"
like "$(list with)" "one name at two places" "a name used twice is refused"
echo '#define odd(x) fault_point(x)' >>"$TEST_TMP/with/src/helpers/victim.c"
like "$(list with)" "must be fault_point" "a call that the sources cannot be searched for is refused"
list nowhere >/dev/null
is $? 2 "no build: could not look"

# This tree.
if [ -d "$SENDENSE_BUILD" ] && grep -q 'SENDENSE_FAULT_POINTS 0' "$SENDENSE_BUILD/build-config.h" 2>/dev/null; then
    out=$("$LISTER" --absent 2>&1)
    rc=$?
    # A tree that has no program yet cannot have one with points.
    [[ $rc -ne 2 || $out != *"no program"* ]] || rc=0
    is "$rc" 0 "the normal build of this tree has no fault point"
else
    skip "the normal build of this tree has no fault point" "no normal build in $SENDENSE_BUILD"
fi
done_testing
