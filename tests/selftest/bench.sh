#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a benchmark says about a figure: whether it holds its goal, and that it is more than 20 % worse than the stored one.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/bench/lib.bash"
bench_figures=$TEST_TMP/figures.txt
printf '%s\n' '# kept' 'a.ratio 1.50' 'a.ratio.time 100' >"$bench_figures"

is "$(bench_goal a.ratio 1.21 '>=' 1.00)" "goal a.ratio 1.21 >= 1.00  holds" "a fifth less than before: nothing is said"
is "$(bench_goal a.ratio 1.19 '>=' 1.00)" "goal a.ratio 1.19 >= 1.00  holds
warning: a.ratio is 1.19, more than 20 % worse than the stored 1.50" "less than that: a warning, though the goal holds"
is "$(bench_goal a.ratio 9 '>=' 1.00)" "goal a.ratio 9 >= 1.00  holds" "better is no reason"
is "$(bench_goal a.ratio.time 120 '<=' 200)" "goal a.ratio.time 120 <= 200  holds" "where less is better, a fifth more"
like "$(bench_goal a.ratio.time 121 '<=' 200)" 'warning: a.ratio.time is 121' "and more than that"
is "$(bench_goal b.ratio 0.1 '>=' 1.00)" "goal b.ratio 0.1 >= 1.00  MISSED" "one that was never stored"
is "$(bench_quick=yes && bench_goal a.ratio 0.1 '>=' 1.00)" "goal a.ratio 0.1 >= 1.00  (quick: no verdict)" "a quick run says nothing"
is "$(cat "$bench_figures")" $'# kept\na.ratio 1.50\na.ratio.time 100' "nothing was stored"
bench_store=yes
bench_goal b.ratio 3 '>=' 1 >/dev/null
bench_goal a.ratio 2 '>=' 1 >/dev/null
is "$(cat "$bench_figures")" $'# kept\na.ratio 2\na.ratio.time 100\nb.ratio 3' "--store keeps them, each in its place"
is "$(ls "$TEST_TMP")" figures.txt "and leaves nothing beside"
# Every figure that is stored is one of a goal that there is.
goals=$(grep -ohE 'bench_goal "?[a-z$][^ "]*' "$SENDENSE_SRC"/bench/* | sed -E 's/bench_goal "?//; s/\$[a-z]+/[a-z]+/g' | paste -sd'|')
is "$(grep -v '^#' "$SENDENSE_SRC/bench/figures.txt" | cut -d' ' -f1 | grep -vxE "$goals")" '' "what is stored are figures of goals"
done_testing
