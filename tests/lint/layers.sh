#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The arrows: lib <- {busd <- busd/{hub,node}, helpers/X} <- cli. A room includes its own headers, lib's and what the
# build makes, and a daemon those that both daemons share (the rest of busd); two daemons, two helpers and cli reach each other over the bus only. Checked in the
# #include lines and in the include folders that meson really gives the compiler. sql and units
# depend on nothing; what the build makes of sql (its version, its text) may be included.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# Prints "path:line: layers: text" for each quoted include that resolves, the way the compiler would
# look or by its name anywhere in the tree, to a file of a room that the including room may not know.
check_includes() {
    lint_files "$1" >"$TEST_TMP/files"
    (
        cd "$1" || exit
        lint_c_files . | tr '\n' '\0' | xargs -0r grep -HnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"'
    ) | awk '
        function room(path,  p) {
            split(path, p, "/")
            if (p[1] == "busd" && p[2] !~ /^(hub|node)$/) return "busd"
            return (p[1] == "busd" || p[1] == "helpers") ? p[1] "/" p[2] : p[1]
        }
        function clean(path) {
            while (sub(/(^|\/)\.\//, "/", path)) sub(/^\//, "", path)
            while (sub(/[^\/.][^\/]*\/\.\.\//, "", path));
            return path
        }
        NR == FNR { tree[$0] = 1; n = split($0, p, "/"); by_name[p[n]] = by_name[p[n]] " " $0; next }
        {
            split($0, part, ":")
            own = room(part[1])
            if (own !~ /^(lib$|busd($|\/)|helpers\/|cli$|bench$)/) next
            file = $0; sub(/^[^"]*"/, "", file); sub(/".*/, "", file)
            folder = part[1]; sub(/[^\/]*$/, "", folder)
            found = ""
            n = split(clean(folder file) " " clean(own "/" file) " " clean("busd/" file) " " clean("lib/" file) " " clean(file), way, " ")
            for (i = 1; i <= n && found == ""; i++)
                if (way[i] in tree) found = way[i]
            if (found == "") {
                base = file; sub(/.*\//, "", base)
                split(by_name[base], other, " ")
                found = other[1]
            }
            if (found == "" || room(found) == own || room(found) == "lib" || (room(found) == "busd" && own ~ /^busd\//)) next
            print part[1] ":" part[2] ": layers: " own " must not include " found
        }' "$TEST_TMP/files" -
}

# check_meson FILE SOURCE BUILD: the same for the include folders of each compilation.
check_meson() {
    jq -r '.[] | [.file, .directory, .command, .output // ""] | @tsv' "$1" | awk -F'\t' -v source="$2" -v build="$3" '
        function absolute(path, from,  n) {
            if (path !~ /^\//) path = from "/" path
            path = path "/"
            while (gsub(/\/\.?\//, "/", path));
            while (sub(/\/[^\/]+\/\.\.\//, "/", path));
            return path
        }
        function room(path,  p) {
            split(path, p, "/")
            if (p[1] == "busd" && p[2] !~ /^(hub|node)$/) return "busd"
            return (p[1] == "busd" || p[1] == "helpers") ? p[1] "/" p[2] : p[1]
        }
        {
            # A test may compile the sources of a room with folders of its own.
            if ($4 ~ /^tests\//) next
            file = absolute($1, $2); sub(/\/$/, "", file)
            if (index(file, source "/") != 1) next
            file = substr(file, length(source) + 2)
            own = room(file)
            if (own !~ /^(lib$|busd($|\/)|helpers\/|cli$|bench$)/) next
            n = split($3, word, " ")
            for (i = 1; i <= n; i++) {
                if (word[i] !~ /^-I./) continue
                folder = absolute(substr(word[i], 3), $2)
                if (index(folder, build "/") == 1) folder = substr(folder, length(build) + 2)
                else if (index(folder, source "/") == 1) folder = substr(folder, length(source) + 2)
                else continue
                if (folder ~ /\.p\/$/ || folder ~ /^(|sql\/|lib\/.*)$/ || room(folder) == own || (room(folder) == "busd" && own ~ /^busd\//)) continue
                print file ":0: layers: meson gives " own " the include folder " folder
            }
        }' | LC_ALL=C sort -u
}

check_alone() {
    local file
    for file in sql/meson.build units/meson.build; do
        [ -e "$1/$file" ] || continue
        (cd "$1" && grep -HnE 'include_directories|link_with|lib_dep|lib_inc|executable\(|\.\./(lib|busd|helpers|cli)' "$file") |
            sed -E 's/^([^:]*:[0-9]+):[[:space:]]*(.*)/\1: layers: depends on nothing, but says: \2/'
    done
}

check() {
    check_includes "$1"
    check_alone "$1"
    [ ! -e "$1/build/compile_commands.json" ] ||
        check_meson "$1/build/compile_commands.json" "$(cd "$1" && pwd -P)" "$(cd "$1/build" && pwd -P)"
}

plant lib/a.h <<<''
plant lib/bus/b.h <<<''
plant busd/hub/hub.h <<<''
plant busd/hub/store/store.h <<<''
plant busd/node/node.h <<<''
plant busd/unit/units.h <<<''
plant busd/unit/units.c <<'EOF'
#include "unit/units.h"
#include "a.h"
#include "store/store.h"
EOF
plant helpers/tunnel/tunnel.h <<<''
plant cli/cli.h <<<''
plant lib/a.c <<'EOF'
#include "a.h"
#include "bus/b.h"
#include "build-config.h"
#include "../busd/hub/hub.h"
#  include "store/store.h"
#include <cli.h>
EOF
plant busd/hub/bus/x.c <<'EOF'
#include "../store/store.h"
#include "store/store.h"
#include "a.h"
#include "node.h"
#include "../../node/node.h"
#include "tunnel.h"
#include "unit/units.h"
EOF
plant cli/c.c <<'EOF'
#include "cli.h"
#include "busd/hub/hub.h"
EOF
plant helpers/api/c.c <<'EOF'
#include "helpers/tunnel/tunnel.h"
EOF
plant tests/unit/t.c <<'EOF'
#include "hub.h"
EOF
plant sql/meson.build <<'EOF'
install_data('0001-a.sql')
executable('x', 'x.c')
EOF
mkdir "$lint_plants/build"
cat >"$lint_plants/build/compile_commands.json" <<EOF
[{"directory": "$lint_plants/build", "file": "../helpers/api/c.c", "command": "cc -Ihelpers/api/x.p -I../helpers/api -I../lib -I.. -I/usr/include/x -Isql -I../busd/hub -c"},
 {"directory": "$lint_plants/build", "file": "../helpers/api/d.c", "output": "tests/unit/t.p/d.c.o", "command": "cc -I../busd/hub -c"},
 {"directory": "$lint_plants/build", "file": "../tests/unit/t.c", "command": "cc -I../busd/hub -c"}]
EOF
lint_planted lib/a.c:{4,5} busd/unit/units.c:3 busd/hub/bus/x.c:{4,5,6} cli/c.c:2 helpers/api/c.c:{0,1} sql/meson.build:2
[ "$LINT_ROOT" != "$SENDENSE_SRC" ] ||
    ok "meson's own list of compilations is there to be checked" test -s "$SENDENSE_BUILD/compile_commands.json"
check_build() { check_meson "$SENDENSE_BUILD/compile_commands.json" "$SENDENSE_SRC" "$(cd "$SENDENSE_BUILD" && pwd -P)"; }
is "$(check_build)" "" "no compilation gets another room's include folder"
lint_tree layers
done_testing
