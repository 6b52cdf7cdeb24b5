#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# .ci/run adds up what its stages count; here each stage is a fake tests/run that answers from a file
# named after its options.

. "$(dirname "$0")/../lib/tap.sh"

tree=$TEST_TMP/tree
mkdir -p "$tree/.ci" "$tree/tests"
cp "$SENDENSE_SRC/.ci/run" "$tree/.ci/run"
cat >"$tree/tests/run" <<'EOF'
#!/bin/bash
case "$*" in *sanitize*) name=sanitizers ;; *clang*) name=clang ;; *) name=gcc ;; esac
echo "$name $*" >>"${0%/*}/calls"
cat "${0%/*}/$name"
[ ! -e "${0%/*}/$name.status" ] || exit "$(<"${0%/*}/$name.status")"
grep -q ' 0 failed' "${0%/*}/$name"
EOF
chmod +x "$tree/tests/run"

# answers GCC CLANG SANITIZERS: the stages' last lines; then runs and sets last and status.
answers() {
    rm -f "$tree/tests/calls"
    printf 'TAP version 13\n%s\n' "$1" >"$tree/tests/gcc"
    printf '%s\n' "$2" >"$tree/tests/clang"
    printf '%s\n' "$3" >"$tree/tests/sanitizers"
    last=$(cd / && bash "$tree/.ci/run" <&- | tail -n 1)
    (cd / && bash "$tree/.ci/run" >/dev/null)
    status=$?
}

answers "10 passed, 0 failed, 1 skipped" "5 passed, 0 failed, 0 skipped" "7 passed, 0 failed, 2 skipped"
is "$last/$status" "22 passed, 0 failed, 3 skipped/0" "all good: the sum"
is "$(cut -d' ' -f1 "$tree/tests/calls" | sort -u | tr '\n' ' ')" "clang gcc sanitizers " "each stage has run"
like "$(grep sanitizers "$tree/tests/calls")" '--sanitize.* unit bus http$' "unit, bus and http under the sanitizers"
answers "10 passed, 0 failed, 1 skipped" "5 passed, 2 failed, 0 skipped" "7 passed, 0 failed, 2 skipped"
is "$last/$status" "22 passed, 2 failed, 3 skipped/1" "one stage failed: the sum and the status"
answers "10 passed, 0 failed, 0 skipped" "Segmentation fault" "7 passed, 0 failed, 0 skipped"
is "$last/$status" "17 passed, 1 failed, 0 skipped/1" "a stage without a result has failed"
answers "0 passed, 0 failed, 0 skipped" "0 passed, 0 failed, 0 skipped" "0 passed, 0 failed, 0 skipped"
is "$status" 1 "nothing ran at all"
echo 3 >"$tree/tests/gcc.status"
answers "10 passed, 0 failed, 0 skipped" "5 passed, 0 failed, 0 skipped" "7 passed, 0 failed, 0 skipped"
is "$last/$status" "22 passed, 1 failed, 0 skipped/1" "a status that does not agree with the counts"

done_testing
