#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every header is a contract that stands alone: it compiles as the first and only include, with the
# flags that the build gives its room, and says #pragma once.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/lint.sh"

# tell_flags DATABASE: "FOLDER/ -I… -D… …" of each folder above a compiled file: what all compilations below it are given, each once.
tell_flags() {
    jq -r '.[] | "\(.file) \(.command)"' "$1" | awk '{
        for (folder = $1; sub("/[^/]*$", "", folder) && folder ~ /[^.\/]/;)
            for (i = 2; i <= NF; i++)
                if ($i ~ /^(-I|-D|-std=|-isystem)/ && !seen[folder, $i]++) of[folder] = of[folder] " " $i
    } END { for (folder in of) print folder "/" of[folder] }' | sed -E 's|^(\.\./)+||'
}

# flags_of HEADER TABLE: those of the compilations in the nearest folder: one program may take a file of it that another's rooms lie beside.
flags_of() {
    local folder=$1
    while [ "$folder" != "${folder%/*}" ]; do
        folder=${folder%/*}
        awk -v folder="$folder/" '$1 == folder { sub("^[^ ]* ", ""); print; found = 1; exit } END { exit !found }' "$2" && return
    done
}

compile() { # ROOT BUILD TABLE HEADER
    local flags
    flags=$(flags_of "$4" "$3")
    # A room that is not built yet is compiled with what lib gives everybody.
    [ -n "$flags" ] || flags=$(flags_of lib/x.h "$3")
    grep -q '^#pragma once$' "$1/$4" || echo "$4:0: header: no #pragma once"
    # shellcheck disable=SC2086 # flags, no spaces within
    (cd "$2" && printf '#include "%s"\n' "$1/$4" |
        gcc $flags -Wall -Wextra -Wmissing-prototypes -fsyntax-only -x c - 2>&1) |
        grep -E '(error|warning): ' | sed -E "s|^[^:]*:([0-9]+):[0-9:]* |\1 |; s|^([0-9]+) (.*)|$4:\1: header: \2|" | head -n 3
}

check() {
    local root build=$1/build
    root=$(cd "$1" && pwd -P)
    [ -e "$build/compile_commands.json" ] && [ "$1" != "$SENDENSE_SRC" ] || build=$SENDENSE_BUILD
    export -f compile flags_of
    tell_flags "$build/compile_commands.json" >"$TEST_TMP/flags"
    # Fuzzers and tests share no contracts; the rooms do.
    lint_files "$root" | grep -E '^(lib|busd|helpers|cli|bench)/.*\.h$' |
        xargs -r -P 2 -I '{}' bash -c 'compile "$@"' - "$root" "$build" "$TEST_TMP/flags" '{}'
}

plant lib/good.h <<<$'#pragma once\n#include <stdint.h>\nint f(uint64_t a);'
plant lib/bad-alone.h <<<$'#pragma once\nint f(uint64_t a);'
plant lib/bad-once.h <<<$'int f(int a);'
plant busd/hub/good.h <<<$'#pragma once\n#include "good.h"\n#ifndef HUB\n#error not the flags of this room\n#endif'
mkdir "$lint_plants/build"
cat >"$lint_plants/build/compile_commands.json" <<EOF
[{"directory": "$lint_plants/build", "file": "../lib/x.c", "command": "cc -I$lint_plants/lib -c"},
 {"directory": "$lint_plants/build", "file": "../busd/hub/x.c", "command": "cc -I$lint_plants/lib -DHUB -c"}]
EOF
lint_planted lib/bad-alone.h:2 lib/bad-once.h:0
lint_tree header
done_testing
