#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The pages keep pace with the tree: what they link to exists, paths they name exist, and TROUBLESHOOTING
# explains exactly the events of lib/message-id.c, under their ids.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# events FILE: "name id" of each event in the table, wherever the formatter broke its lines.
events() {
    [ ! -e "$1" ] || tr -d '\n' <"$1" | grep -oP '\{\s*"\K[a-z-]+",\s*"[0-9a-f]{32}(?=")' | tr -d ' "' | tr ',' ' '
}

check_events() {
    local page=docs/TROUBLESHOOTING.md name id
    [ -e "$page" ] || return 0
    while read -r name id; do
        grep -qxF -e "### $name — \`$id\`" "$page" || echo "$page:0: docs: no heading '### $name — \`$id\`'"
    done < <(events lib/message-id.c)
    grep -nP '^### [a-z-]+ — `[0-9a-f]{32}`$' "$page" | while IFS=: read -r line name; do
        id=${name##* }
        events lib/message-id.c | grep -qxF -e "$(cut -d ' ' -f 2 <<<"$name") ${id//\`/}" ||
            echo "$page:$line: docs: lib/message-id.c has no such event"
    done
}

# check_links PAGE: [text](path) from the page's folder, and `path`, if it begins like a folder of the tree,
# from there or from the page's.
check_links() {
    local line target folder
    folder=$(dirname "$1")
    grep -noP '\]\(\K[^)#:]+(?=[)#])' "$1" | while IFS=: read -r line target; do
        [ -e "$folder/$target" ] || echo "$1:$line: docs: links to $target, which is not there"
    done
    grep -noP '(?<=`)(lib|busd|helpers|cli|sql|units|deploy|docs|tests|\.ci)/[A-Za-z0-9._/-]+(?=`)' "$1" |
        while IFS=: read -r line target; do
            [ -e "$target" ] || [ -e "$folder/$target" ] || echo "$1:$line: docs: names $target, which is not there"
        done
}

check() {
    local page
    cd "$1" || return
    check_events
    lint_files . | grep '\.md$' | while IFS= read -r page; do
        check_links "$page"
    done
}

a=0123456789abcdef0123456789abcdef
b=00000000000000000000000000000000
plant lib/message-id.c <<<"{ \"one-event\", \"$a\" },"$'\n'"{ \"two-event\","$'\n'"  \"$b\" },"
plant docs/TROUBLESHOOTING.md <<<"### one-event — \`$a\`"$'\n'"### three-event — \`$b\`"
plant README.md <<<$'[a](docs/TROUBLESHOOTING.md) [b](docs/NOWHERE.md)\n[c](https://example.org/x) `lib/message-id.c`\n`lib/gone.c`'
plant docs/PAGE.md <<<'[a](TROUBLESHOOTING.md#one) [b](docs/TROUBLESHOOTING.md)'
lint_planted docs/TROUBLESHOOTING.md:0 docs/TROUBLESHOOTING.md:2 README.md:1 README.md:3 docs/PAGE.md:1
lint_tree docs
done_testing
