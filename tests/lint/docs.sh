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

# said FILE...: what a C program may print in words, its variable parts as "…": each string of 16 characters or more with a space.
said() {
    cat "$@" | tr '\n' ' ' | sed -E 's,/\*([^*]|\*+[^*/])*\*+/,,g; s/" +"//g' | grep -oP '"([^"\\]|\\.)*"' |
        sed -E 's/^"|"$//g; s/%[-.0-9]*[lz]*[suim]/…/g' | grep ' ' | grep -E '.{16}' | LC_ALL=C sort -u
}

# The preflight's steps and words: all of the program stand on the page, and the page has no other step.
check_preflight() {
    local page=docs/TROUBLESHOOTING.md text words step sources=() file steps
    for file in helpers/tunnel/session.c lib/ssh/session.c helpers/tunnel/place.c; do
        [ ! -e "$file" ] || sources+=("$file")
    done
    [ ${#sources[@]} -gt 0 ] || return 0
    text=$(sed -E 's/^> //' "$page" | tr '\n' ' ')
    while IFS= read -r words; do
        [[ $text == *"$words"* ]] || echo "$page:0: docs: the preflight says '$words'"
    done < <(said "${sources[@]}")
    steps=$(cat "${sources[@]}" | grep -oP '\[SESSION_(?!TEXT)[A-Z_]+\] = "\K[a-z-]+')
    while IFS= read -r step; do
        grep -qx "### step $step" "$page" || echo "$page:0: docs: no heading '### step $step'"
    done <<<"$steps"
    grep -n '^### step ' "$page" | while IFS=: read -r line step; do
        grep -qxF -e "${step##* }" <<<"$steps" || echo "$page:$line: docs: the preflight has no such step"
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
    check_preflight
    lint_files . | grep '\.md$' | while IFS= read -r page; do
        check_links "$page"
    done
}

a=0123456789abcdef0123456789abcdef
b=00000000000000000000000000000000
plant lib/message-id.c <<<"{ \"one-event\", \"$a\" },"$'\n'"{ \"two-event\","$'\n'"  \"$b\" },"
plant docs/TROUBLESHOOTING.md <<<"### one-event — \`$a\`"$'\n'"### three-event — \`$b\`"$'\n### step one\n> it says … things, …\n### step gone'
plant helpers/tunnel/session.c <<'X'
[SESSION_ONE] = "one",
f(a, "it says %u "
     "things, %.60s", "short one");
X
plant README.md <<<$'[a](docs/TROUBLESHOOTING.md) [b](docs/NOWHERE.md)\n[c](https://example.org/x) `lib/message-id.c`\n`lib/gone.c`'
plant docs/PAGE.md <<<'[a](TROUBLESHOOTING.md#one) [b](docs/TROUBLESHOOTING.md)'
lint_planted docs/TROUBLESHOOTING.md:0 docs/TROUBLESHOOTING.md:2 docs/TROUBLESHOOTING.md:5 README.md:1 README.md:3 docs/PAGE.md:1
lint_tree docs
done_testing
