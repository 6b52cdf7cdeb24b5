# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Probes of processes: those of jobs, locks they hold on images, and descriptors that the daemons have gained.

# Programs that work on images, and ours that live as long as one job.
JOB_PROGRAMS=' qemu-nbd qemu-img qemu-io qemu-storage-daemon nbdkit nbdcopy nbdfuse guestfish guestmount '
OWN_PROGRAMS=' sendense-backup-client sendense-vsphere '

# open_files FOLDER...: "PID FD PATH" of all files below them that anybody has open.
open_files() {
    local folder pid rest match=()
    for folder in "$@"; do
        match+=(-o -lname "$folder/*")
    done
    [ ${#match[@]} -eq 0 ] ||
        find /proc/[0-9]*/fd -mindepth 1 -maxdepth 1 \( "${match[@]:1}" \) -printf '%p %l\n' 2>/dev/null |
        sed -n 's,^/proc/\([0-9]*\)/fd/\([0-9]*\) ,\1 \2 ,p' |
        while read -r pid rest; do
            ! of_this_machine "$pid" || printf '%s %s\n' "$pid" "$rest"
        done
}

look_processes() {
    local dir pid comm full args folder users=' ' reason
    repositories || return 0
    while read -r pid _; do users+="$pid "; done < <(open_files "${REPOSITORIES[@]}")
    for dir in /proc/[0-9]*; do
        pid=${dir#/proc/}
        of_this_machine "$pid" || continue
        { read -r comm <"$dir/comm"; } 2>/dev/null || continue
        reason=
        full=$comm
        # The kernel keeps 15 bytes of a name.
        if [ ${#comm} -ge 15 ] && full=$(readlink "$dir/exe"); then
            full=${full##*/}
            full=${full% (deleted)}
        fi
        unit_of "$pid"
        if [[ $REPLY =~ ^$JOB_UNIT$ || $CGROUP =~ /$JOB_SLICE(/|$) ]]; then
            reason="of $REPLY"
        elif [[ $users == *" $pid "* ]]; then
            reason="has a file of the repository open"
        elif [[ $OWN_PROGRAMS == *" $full "* ]]; then
            reason="belongs to a job"
        elif [[ $JOB_PROGRAMS == *" $full "* ]]; then
            args=$(tr '\0' ' ' 2>/dev/null <"$dir/cmdline")
            for folder in "${REPOSITORIES[@]}"; do
                [[ $args != *"$folder/"* ]] || reason="works on the repository"
            done
        fi
        [ -z "$reason" ] || leftover "${full}[$pid] $reason" "ps -fp $pid"
    done
}

# The kernel tells each lock beside the descriptor that holds it. qemu's are OFD locks, which belong to no process.
look_locks() {
    local pid fd path inode id seen=' '
    repositories || return 0
    find_files '%i %p' "${REPOSITORIES[@]}" -type f -name '*.qcow2*' || return 0
    while read -r pid fd path; do
        grep -qs '^lock:' "/proc/$pid/fdinfo/$fd" || continue
        [[ $seen != *" $pid:$path "* ]] || continue
        seen+="$pid:$path "
        process_name "$pid"
        leftover "$path is locked by $REPLY" "cat /proc/$pid/fdinfo/$fd"
    done < <(open_files "${REPOSITORIES[@]}")
    # A descriptor may be on its way between two processes; its lock is in the kernel's list only.
    while read -r inode path; do
        [[ -n $path && $seen != *":$path "* ]] || continue
        grep -q ":$inode [0-9]" /proc/locks || continue
        id=$(file_id "$path" "$inode") || {
            [ ! -e "$path" ] || cannot "findmnt does not find the device of $path"
            continue
        }
        grep -q " $id " /proc/locks || continue
        leftover "$path is locked by nobody that can be seen" "grep $id /proc/locks"
    done <<<"$FILES"
}

# file_id FILE INODE: MAJOR:MINOR:INODE as the kernel's list of locks writes it. The device is that of the mount: on an
# overlay stat(2) tells another one.
file_id() {
    local device
    device=$(findmnt --noheadings --output MAJ:MIN --target "$1") || return 1
    device=${device//[[:space:]]/}
    printf '%02x:%02x:%d\n' "${device%:*}" "${device#*:}" "$2"
}

# descriptors_now: "UNIT NUMBER WHAT" of every standing service, the numbers of inodes and jobs taken out.
descriptors_now() {
    # shellcheck disable=SC2034 # cannot() reads it
    local kind=descriptors
    local unit dir
    [ -n "${UNITS+loaded}" ] || units_load
    units_loaded || return 2
    echo "# descriptors of the daemons"
    for dir in /proc/[0-9]*; do
        of_this_machine "${dir#/proc/}" || continue
        unit_of "${dir#/proc/}"
        [[ $REPLY == sendense-*.service && ! $REPLY =~ ^$JOB_UNIT$ ]] || continue
        unit=$REPLY
        echo "$unit 0 running"
        find "$dir/fd" -mindepth 1 -maxdepth 1 -printf "$unit %l\n" 2>/dev/null
    done | sed -E '/ 0 running$/! { s/(socket|pipe):\[[0-9]+\]/\1/; s/[0-9]+/N/g2; s/ /\t/ }' |
        sort | uniq -c | awk '
            $3 == 0 && $4 == "running" { print $2 "\t0\trunning"; next }
            { n = $1; sub(/^ *[0-9]+ /, ""); split($0, part, "\t"); print part[1] "\t" n "\t" part[2] }'
}

look_descriptors() {
    local now line
    [ -n "$BASELINE" ] || {
        cannot "there is no baseline; take one before with --baseline FILE, then say --since FILE"
        return 0
    }
    now=$(descriptors_now) || {
        cannot "$now"
        return 0
    }
    while IFS= read -r line; do
        case $line in
        new*) cannot "${line#new } was not running when the baseline was taken" ;;
        *) leftover "${line#more }" "ls -l /proc/PID/fd of it" ;;
        esac
    done < <(awk -F '\t' '
        NR == FNR { before[$1, $3] = $2; known[$1, $3]; next }
        /^#/ { next }
        $3 == "running" { if (!(($1, $3) in known)) { print "new " $1; skip[$1] } next }
        { now[$1, $3] = $2; unit[$1, $3] = $1; what[$1, $3] = $3 }
        END {
            for (i in now)
                if (!(unit[i] in skip) && now[i] > before[i] + 0)
                    print "more " unit[i] " has " now[i] " of " what[i] ", and had " before[i] + 0
        }' <(printf '%s\n' "$BASELINE") <(printf '%s\n' "$now"))
}
