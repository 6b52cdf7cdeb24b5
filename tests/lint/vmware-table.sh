#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The table of docs/VMWARE.md: rows 1 to 28, each with a test or the word open; a test that is named exists, and
# has the check whose name stands behind it in quotes.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# tests_of ROW: a line "FILE<tab>WORDS" for each name in quotes, "FILE<tab>" for a file without one.
tests_of() {
    grep -oE '`tests/[^`]*`|"[^"]+"' <<<"$1" | awk '
        /^`/ { if (file != "" && !named) print file "\t"; file = substr($0, 2, length($0) - 2); named = 0; next }
        file != "" { print file "\t" substr($0, 2, length($0) - 2); named = 1 }
        END { if (file != "" && !named) print file "\t" }'
}

check() {
    local page=docs/VMWARE.md line=0 row n want=1 file words
    cd "$1" || return
    [ -e "$page" ] || return 0
    while IFS= read -r row; do
        line=$((line + 1))
        [[ $row =~ ^\|\ ([0-9]+)\ \| ]] || continue
        n=${BASH_REMATCH[1]}
        [ "$n" = "$want" ] || echo "$page:$line: vmware-table: row $n stands where $want is expected"
        want=$((n + 1))
        # The last column is where tests stand.
        row=${row%|*}
        row=${row##*|}
        [[ $row == *'`tests/'* || $row == *'**open**'* ]] || echo "$page:$line: vmware-table: row $n has neither a test nor the word open"
        while IFS=$'\t' read -r file words; do
            if [ ! -e "$file" ]; then
                echo "$page:$line: vmware-table: $file is not there"
            elif [ -n "$words" ] && ! grep -qF -e "$words" "$file"; then
                echo "$page:$line: vmware-table: $file has no check \"$words\""
            fi
        done < <(tests_of "$row")
    done <"$page"
    [ "$want" = 29 ] || echo "$page:$line: vmware-table: the last row is $((want - 1)), not 28"
}

plant tests/a.sh <<<'ok "one check" true'
{
    echo '| 1 | a | b | `tests/a.sh` "one check" |'
    echo '| 2 | a | b | `tests/a.sh` "no such check" |'
    echo '| 3 | a | b | `tests/gone.sh` |'
    echo '| 4 | a | b **open** | nothing |'
    echo '| 4 | a | b | **open** |'
    seq 5 27 | sed 's/.*/| & | a | b | **open** |/'
} | plant docs/VMWARE.md
lint_planted docs/VMWARE.md:2 docs/VMWARE.md:3 docs/VMWARE.md:4 docs/VMWARE.md:5 docs/VMWARE.md:28
lint_tree vmware-table
done_testing
