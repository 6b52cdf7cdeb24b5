#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tests/lib/build.sh on a tree of three lines: flavours, a tree that was moved, a tree of somebody
# else, an error in the sources; and that the sanitizers of that flavour really see.

. "$(dirname "$0")/../lib/tap.sh"

here=$(cd "$(dirname "$0")" && pwd)
tree=$TEST_TMP/tree
mkdir -p "$tree/tests/unit"
cat >"$tree/meson.build" <<'EOF'
project('x', 'c', default_options: ['werror=true', 'warning_level=2'])
executable('x', 'x.c')
subdir('tests/unit')
EOF
echo "executable('test-x', '../../x.c', c_args: '-DTEST')" >"$tree/tests/unit/meson.build"
printf "option('%s', type: 'boolean', value: %s)\n" fault-points false tests true >"$tree/meson_options.txt"
cat >"$tree/x.c" <<'EOF'
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
        int *p = calloc((size_t) argc, sizeof(*p));
        printf("1..1\nok 1 - %s\n", argv[0]);
        if (getenv("LEAK"))
                p = NULL;
        if (p && getenv("OVERFLOW"))
                printf("# %d\n", INT_MAX - 1 + 2 * argc);
        free(p);
        return 0;
}
EOF

# build FLAVOUR: as tests/run does it; sets says and status.
build() {
    says=$(
        unset SENDENSE_BUILD
        # shellcheck disable=SC2030 # for this subshell only
        SENDENSE_SRC=$tree
        . "$here/../lib/build.sh"
        build_flavour "$1" 1 2>&1
    )
    status=$?
}


build plain
is "$status" 0 "plain: builds"
like "$says" '^# build: plain in .*/tree/build, [0-9]+\.[0-9] s$' "and says where, in one line"
like "$(jq -r '.[0].command' "$tree/build/compile_commands.json")" '^(cc|gcc) ' "by gcc"
made=$(stat -c %Y%i "$tree/build/x")
build plain
is "$(stat -c %Y%i "$tree/build/x")" "$made" "again: nothing to do"
build clang
like "$(jq -r '.[0].command' "$tree/build-clang/compile_commands.json")" '^clang ' "clang: by clang, in a folder of its own"
build fault-points
is "$(meson introspect --buildoptions "$tree/build-fault-points" | jq -r '.[] | select(.name == "fault-points").value')" true \
    "fault-points: with the option"
rm -r "$tree/build-fault-points"
(cd "$tree" && CC=clang meson setup build-fault-points >/dev/null)
build fault-points
like "$says" 'made with other options' "a flavour made otherwise is made anew"
like "$(jq -r '.[0].command' "$tree/build-fault-points/compile_commands.json")" '^(cc|gcc) ' "as it should be"
(cd "$tree" && rm -r build && CC=clang meson setup build >/dev/null)
build plain
like "$(jq -r '.[0].command' "$tree/build/compile_commands.json")" '^clang ' "a plain build made by hand stays as it is"
rm -r "$tree/build"
build plain
build odd
is "$status" 1 "an unknown flavour is refused"

build sanitize
is "$status" 0 "sanitize: builds"
mkdir -p "$TEST_TMP/suites/unit"
printf '%s\n' 'description="x"' build=none default=yes >"$TEST_TMP/suites/unit/suite.conf"
# under VARIABLE: the last line of a run of test-x as built with the sanitizers, with the variable set.
under() {
    env "$1=1" "$here/../run" --tests-dir "$TEST_TMP/suites" --no-install --no-build >"$TEST_TMP/out" 2>&1
    tail -n 1 "$TEST_TMP/out"
}
export SENDENSE_BUILD=$tree/build-sanitize
is "$(under NOTHING)" "1 passed, 0 failed, 0 skipped" "a clean program passes"
is "$(under LEAK)" "0 passed, 1 failed, 0 skipped" "a leak is seen"
like "$(<"$TEST_TMP/out")" 'detected memory leaks' "and shown"
is "$(under OVERFLOW)" "0 passed, 1 failed, 0 skipped" "an overflow is seen"
like "$(<"$TEST_TMP/out")" 'x\.c:[0-9]+.*signed integer overflow' "and shown with its place"

mv "$tree" "$TEST_TMP/moved"
tree=$TEST_TMP/moved
build plain
is "$status" 0 "a tree that was moved builds"
like "$says" 'another place of the tree' "anew"
build plain
unlike "$says" 'another place' "and only once"

chown -R 1234:1234 "$tree"
touch "$tree/x.c"
build plain
is "$status" 0 "a tree of somebody else builds"
is "$(find "$tree" ! -user 1234)" "" "and all of it stays his"

echo 'int f(void) { int unused; }' >>"$tree/x.c"
build plain
is "$status" 1 "an error in the sources fails"
like "$says" '^# .*x\.c:.*unused' "with what the compiler said"
like "$says" 'the plain build in .* failed$' "and a last line"

done_testing
