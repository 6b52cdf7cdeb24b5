#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A migration that was released is what is in people's databases: it never changes, it never goes, and
# nothing is put before it. sql/released.txt lists them with their sums.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

check() {
    local tree=$1 n=0 sum file line newest=
    [ -e "$tree/sql/released.txt" ] || return 0
    while IFS= read -r line; do
        n=$((n + 1))
        [[ $line != '#'* ]] || continue
        read -r sum file <<<"$line"
        if [[ ! $sum =~ ^[0-9a-f]{64}$ || ! $file =~ ^[0-9]{4}-[a-z0-9-]+\.sql$ ]]; then
            echo "sql/released.txt:$n: migration: not a sum and the name of a migration"
        elif [ ! -e "$tree/sql/$file" ]; then
            echo "sql/released.txt:$n: migration: $file was released and is gone"
        elif [ "$(sha256sum <"$tree/sql/$file")" != "$sum  -" ]; then
            echo "sql/$file:1: migration: was released and has changed; restore it and add a new one"
        fi
        [[ $file < $newest ]] || newest=$file
    done <"$tree/sql/released.txt"
    for file in "$tree"/sql/[0-9]*.sql; do
        file=${file##*/}
        grep -qE "^[0-9a-f]{64}  $file\$" "$tree/sql/released.txt" || [[ $file > $newest ]] ||
            echo "sql/$file:1: migration: comes before $newest, which was released; give it a higher number"
    done
}

for name in 0000-a 0001-b 0002-c 0003-d 0004-new; do
    plant "sql/$name.sql" <<<"DELETE FROM t; -- $name"
done
(
    cd "$lint_plants/sql" || exit
    echo '# sums'
    sha256sum 0000-a.sql 0001-b.sql
    sha256sum 0002-c.sql | sed 's/0002-c/0003-d/'
    echo "$(printf '%064d' 0)  0001-gone.sql"
    echo 'nonsense'
) | plant sql/released.txt
lint_planted sql/0002-c.sql:1 sql/0003-d.sql:1 sql/released.txt:5 sql/released.txt:6
lint_tree migration
done_testing
