# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the tables are read by tests/run
#
# What suites there are and what tests they hold, for tests/run. A suite is a folder with a suite.conf
# of key=value lines; it is read strictly and not sourced, so that a slip is an error with its line
# and not a silently missing suite.

suite_names=()
suites_dir=
suite_right=
declare -A suite_description=() suite_packages=() suite_budget_sec=() suite_limit_sec=()
declare -A suite_default=() suite_parallel=() suite_build=()

suite_complain() { printf 'tests/run: %s\n' "$*" >&2; }

suite_set() { # SUITE KEY VALUE: 1 = unknown key, 2 = bad value, and suite_right says what is right
    case $2 in
    description) suite_description[$1]=$3 ;;
    packages) suite_packages[$1]=$3 ;;
    budget_sec | limit_sec)
        suite_right="a number of seconds from 1 to 99999"
        [[ $3 =~ ^[1-9][0-9]{0,4}$ ]] || return 2
        if [ "$2" = budget_sec ]; then suite_budget_sec[$1]=$3; else suite_limit_sec[$1]=$3; fi
        ;;
    default | parallel)
        suite_right="yes or no"
        [[ $3 =~ ^(yes|no)$ ]] || return 2
        if [ "$2" = default ]; then suite_default[$1]=$3; else suite_parallel[$1]=$3; fi
        ;;
    build)
        suite_right="plain, none or fault-points"
        [[ $3 =~ ^(plain|none|fault-points)$ ]] || return 2
        suite_build[$1]=$3
        ;;
    *) return 1 ;;
    esac
}

suite_read() { # SUITE FILE
    local suite=$1 file=$2 line key value n=0 rc
    suite_packages[$suite]=
    suite_budget_sec[$suite]=60
    suite_limit_sec[$suite]=60
    suite_default[$suite]=no
    suite_parallel[$suite]=no
    suite_build[$suite]=plain
    while IFS= read -r line || [ -n "$line" ]; do
        n=$((n + 1))
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        if ! [[ $line =~ ^([a-z_]+)=(\"([^\"]*)\"|([^\"[:space:]#]*))[[:space:]]*(#.*)?$ ]]; then
            suite_complain "$file:$n: not key=value or key=\"value\": $line"
            return 1
        fi
        key=${BASH_REMATCH[1]}
        value=${BASH_REMATCH[3]}${BASH_REMATCH[4]}
        suite_set "$suite" "$key" "$value"
        rc=$?
        case $rc in
        1) suite_complain "$file:$n: unknown key $key (description, packages, budget_sec, limit_sec, default, parallel, build)" ;;
        2) suite_complain "$file:$n: $key=$value: must be $suite_right" ;;
        esac
        [ "$rc" -eq 0 ] || return 1
    done <"$file"
    [ -n "${suite_description[$suite]:-}" ] || {
        suite_complain "$file: description= is missing"
        return 1
    }
}

# suites_read FOLDER: fills suite_names and the tables.
suites_read() {
    local file suite rc=0
    suites_dir=$1
    for file in "$1"/*/suite.conf; do
        [ -e "$file" ] || continue
        suite=${file%/suite.conf}
        suite=${suite##*/}
        suite_read "$suite" "$file" || rc=1
        suite_names+=("$suite")
    done
    [ "${#suite_names[@]}" -gt 0 ] || {
        suite_complain "no suite.conf in the folders of $1"
        return 1
    }
    return "$rc"
}

# suite_tests SUITE BUILD: one "path<TAB>name" per test. A path that begins with ! is not a path but
# the reason why this test cannot run, which is a failure: a test that nobody runs is no test.
suite_tests() {
    local folder=$suites_dir/$1 file name first
    for file in "$2/tests/$1"/test-*; do
        if [ -f "$file" ] && [ -x "$file" ]; then
            printf '%s\t%s\n' "$file" "${file##*/}"
        fi
    done
    for file in "$folder"/test-*.c; do
        [ -e "$file" ] || continue
        name=${file##*/}
        name=${name%.c}
        [ -x "$2/tests/$1/$name" ] ||
            printf '!%s was not built; is it in %s?\t%s\n' "$1/$name.c" "tests/$1/meson.build" "$name"
    done
    for file in "$folder"/*.sh; do
        [ -e "$file" ] || continue
        name=${file##*/}
        if [ -x "$file" ]; then
            printf '%s\t%s\n' "$file" "$name"
        else
            # A file to be sourced has no #! line.
            IFS= read -r first <"$file"
            [ "${first:0:2}" != '#!' ] || printf '!%s is not executable\t%s\n' "$1/$name" "$name"
        fi
    done
}
