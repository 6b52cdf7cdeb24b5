#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The frame of the lints: which files they see, how exceptions work, and that every lint of this
# folder both plants samples and looks at the tree.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

tree=$TEST_TMP/tree
mkdir -p "$tree/tests/lint" "$tree/build"
git -C "$tree" init -q
printf '/build/\n' >"$tree/.gitignore"
printf '#!/bin/sh\n' >"$tree/by-first-line"
printf '#!/usr/bin/env bash\n' >"$tree/by-env"
printf '#!/usr/bin/python3\n' >"$tree/no-shell"
touch "$tree/a.c" "$tree/b.h" "$tree/c.sh" "$tree/gone.c" "$tree/build/made.c"
git -C "$tree" add a.c gone.c
rm "$tree/gone.c"
is "$(lint_c_files "$tree" | tr '\n' ' ')" "a.c b.h " "committed and new files are seen, built and gone ones are not"
is "$(lint_shell_files "$tree" | tr '\n' ' ')" "by-env by-first-line c.sh " "shell scripts by name and by first line"

LINT_ROOT=$tree
check() { printf '%s\n' "a.c:1: one: x" "a.c:2: one: y" "b.h:1: two: x"; }
is "$(check "$tree" | lint_allowed one two | wc -l)" 3 "no list of exceptions: every finding counts"
: >"$tree/tests/lint/allow"
is "$(check "$tree" | lint_allowed one two | wc -l)" 3 "an empty one: every finding counts"
printf '# list\none a.c # for a reason\n' >"$tree/tests/lint/allow"
is "$(check "$tree" | lint_allowed one two)" "b.h:1: two: x" "an exception excuses its rule in its file"
printf 'two a.c # not so\n' >"$tree/tests/lint/allow"
like "$(check "$tree" | lint_allowed one two)" '^tests/lint/allow:1: two a.c: excuses nothing' "one that excuses nothing is a finding"
is "$(check "$tree" | lint_allowed one | wc -l)" 3 "unless it is for another lint's rule"
is "$(grep -vE '^#|^[a-z-]+ [^ ]+ +# .{10}' "$SENDENSE_SRC/tests/lint/allow")" "" "every exception has its reason"

for lint in "$SENDENSE_SRC"/tests/lint/*.sh; do
    case ${lint##*/} in
    lint.sh | lint-itself.sh | migrations-unchanged.sh) continue ;;
    esac
    ok "${lint##*/} proves that it sees and then looks" \
        awk '/^lint_planted ./ { planted = 1 } /^lint_tree ./ { tree = planted } END { exit !tree }' "$lint"
done
done_testing
