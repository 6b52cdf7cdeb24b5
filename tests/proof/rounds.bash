# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034,SC2004 # variables of the rooms it sources; keys of tables are text
#
# Random rounds: the disks of a VM are written, grown, added, removed and replaced, tracking is lost, targets and source
# break in the middle, backups are given up; after each round a backup is made while the guest writes. Source it after
# proof.bash. The same seed does the same again, but for what depends on time: what the guest writes during a copy, and
# where a copy is when something breaks.

declare -A done_of=()
did() { done_of[$1]=$((${done_of[$1]:-0} + 1)); }

any_key() {
    draw ${#keys[@]}
    key=${keys[REPLY]}
}

# Some sectors somewhere: noise, or zeroes where something was.
change_write() {
    local key size at from
    any_key
    draw 3
    case $REPLY in 0) from=/dev/zero ;; *) from=/dev/urandom ;; esac
    draw 600
    size=$(((REPLY + 1) * 512 * (REPLY % 7 + 1)))
    [ "$size" -le "${capacity_of[$key]}" ] || size=${capacity_of[$key]}
    draw $(((capacity_of[$key] - size) / 512 + 1))
    at=$((REPLY * 512))
    # The ends of a disk are places like no other.
    draw 6
    case $REPLY in 0) at=0 ;; 1) at=$((capacity_of[$key] - size)) ;; esac
    head -c "$size" "$from" | simctl disk write vm="$vm" key="$key" offset="$at" >/dev/null
}
change_resize() {
    local key
    any_key
    [ "${capacity_of[$key]}" -lt 40000000 ] || return 0
    draw 8000
    simctl disk resize vm="$vm" key="$key" size=$((capacity_of[$key] + (REPLY + 1) * 512)) >/dev/null
}
change_add() {
    local bus=('' :nvme :sata :pvscsi1)
    [ "${#keys[@]}" -lt 5 ] || return 0
    draw 4
    bus=("${bus[REPLY]}")
    draw 24000
    simctl disk add vm="$vm" disk="$((4 << 20 | REPLY * 512))${bus[0]}" >/dev/null
}
change_remove() {
    local key
    [ "${#keys[@]}" -gt 2 ] || return 0
    any_key
    simctl disk remove vm="$vm" key="$key" >/dev/null
}
change_replace() {
    local key
    any_key
    draw 2
    simctl disk replace vm="$vm" key="$key" size=$((capacity_of[$key] + REPLY * 1536)) >/dev/null
}
# Before the first backup there is no tracking to lose.
change_reset() {
    local key
    any_key
    simctl cbt reset vm="$vm" key="$key" >/dev/null 2>&1 || return 0
}
change_off() { simctl vm cbt vm="$vm" on=0 >/dev/null; }

change() {
    draw 20
    case $REPLY in
        0 | 1) set -- resize ;;
        2 | 3) set -- add ;;
        4) set -- remove ;;
        5 | 6) set -- replace ;;
        7 | 8) set -- reset ;;
        9) set -- off ;;
        *) set -- write ;;
    esac
    did "$1"
    what+=" $1"
    "change_$1" || trouble+="the change $1 failed; "
    vm_look
}

# break_source: something that happens to the copier's calls; it must come through.
break_source() {
    local at
    draw 12
    at=$((REPLY + 1))
    draw 7
    case $REPLY in
        0) set -- session-killed method=FolderGet at=$at ;;
        1) set -- http-503 method=FolderGet at=$at count=4 ;;
        2) set -- empty-500 method=FolderGet at=$at count=3 ;;
        3) set -- drop-connection method=FolderGet at=$at count=5 ;;
        4) set -- cut-answer method=FolderGet at=$at bytes=70000 count=3 ;;
        5) set -- cut-answer method=FolderGet at=$at bytes=-1 count=2 ;;
        6) is_doubted=yes && set -- file-fault ;;
    esac
    did "$1"
    what+=", $*"
    simctl fault "$@" >/dev/null
}

