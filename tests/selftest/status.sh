#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tests/status makes a page of what runs printed: the last run of a suite counts, what nobody ran is told, and half a run is refused.

. "$(dirname "$0")/../lib/tap.sh"

status=$SENDENSE_SRC/tests/status
log() { # NAME LINES
    printf '%s\n' "$2" >"$TEST_TMP/$1"
}
log first '# FAILED:
#   unit/a.sh: one | two
#   sql/b.sh: three
#
# SKIPPED, not passed:
#   http/c.sh: `x` is missing
#
# suite           passed  failed  skipped   seconds   budget
# unit                 3       1        0      10.1       30
# sql                  4       1        0      20.2       60
# http                 5       0        1       2.5       60  warning: over budget
#
12 passed, 2 failed, 1 skipped'
log second '# suite           passed  failed  skipped   seconds   budget
# unit                 7       0        0      11.0       30
#
7 passed, 0 failed, 0 skipped'
out=$("$status" "$TEST_TMP/first" "$TEST_TMP/second")
is "$?" 0 "a page is made"
like "$out" '^\*\*16 passed, 1 failed, 1 skipped\.\*\*' "the sums, of each suite's last run"
like "$out" '^\| `unit` \| .* \| 7 \| 0 \| 0 \| 11\.0 \|$' "a suite that was run again"
like "$out" '^\| `http` \| .* \| 5 \| 0 \| 1 \| 2\.5 \|$' "one that was over its budget"
like "$out" '^\| `e2e` \| .* \| \*\*not run\*\* \| \| \| \|$' "one that nobody ran"
like "$out" '^- sql/b\.sh: three$' "what failed"
unlike "$out" 'one .* two' "but not what was good when it was run again"
like "$out" "^- http/c\\.sh: 'x' is missing\$" "what was skipped"
like "$out" '^## Not done, not tested$' "and what is said by hand"
out=$("$status" "$TEST_TMP/second" "$TEST_TMP/first")
like "$out" '^- unit/a\.sh: one \\\| two$' "the other way round it failed"
log half '# unit/a.sh, 0.1 s'
out=$("$status" "$TEST_TMP/half" 2>&1)
is "$?" 1 "half a run is refused"
like "$out" 'half is not the whole of a run' "and named"

# The page of figures names commands that there are.
grep -oE '`sudo bench/[a-z-]+`' "$SENDENSE_SRC/docs/PERFORMANCE.md" | sed 's/.*bench\///; s/`//' | sort -u >"$TEST_TMP/named"
ok "figures have their commands" test "$(wc -l <"$TEST_TMP/named")" -ge 9
is "$(while read -r name; do [ -x "$SENDENSE_SRC/bench/$name" ] || echo "$name"; done <"$TEST_TMP/named")" '' "which are there"
done_testing
