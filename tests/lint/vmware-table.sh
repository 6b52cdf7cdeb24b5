#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The table of docs/VMWARE.md: rows 1 to 29, each with a test or the word open; a test that is named exists, and
# has the check whose name stands behind it in quotes: in a line that is run, no comment and no function's head; in C
# as a test that main() knows. What of a row is open stands beside what is done, and not among the tests.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# tests_of ROW: a line "FILE<tab>WORDS" for each name in quotes, "FILE<tab>" for a file without one.
tests_of() {
    grep -oE '`tests/[^`]*`|"[^"]+"' <<<"$1" | awk '
        /^`/ { if (file != "" && !named) print file "\t"; file = substr($0, 2, length($0) - 2); named = 0; next }
        file != "" { print file "\t" substr($0, 2, length($0) - 2); named = 1 }
        END { if (file != "" && !named) print file "\t" }'
}

# has_check FILE WORDS
has_check() {
    case $1 in
        *.c) grep -qF -e "cmocka_unit_test($2)" "$1" ;;
        *) grep -F -e "$2" "$1" | grep -qvE '^[[:space:]]*(#|[a-z_]+\(\))' ;;
    esac
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
        [[ $row != *'`tests/'*'**open**'* ]] || echo "$page:$line: vmware-table: row $n: what is open?"
        while IFS=$'\t' read -r file words; do
            if [ ! -e "$file" ]; then
                echo "$page:$line: vmware-table: $file is not there"
            elif [ -z "$words" ]; then
                echo "$page:$line: vmware-table: which check of $file?"
            elif ! has_check "$file" "$words"; then
                echo "$page:$line: vmware-table: $file has no check \"$words\""
            fi
        done < <(tests_of "$row")
    done <"$page"
    [ "$want" = 30 ] || echo "$page:$line: vmware-table: the last row is $((want - 1)), not 29"
}

plant tests/a.sh <<'X'
# a comment
change_it() { true; }
ok "one check" true
X
plant tests/b.c <<'X'
static void known(void **state);
static void forgotten(void **state);
        cmocka_unit_test(known),
X
{
    echo '| 1 | a | b | `tests/a.sh` "one check" |'
    echo '| 2 | a | b | `tests/a.sh` "no such check" |'
    echo '| 3 | a | b | `tests/gone.sh` |'
    echo '| 4 | a | b **open** | nothing |'
    echo '| 4 | a | b | **open** |'
    echo '| 5 | a | b | `tests/a.sh` |'
    echo '| 6 | a | b | `tests/a.sh` "a comment" |'
    echo '| 7 | a | b | `tests/a.sh` "change_it" |'
    echo '| 8 | a | b | `tests/b.c` "known" |'
    echo '| 9 | a | b | `tests/b.c` "forgotten" |'
    echo '| 10 | a | b | `tests/a.sh` "one check"; **open** |'
    seq 11 28 | sed 's/.*/| & | a | b | **open** |/'
} | plant docs/VMWARE.md
lint_planted docs/VMWARE.md:2 docs/VMWARE.md:3 docs/VMWARE.md:4 docs/VMWARE.md:5 docs/VMWARE.md:6 docs/VMWARE.md:7 docs/VMWARE.md:8 docs/VMWARE.md:10 \
    docs/VMWARE.md:11 docs/VMWARE.md:29
lint_tree vmware-table
done_testing
