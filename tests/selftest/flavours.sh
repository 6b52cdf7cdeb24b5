#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# When tests/run builds what, on a tree of three lines: the run's own flavour before all, that of a suite when it begins and once,
# none that nobody needs; and that a flavour which cannot be built fails its suites and no others.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/fake.sh"

tree=$TEST_TMP/tree
mkdir -p "$tree/tests"
cp -r "$SENDENSE_SRC/tests/run" "$SENDENSE_SRC/tests/lib" "$tree/tests/"
cp -r "$SENDENSE_SRC/deploy" "$tree/"
cat >"$tree/meson.build" <<'EOF'
project('x', 'c')
executable('x', 'x.c', c_args: get_option('fault-points') ? '-DFAULTS' : [])
EOF
printf "option('%s', type: 'boolean', value: %s)\n" fault-points false tests true >"$tree/meson_options.txt"
printf 'int main(void)\n{\n        return 0;\n}\n' >"$tree/x.c"
SENDENSE_SRC=$tree
unset SENDENSE_BUILD

good='test -x "$SENDENSE_BUILD/x" && echo "ok 1 - in ${SENDENSE_BUILD##*/}"; echo 1..1'
fake_suite none
fake_test none/n.sh <<<'echo "ok 1 - fine"; echo 1..1'
fake_suite plain build=plain
fake_test plain/p.sh <<<"$good"
for name in points points-too; do
    fake_suite "$name" build=fault-points
    fake_test "$name/q.sh" <<<"$good"
done
# order: builds and results as they came.
order() { grep -oE '^# build: (the )?[a-z-]+|^(not )?ok [0-9]+ - [a-z-]+' <<<"$out" | sed -E 's/# build: (the )?/build /; s/ [0-9]* - / /' | paste -sd,; }

fake_run none
is "$(order)" 'ok none' "a suite without a build: nothing is built"
ok "nor is there a folder" test ! -e "$tree/build"
fake_run plain
is "$(order)" 'build plain,ok plain' "a suite of the plain build: no other is made"
fake_run none plain points points-too
is "$(order)" 'build plain,ok none,ok plain,build fault-points,ok points,ok points-too' "another flavour: when its first suite begins, and once"
like "$out" 'ok 3 - points/q.sh: in build-fault-points$' "and its tests get its folder"
fake_run points
is "$(order)" 'build fault-points,ok points' "named alone it is the only one"
fake_run --no-build points
is "$(order)" 'ok points' "--no-build: as it is"

printf '#ifdef FAULTS\n#error no\n#endif\n' >>"$tree/x.c"
fake_run plain points points-too none
is "$(order)" 'build plain,ok plain,build fault-points,not ok points,not ok points-too,ok none' "one that cannot be built fails its suites"
like "$out" 'not ok 2 - points/build: the fault-points build failed' "and says so"
like "$out" '^# .*error no' "with what the compiler said"
is "$last/$status" "2 passed, 2 failed, 0 skipped/1" "and is counted"
printf '#error no\n' >>"$tree/x.c"
fake_run none plain
is "$(order)/$last" 'build plain/0 passed, 1 failed, 0 skipped' "the run's own ends the run before a test"
done_testing
