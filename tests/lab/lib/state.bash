# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What a lab keeps outside its namespaces, in the folder given by --state: who holds it, which cgroups it made, the
# plan it was started from, journals and consoles. Every verb begins here to find a running lab. Nothing in here
# enters a namespace or starts a process of the lab.

say() { printf 'lab: %s\n' "$*" >&2; }
die() {
    printf 'lab: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '     %s\n' "$@" >&2
    exit 1
}

need_root() {
    [ "$EUID" -eq 0 ] || die "the lab mounts, makes network namespaces and boots systemd: that takes root" \
        "remedy: sudo $LAB_SELF ..."
}

need_tool() { # TOOL PACKAGE
    command -v "$1" >/dev/null || die "$1 is missing" "remedy: apt-get install $2"
}

# nap: 20 ms without starting a process. For states of other processes, which give no event to wait for.
nap() {
    [ -n "${nap_fd:-}" ] || exec {nap_fd}<> <(:)
    read -r -t 0.02 -u "$nap_fd" || true
}

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# wait_until SECONDS COMMAND...: false when the time is over.
wait_until() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        nap
    done
}

# process_birth PID: sets REPLY to its start time; a pid alone may be somebody else by now.
process_birth() {
    local stat
    REPLY=
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra stat <<<"${stat##*) }"
    REPLY=${stat[19]}
    [ "${stat[0]}" != Z ]
}

# state_launcher: sets REPLY to the pid that all of the lab hangs on, as seen from here.
state_launcher() {
    local pid birth
    { read -r pid birth <"$LAB_STATE/holder"; } 2>/dev/null || return 1
    process_birth "$pid" && [ "$REPLY" = "$birth" ] || return 1
    REPLY=$pid
}

# state_holder: sets REPLY to the lab's own PID 1, as seen from here.
state_holder() {
    state_launcher || return 1
    local launcher=$REPLY
    REPLY=
    { read -r REPLY <"/proc/$launcher/task/$launcher/children"; } 2>/dev/null
    REPLY=${REPLY%% *}
    [ -n "$REPLY" ]
}

need_holder() {
    need_root
    state_holder || die "no lab is up in $LAB_STATE" "remedy: $LAB_SELF up (or name another one with --state DIR)"
    LAB_HOLDER=$REPLY
}

# need_machine NAME: a lab is up and has this machine; MACHINE_DIR is its folder, seen through the holder.
need_machine() {
    need_holder
    [ -n "${1:-}" ] || die "which machine?" "remedy: $LAB_SELF names lists them"
    MACHINE_DIR=/proc/$LAB_HOLDER/root/run/lab/machine/$1
    [[ $1 == */* ]] || [ -d "$MACHINE_DIR" ] || die "there is no machine '$1'" "remedy: $LAB_SELF names lists them"
}

# machine_state NAME: sets STATE (booting, up, off, failed), BOOTS, LEADER (pid in the lab) and HEALTH.
# shellcheck disable=SC2034 # read by the verbs
machine_state() {
    STATE='' BOOTS=0 LEADER='' HEALTH=''
    { read -r STATE BOOTS LEADER HEALTH <"$MACHINE_DIR/state"; } 2>/dev/null
}

# machine_leader_here: sets REPLY to the pid that LEADER has outside the lab. The kernel keeps no list of that, so walk
# down from the holder: supervisor, keeper, nspawn, leader. A list of children may lack some while another one ends; so
# one that is not found is looked for again.
machine_leader_here() {
    local attempt
    for attempt in 1 2 3 4 5; do
        find_leader && return 0
        [ -e "/proc/$LAB_HOLDER" ] || return 1
        sleep "0.0$attempt"
    done
    return 1
}

find_leader() {
    local pids=$LAB_HOLDER pid next words status line=$'\nNSpid:[^\n]*\t'$LEADER$'\t1\n'
    for _ in supervisor keeper nspawn leader; do
        next=
        for pid in $pids; do
            read -ra words <"/proc/$pid/task/$pid/children"
            next+=" ${words[*]}"
        done 2>/dev/null
        pids=$next
    done
    # The kernel makes this file anew for each read: line by line it shifts under the reader when the state changes.
    for REPLY in $pids; do
        status=$(<"/proc/$REPLY/status") || continue
        [[ ! $status =~ $line ]] || return 0
    done 2>/dev/null
    return 1
}

machine_is_up() { # NAME [LEAST-NUMBER-OF-BOOTS]
    machine_state "$1"
    [ "$STATE" != failed ] || die "$1 failed to boot" "see $LAB_STATE/machine/$1/console.log"
    [ "$STATE" = up ] && [ "$BOOTS" -ge "${2:-1}" ]
}

# state_lock: one up or down at a time in one state folder.
state_lock() {
    mkdir -p "$LAB_STATE" || die "cannot make the state folder $LAB_STATE"
    LAB_STATE=$(realpath "$LAB_STATE")
    [ -e "$LAB_STATE/lock" ] || [ -z "$(ls -A "$LAB_STATE")" ] ||
        die "$LAB_STATE holds other things than a lab" "remedy: give --state a folder that is new or empty"
    exec {LAB_LOCK}>"$LAB_STATE/lock"
    flock -w 60 "$LAB_LOCK" || die "another up or down works in $LAB_STATE for more than a minute" \
        "remedy: wait for it, or use another --state DIR"
}
