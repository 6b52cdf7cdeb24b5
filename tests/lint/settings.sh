#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A setting that a page or a message of the journal names as [Section] Key= is one of the tables in lib/hub-config.c and
# lib/node-config.c: a reader types it as it stands there.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# known FILE...: "Section Key" of each line of the tables, wherever the formatter broke it.
known() {
    cat "$@" | tr '\n' ' ' | grep -oP '\{\s*"\K[A-Z]\w*",\s*"[A-Z]\w*(?=",\s*(config_)?parse_)' | tr -d ' "' | tr ',' ' '
}

# named: "FILE:LINE Section Key" of the files that standard input lists. A line that ends with the section goes on in the next one; troff's
# marks are no text.
named() {
    tr '\n' '\0' | xargs -0r awk '
        FNR == 1 { rest = "" }
        { sub(/^\.[BIR]+ /, ""); gsub(/\\f[BIRP]/, ""); sub(/^[ \t*]+/, ""); text = rest $0; at = rest == "" ? FNR : FNR - 1; rest = "" }
        match(text, /\[[A-Z][A-Za-z]*\][ "`]*$/) { rest = substr(text, RSTART) " " }
        {
            while (match(text, /\[[A-Z][A-Za-z]*\] +[A-Z][A-Za-z0-9]*=/)) {
                name = substr(text, RSTART + 1, RLENGTH - 2)
                text = substr(text, RSTART + RLENGTH)
                sub(/\]/, "", name)
                print FILENAME ":" at, name
            }
        }'
}

check() {
    local tables=() file place section key
    cd "$1" || return
    for file in lib/hub-config.c lib/node-config.c; do
        [ ! -e "$file" ] || tables+=("$file")
    done
    [ ${#tables[@]} -gt 0 ] || return 0
    known "${tables[@]}" >"$TEST_TMP/settings"
    lint_files . | grep -E '^(docs/|README\.md$|units/.*\.catalog$)' | named | while read -r place section key; do
        case $section in Unit | Service | Socket | Timer | Path | Install) continue ;; esac # systemd's own
        grep -qxF -e "$section $key" "$TEST_TMP/settings" || echo "$place: settings: no table has [$section] $key="
    done
}

plant lib/hub-config.c <<'EOF'
        { "Exports", "Ports", config_parse_port_range, FIELD(export_ports), 0 },
        { "Exports",
          "MemoryMax", config_parse_size },
EOF
plant docs/PAGE.md <<'EOF'
`[Exports] Ports=10100-10200` and `[Exports] MemoryMax=` are settings, `[Service] Memory=` is systemd's.
`[Exports] Memory@@=` is none. [Exports] is a section.
This is `[Exports]
Port@@=`, which is none.
And `[Jobs] Ports@@=` is of another section.
EOF
plant docs/man/page.8 <<'EOF'
.B [Exports]
.BR MemoryMax= ,
\fB[Exports]\fR \fBMemory=\fR
EOF
lint_planted docs/PAGE.md:{2,3,5} docs/man/page.8:3
ok "there are settings to compare with" test "$(cd "$LINT_ROOT" && known lib/hub-config.c lib/node-config.c | wc -l)" -ge 50
lint_tree settings
done_testing
