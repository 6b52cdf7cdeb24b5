# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
#
# What the benchmarks share: options, a work folder, alternating rounds, medians, CPU seconds and the
# verdict. Sourced by bench/NAME. Figures of two runs are never compared with each other: a machine
# that does something else meanwhile only shifts a ratio when both sides are measured in one run.

set -u -o pipefail
export LC_ALL=C.UTF-8

bench_src=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
bench_rounds=5
bench_quick=
bench_store=
bench_figures=$bench_src/bench/figures.txt
bench_failed=0
bench_dir=
bench_at_end=()

bench_die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 2
}

bench_clean_up() {
    local i
    trap '' INT TERM
    for ((i = ${#bench_at_end[@]} - 1; i >= 0; i--)); do
        eval "${bench_at_end[i]}" || printf '%s: clean-up failed: %s\n' "${0##*/}" "${bench_at_end[i]}" >&2
    done
}

# bench_start DESCRIPTION [ARG...]: reads the options that every benchmark has.
bench_start() {
    local description=$1
    shift
    while [ $# -gt 0 ]; do
        case $1 in
        --quick)
            bench_quick=yes
            bench_rounds=1
            ;;
        --rounds)
            [[ ${2:-} =~ ^[1-9][0-9]?$ ]] || bench_die "--rounds: a number from 1 to 99 is needed"
            bench_rounds=$2
            shift
            ;;
        --store) bench_store=yes ;;
        --dir)
            [ -d "${2:-}" ] || bench_die "--dir ${2:-}: no such folder"
            bench_dir=$2
            shift
            ;;
        --help | -h)
            printf 'Usage: sudo bench/%s [--quick] [--rounds N] [--dir DIR]\n\n%s\n\n' "${0##*/}" "$description"
            printf '  --quick     one round, smaller data, no verdict\n'
            printf '  --rounds N  rounds (default 5); the figures are medians\n'
            printf '  --store     keep the figures in bench/figures.txt: later runs warn when they are 20 %% worse\n'
            printf '  --dir DIR   a folder on the disk to be measured (default /var/tmp)\n'
            exit 0
            ;;
        *) bench_die "unknown option $1; see --help" ;;
        esac
        shift
    done
    [ -z "$bench_quick$bench_store" ] || [ "$bench_quick$bench_store" = yes ] || bench_die "--quick measures nothing that is worth to be stored"
    [ "$(id -u)" -eq 0 ] || bench_die "installs packages and mounts a tmpfs, so it must be root; use sudo"
    trap bench_clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    bench_dir=$(mktemp -d "${bench_dir:-/var/tmp}/sendense-bench-XXXXXX") || exit 2
    bench_at_end+=("rm -rf --one-file-system '$bench_dir'")
}

bench_now() { printf '%s\n' "${EPOCHREALTIME/[.,]/}"; }

# bench_cpu_usec PID: what the process and its threads have used so far.
bench_cpu_usec() {
    local stat fields
    stat=$(<"/proc/$1/stat") || return 1
    read -ra fields <<<"${stat##*) }"
    printf '%s\n' $(((fields[11] + fields[12]) * 1000000 / $(getconf CLK_TCK)))
}

# bench_median NUMBER...: of whole numbers; the lower one of two in the middle.
bench_median() {
    printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

# bench_ratio A B: A/B with two decimals.
bench_ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", (b > 0 ? a / b : 0) }'; }

# bench_beside_stored NAME VALUE OP: a warning when the value is 20 % worse than the one that was stored; OP says which way is better.
bench_beside_stored() {
    local stored
    stored=$(awk -v name="$1" '$1 == name { print $2 }' "$bench_figures" 2>/dev/null)
    [ -n "$stored" ] || return 0
    awk -v v="$2" -v op="$3" -v s="$stored" 'BEGIN { exit op == ">=" ? v + 0 >= s * 0.8 : v + 0 <= s * 1.2 }' || return 0
    printf 'warning: %s is %s, more than 20 %% worse than the stored %s\n' "$1" "$2" "$stored"
}

# bench_keep NAME VALUE: in its place among the stored ones.
bench_keep() {
    local line="$1 $2"
    { grep -vE "^${1//./\\.} " "$bench_figures" || :; } >"$bench_figures.new"
    printf '%s\n' "$line" >>"$bench_figures.new"
    { grep '^#' "$bench_figures.new"; grep -v '^#' "$bench_figures.new" | sort; } >"$bench_figures"
    rm -f "$bench_figures.new"
}

# bench_goal NAME VALUE OP LIMIT
bench_goal() {
    local verdict
    printf 'goal %s %s %s %s' "$1" "$2" "$3" "$4"
    if [ -n "$bench_quick" ]; then
        printf '  (quick: no verdict)\n'
        return
    fi
    verdict=$(awk -v v="$2" -v op="$3" -v l="$4" 'BEGIN {
        print op == ">=" ? v + 0 >= l + 0 : op == "<=" ? v + 0 <= l + 0 : "?" }')
    [ "$verdict" != "?" ] || bench_die "goal $1: the operator must be >= or <=, not $3"
    if [ "$verdict" = 1 ]; then
        printf '  holds\n'
    else
        printf '  MISSED\n'
        bench_failed=1
    fi
    bench_beside_stored "$1" "$2" "$3"
    [ -z "$bench_store" ] || bench_keep "$1" "$2"
}

bench_end() { exit "$bench_failed"; }
