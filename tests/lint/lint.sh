# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What all lints share. A lint is a function check ROOT that prints "path:line: rule: text" for each
# finding, and it proves itself twice: planted samples must be found, exactly those and no others, and
# the tree must be clean. So a lint that has gone blind is red. Exceptions stand in tests/lint/allow
# with their reason; one that is needed no more is a finding itself.
# LINT_ROOT=DIR checks another tree with these lints.

LINT_ROOT=${LINT_ROOT:-$SENDENSE_SRC}
lint_plants=$TEST_TMP/plants
mkdir -p "$lint_plants"

# lint_files ROOT: every file that is or could be committed, relative to ROOT.
lint_files() {
    if [ -e "$1/.git" ]; then
        git -C "$1" -c core.quotePath=off ls-files -co --exclude-standard | while IFS= read -r file; do
            { [ ! -f "$1/$file" ] && [ ! -L "$1/$file" ]; } || printf '%s\n' "$file"
        done
    else
        (cd "$1" && find . -name 'build*' -prune -o \( -type f -o -type l \) -printf '%P\n')
    fi | LC_ALL=C sort -u
}

lint_c_files() { lint_files "$1" | grep -E '\.[ch]$'; }

# lint_shell_files ROOT: by their names and by their first lines.
lint_shell_files() {
    local file first
    while IFS= read -r file; do
        case $file in
        *.sh | *.bash) printf '%s\n' "$file" && continue ;;
        *.*) continue ;;
        esac
        IFS= read -r first <"$1/$file" 2>/dev/null
        [[ ! $first =~ ^'#!'.*[/\ ](bash|sh)( |$) ]] || printf '%s\n' "$file"
    done < <(lint_files "$1") 2>/dev/null
}

# plant FILE: a sample, read from stdin. "@@" in it is removed, so that the lints, which read their own
# scripts too, do not find the sample where it is written down.
plant() {
    mkdir -p "$(dirname "$lint_plants/$1")"
    sed 's/@@//g' >"$lint_plants/$1"
}

# lint_planted PLACE...: check must find these places (path:line) in the planted tree and no others.
lint_planted() {
    local found
    found=$(check "$lint_plants")
    is "$(cut -d: -f1,2 <<<"$found" | LC_ALL=C sort -u)" "$(printf '%s\n' "$@" | LC_ALL=C sort -u)" \
        "finds the planted samples and nothing else"
    [ -z "${tap_failed#0}" ] || diag "$found"
}

# lint_allowed RULE...: prints the findings of stdin that tests/lint/allow does not excuse, and the
# entries for these rules that excuse nothing.
lint_allowed() {
    local allow=$LINT_ROOT/tests/lint/allow
    [ -e "$allow" ] || allow=/dev/null
    awk -v rules=" $* " '
        part_of == "allow" {
            sub(/#.*/, "")
            if (NF >= 2 && index(rules, " " $1 " ")) excuse[$1 " " $2] = FNR
            next
        }
        {
            split($0, part, ": ")
            path = part[1]; sub(/:[0-9]*$/, "", path)
            key = part[2] " " path
            if (key in excuse) used[key] = 1
            else print
        }
        END {
            for (key in excuse)
                if (!(key in used))
                    print "tests/lint/allow:" excuse[key] ": " key ": excuses nothing any more"
        }' part_of=allow "$allow" part_of=findings -
}

# lint_tree RULE...: the tree has no findings of these rules.
lint_tree() {
    is "$(check "$LINT_ROOT" | lint_allowed "$@")" "" "the tree is clean: $*"
}
