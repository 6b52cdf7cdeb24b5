#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files rot by growing. About 400 lines is a good room: longer ones are reported, beyond 600 lines it
# fails. Functions beyond 60 lines are reported. Tests may be longer, nothing else.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

sources() { { lint_c_files "$1" && lint_shell_files "$1" && lint_files "$1" | grep '\.go$'; } | LC_ALL=C sort -u; }

# report ROOT: "path:line: size: text", one per long file or function; a tab ends what is only reported.
report() {
    (cd "$1" && sources . | tr '\n' '\0' | xargs -0r awk '
        function file_end() {
            if (lines > 600) print name ":" lines ": size: " lines " lines, split it"
            else if (lines > 400) print name ":" lines ": size: " lines " lines\t"
        }
        FNR == 1 { file_end(); name = FILENAME; sub(/^\.\//, "", name); start = 0 }
        { lines = FNR }
        name ~ /\.[ch]$/ && /^\{$/ { start = FNR; what = last }
        name ~ /\.[ch]$/ && /^[a-zA-Z].*\(/ { last = $0; sub(/\(.*/, "", last); sub(/.*[ *]/, "", last) }
        name ~ /\.go$/ && /^func .*\{$/ { start = FNR; what = $0; sub(/^func (\([^)]*\) )?/, "", what); sub(/\(.*/, "", what) }
        name !~ /\.([ch]|go)$/ && /^[a-z_0-9]+\(\) [({]/ { start = FNR; what = $1 }
        /^[})]/ && start {
            if (FNR - start - 1 > 60) print name ":" start ": size: " what " has " FNR - start - 1 " lines\t"
            start = 0
        }
        END { file_end() }')
}

check() { report "$1" | grep -v $'\t$'; }

# lines N: a C file of N lines.
lines() { seq "$1" | sed 's,.*,/* & */,'; }
lines 600 | plant ok.c
lines 601 | plant long.c
lines 601 | plant long.go
{ echo '#!/bin/bash' && seq 600 | sed 's/.*/: &/'; } | plant long-by-first-line
{ printf 'static int\nbig_one(int a)\n{\n' && lines 61 && echo '}'; } | plant big.c
{ printf 'static int small_one(int a)\n{\n' && lines 60 && echo '}'; } | plant small.c
{ printf 'big() {\n' && seq 61 && echo '}'; } | plant big.sh
{ printf 'package x\n\nfunc (a *A) big(i int) {\n' && seq 61 && echo '}'; } | plant big.go
lint_planted long.c:601 long.go:601 long-by-first-line:601
is "$(report "$lint_plants" | grep -c 'has 61 lines')" 3 "reports the long functions of C, shell and Go, and no shorter ones"
found=$(report "$LINT_ROOT" | tr -d '\t')
[ -z "$found" ] || diag "$found"
lint_tree size
done_testing
