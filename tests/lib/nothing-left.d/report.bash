# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the other parts read what is set here
#
# What all probes of nothing-left use: how they report, where they look, and who they take for a standing service. It
# is read on the machine that is looked at.

# Set by the options; the machine gets them with the probes.
BASELINE=
PLACE_REPOSITORIES=()
PLACE_PORTS=()
PLACE_CONFIG=/etc/sendense
PLACE_LEDGER=/var/lib/sendense-node/ledger
PLACE_VCENTER=
PLACE_NO_DATABASE=
PLACE_NO_REPOSITORY=

# Units of jobs. Every other sendense-* unit is a standing service.
JOB_UNIT='sendense-(export|import|copy|image|repository|vsphere|verify|restore|delete|files|mount|file)-[^/]*\.(service|socket|scope)'
JOB_SLICE='sendense-(jobs|tasks)-[^/]*\.slice'

leftover() { # WHAT HOW-TO-LOOK
    printf 'leftover %s: %s (%s)\n' "$kind" "$1" "$2"
}

# cannot WHY: a probe says this and returns.
cannot() {
    printf 'could not look at %s: %s\n' "$kind" "$(tr '\n' ' ' <<<"$1" | sed 's/ *$//')"
}

# preload KIND...: what several probes need is asked for once.
preload() {
    case " $* " in
    *" processes "* | *" partial-files "* | *" locks "*) repositories_load ;;
    esac
    case " $* " in
    *" units "* | *" failed-units "* | *" slices "* | *" targets "* | *" descriptors "*) units_load ;;
    esac
}

# look_all KIND...: 0, 1 or 2 as nothing-left itself. Whatever else a probe or its tools say, and be it on stderr, means
# that something was not looked at.
look_all() {
    local kind text line worst=0
    preload "$@"
    for kind in "$@"; do
        text=$("look_${kind//-/_}" 2>&1) || text+=$'\n'"the probe failed"
        [ -n "$text" ] || continue
        while IFS= read -r line; do
            case $line in
            '') continue ;;
            "leftover $kind: "*) [ "$worst" -ge 1 ] || worst=1 ;;
            "could not look at $kind: "*) worst=2 ;;
            *)
                line=$(cannot "$line")
                worst=2
                ;;
            esac
            printf '%s\n' "$line"
        done <<<"$text"
    done
    return "$worst"
}

# need TOOL PACKAGE: for probes.
need() {
    command -v "$1" >/dev/null || {
        cannot "$1 is missing (package $2)"
        return 1
    }
}

# setting SECTION KEY DEFAULT: prints a value of hub.conf and its drop-ins; the last one wins.
setting() {
    local file files=() value
    for file in "$PLACE_CONFIG/hub.conf" "$PLACE_CONFIG"/hub.conf.d/*.conf; do
        [ ! -e "$file" ] || files+=("$file")
    done
    [ ${#files[@]} -eq 0 ] || value=$(awk -v section="[$1]" -v key="$2" '
        /^[[:space:]]*\[/ { gsub(/[[:space:]]/, ""); inside = $0 == section; next }
        inside && $0 ~ "^[[:space:]]*" key "[[:space:]]*=" { sub(/^[^=]*=[[:space:]]*/, ""); sub(/[[:space:]]*$/, ""); value = $0 }
        END { print value }' "${files[@]}") || return 1
    printf '%s\n' "${value:-$3}"
}

# unit_of PID: sets REPLY to the innermost unit that a process belongs to, '' for none, and CGROUP to its path.
unit_of() {
    local controllers path best=
    REPLY=
    while IFS=: read -r _ controllers path; do
        case $controllers in
        name=systemd) best=$path && break ;;
        '') best=$path ;;
        esac
    done 2>/dev/null <"/proc/$1/cgroup"
    CGROUP=$best
    while [ -n "$best" ]; do
        case ${best##*/} in
        *.service | *.scope | *.socket | *.mount)
            REPLY=${best##*/}
            return
            ;;
        esac
        best=${best%/*}
    done
}

# of_this_machine PID: not of a machine that runs in this one; its units and paths have the same names.
of_this_machine() { [ "/proc/$1/ns/pid" -ef /proc/self/ns/pid ]; }

# process_name PID: sets REPLY to "name[pid]".
process_name() {
    local comm=gone
    { read -r comm <"/proc/$1/comm"; } 2>/dev/null
    REPLY="${comm}[$1]"
}