has_bytes() { [ "$(task .bytes_done)" -gt 0 ]; }
# kill_target: while bytes flow into it.
kill_target() {
    local key
    any_key
    what+=", target $key killed"
    eventually "$patience_sec" has_bytes && state_is copying && systemctl kill -s KILL "target-$key" && did killed
}

# cut_target: what is between copy and target is gone, as with a tunnel that dies; the server lives, and keeps what it had.
cut_target() {
    local key port
    any_key
    port=$(jq -r --arg k "$key" '.[$k] | capture(":(?<p>[0-9]+)/").p' <<<"$targets")
    what+=", connections of target $key cut"
    eventually "$patience_sec" has_bytes && state_is copying && [ -n "$(ss -KHtn dport = ":$port")" ] && did cut
}

writers() { # start|stop
    local key i=0
    for key in "${keys[@]}"; do
        i=$((i + 1))
        if [ "$1" = start ]; then
            simctl writer start vm="$vm" key="$key" size=$((512 << i % 6)) ms=20 seed=$((seed % 1000 + i)) >/dev/null
        else
            simctl writer stop vm="$vm" key="$key" >/dev/null
        fi
    done
}

# During a backup: nothing, a source that fails, a target that is killed, or whose connections are cut.
disturb() {
    draw 4
    case $REPLY in
        0) break_source ;;
        1) simctl fault delay method=FolderGet ms=40 count=0 >/dev/null && disturbance=kill_target ;;
        2) simctl fault delay method=FolderGet ms=40 count=0 >/dev/null && disturbance=cut_target ;;
    esac
}

wait_copied() {
    is_copied && return
    trouble+="it is not copied: $(task '"\(.state) \(.error)"'); "
    return 1
}

# How it ends: the hub has it, gives it up, or cancels it.
round_ends() {
    draw 8
    case $REPLY in
        0)
            what+=", given up"
            did given-up
            release abandoned >/dev/null
            images_drop
            ;;
        *)
            release committed >/dev/null
            keep
            ;;
    esac
    eventually "$patience_sec" state_is released || trouble+="it does not end; "
}

round_cancelled() {
    what+=", cancelled"
    did cancelled
    simctl fault delay method=FolderGet ms=2000 count=0 >/dev/null
    eventually "$patience_sec" state_is copying
    api DELETE "backup/$job" >/dev/null
    eventually "$patience_sec" state_is cancelled || trouble+="it is not cancelled; "
    images_drop
}

round_backup() { # TYPE trusting|knowing
    local wrong
    what+=", $1 ($2)"
    disturb
    writers start
    ask "$1" "$2"
    draw 9
    if [ "$REPLY" = 0 ]; then
        round_cancelled
    else
        ${disturbance:-true}
        simctl faults clear >/dev/null
        if wait_copied; then
            images_close
            wrong=$(wrong_disks; wrong_types "$(task .)")
            trouble+=$wrong
            for wrong in $(task '.disks[].backup_type'); do did "$wrong"; done
            round_ends
        else
            release abandoned >/dev/null
        fi
    fi
    simctl faults clear >/dev/null
    writers stop
    images_close 2>/dev/null
    eventually "$patience_sec" nothing_left || trouble+="something is left: $(simctl left | jq -c .)$(units_left); "
}

rounds() { # N SEED
    local n wrong what trouble is_doubted disturbance changes type way
    seed=$2
    diag "PROOF_SEED=$seed"
    for ((n = 1; n <= $1; n++)); do
        what='' trouble='' is_doubted='' disturbance=''
        draw 5
        for ((changes = REPLY; changes >= 0; changes--)); do change; done
        draw 8
        if [ "$REPLY" = 0 ]; then type=full; else type=incremental; fi
        draw 3
        if [ "$REPLY" = 0 ]; then way=trusting; else way=knowing; fi
        round_backup "$type" "$way"
        is "$trouble" '' "round $n: every disk is what it was at its moment" || diag "seed $2, round $n:$what" "$(task .)"
    done
    wrong=$(wrong_points)
    is "$wrong" '' "and at the end every restore point still is"
    diag "${#points[@]} restore points;$(for n in "${!done_of[@]}"; do printf ' %s %s' "${done_of[$n]}" "$n"; done)"
}
