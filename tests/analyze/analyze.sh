# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Runs a static analyser over every C file that the build compiles. A file found clean is remembered in
# the build folder under a hash of its text, of all it includes, of its flags and of the analyser, so
# that only what changed is looked at again. A script sources this after tap.sh, defines
# analyze_one FILE COMPILER-ARGUMENT... (prints what it finds as path:line: text) and calls analyze_all.

analyze_cache=$SENDENSE_BUILD/analyze-cache

# analyze_arguments COMMAND: the compiler's arguments without what says where to write; sets args and file.
analyze_arguments() {
    local words i
    # compile_commands.json holds shell words.
    eval "words=($1)"
    args=()
    for ((i = 1; i < ${#words[@]}; i++)); do
        case ${words[i]} in
        -o | -MQ | -MF | -MT) i=$((i + 1)) ;;
        -c | -MD | -MMD | -fdiagnostics-color=*) ;;
        *.c) ;;
        *) args+=("${words[i]}") ;;
        esac
    done
}

# analyze_cached IDENTITY DIRECTORY FILE COMMAND: one file, in its build folder, unless known to be clean.
analyze_cached() {
    local args=() key found
    cd "$2" || return
    analyze_arguments "$4"
    key=$({
        printf '%s\n' "$1" "${args[@]}"
        cat "$3"
        gcc "${args[@]}" -E -P "$3" 2>&1
    } | sha256sum | cut -c1-64)
    if [ -e "$analyze_cache/$key" ]; then
        echo hit >>"$TEST_TMP/hits"
        touch "$analyze_cache/$key"
        return
    fi
    found=$(analyze_one "$3" "${args[@]}")
    if [ -n "$found" ]; then
        printf '%s\n' "$found" | sed "s,^$SENDENSE_SRC/\(build[^/]*/\.\./\)\?,,; s,^\(\.\./\)*,,"
    else
        : >"$analyze_cache/$key"
    fi
}

# analyze_database DATABASE IDENTITY: what the analyser finds in all files of a compile_commands.json.
analyze_database() {
    mkdir -p "$analyze_cache"
    : >"$TEST_TMP/hits"
    export analyze_cache TEST_TMP SENDENSE_SRC
    export -f analyze_one analyze_cached analyze_arguments
    # A file that several targets compile with the same flags is one.
    jq -r '[.[] | select(.file | endswith(".c"))] | unique_by(.file) | .[] | [.directory, .file, .command] | join("\u0000") + "\u0000"' "$1" |
        tr -d '\n' | xargs -0r -n 3 -P 2 bash -c 'analyze_cached "$@"' - "$2"
    find "$analyze_cache" -type f -mtime +30 -delete
}

# analyze_planted IDENTITY FLAGS: plants.c in TEST_TMP has a fault in each line marked "found" and in no
# other; whoever does not find these has gone blind.
analyze_planted() {
    local plants=$TEST_TMP/plants.c
    jq -n --arg dir "$TEST_TMP" --arg file "$plants" --arg command "cc $2 -c $plants" \
        '[{directory: $dir, file: $file, command: $command}]' >"$TEST_TMP/plants.json"
    is "$(analyze_database "$TEST_TMP/plants.json" "$1" | grep -oE 'plants\.c:[0-9]+' | sort -u)" \
        "$(grep -n '/\* found \*/' "$plants" | sed 's/:.*//; s/^/plants.c:/' | sort -u)" "finds the planted faults and nothing else"
    is "$(wc -l <"$TEST_TMP/hits")" 0 "and does not remember a file with faults as clean"
}

# analyze_all IDENTITY: the tree is clean.
analyze_all() {
    local n
    n=$(jq '[.[] | select(.file | endswith(".c")) | .file] | unique | length' "$SENDENSE_BUILD/compile_commands.json")
    is "$(analyze_database "$SENDENSE_BUILD/compile_commands.json" "$1")" "" "all C of the build is clean"
    diag "$n files, $(wc -l <"$TEST_TMP/hits") of them unchanged since they were found clean"
    ok "there were files to look at" test "$n" -gt 0
}
