# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The control groups of a lab: one parent per hierarchy, in it one group for the holder and one for each machine.
# Every machine needs its own before nspawn starts, or all of them would share the caller's. Three kinds of host are
# known: cgroup v1 with or without the hybrid "unified" folder, pure v2 with systemd as PID 1 (which owns the tree and
# delegates a scope to us), and either of them without. Only `lab down` removes groups: a killed lab cannot.

CGROUP_ROOT=/sys/fs/cgroup
# cpuset wants cpus and nodes before it takes a process, devices and freezer add nothing that the tests look at.
CGROUP_V1_USED=" memory pids cpu cpuacct cpu,cpuacct blkio systemd "

# cgroup_mounts: prints one line "v1|v2 MOUNTPOINT NAME" for each hierarchy that machines use.
cgroup_mounts() {
    local target type name
    while read -r _ target type _; do
        name=${target#"$CGROUP_ROOT"}
        name=${name#/}
        case $type in
        cgroup2) [ "$target" != "$CGROUP_ROOT" ] && [ "$name" != unified ] || echo "v2 $target $name" ;;
        cgroup) [[ $CGROUP_V1_USED != *" $name "* ]] || echo "v1 $target $name" ;;
        esac
    done </proc/self/mounts
}

cgroup_check() {
    local mounts
    mounts=$(cgroup_mounts)
    [ -n "$mounts" ] || die "no cgroup file system is mounted on $CGROUP_ROOT" \
        "remedy: boot with systemd, or: mount -t cgroup2 cgroup2 $CGROUP_ROOT"
    if [[ $mounts == *"v1 "* ]]; then
        [[ $mounts == *memory* && $mounts == *pids* && $mounts == *systemd* ]] ||
            die "cgroup v1 without its memory, pids or name=systemd hierarchy: limits of units would not hold" \
                "remedy: mount them below $CGROUP_ROOT, each in a folder named after the controller"
    elif [ -z "${LAB_WITHOUT_LIMITS:-}" ] &&
        ! [[ " $(<"$CGROUP_ROOT/cgroup.controllers") " =~ " memory ".*" pids " ]]; then
        die "cgroup v2 offers no memory and pids controllers here: limits of units would not hold" \
            "remedy: delegate them to this container; or LAB_WITHOUT_LIMITS=1 to boot without any limits"
    fi
}

# cgroup_of_self V1-NAME|'': prints the group that this process is in, '' = v2.
cgroup_of_self() {
    local id controllers path
    while IFS=: read -r id controllers path; do
        case $1 in
        '' | unified) [ "$id" = 0 ] || continue ;;
        systemd) [ "$controllers" = name=systemd ] || continue ;;
        *) [ "$controllers" = "$1" ] || continue ;;
        esac
        echo "${path%/}"
        return
    done </proc/self/cgroup
}

# cgroup_enable DIR: the groups below DIR get those controllers of DIR that units use. On a hybrid host there are none.
cgroup_enable() {
    local controller
    for controller in $(<"$1/cgroup.controllers"); do
        case $controller in
        cpu | io | memory | pids) echo "+$controller" >"$1/cgroup.subtree_control" || return 1 ;;
        esac
    done 2>/dev/null
}

# cgroup_free_root DIR: a v2 group cannot hold processes and hand on controllers. Only the true root can, so when DIR
# refuses, it is a container's root: its processes move one level down, as every init in a container does it.
cgroup_free_root() {
    local pid
    mkdir -p "$1/init" || return 1
    for pid in $(<"$1/cgroup.procs"); do
        echo "$pid" >"$1/init/cgroup.procs" || [ ! -d "/proc/$pid" ] || return 1
    done 2>/dev/null
    cgroup_enable "$1"
}

# cgroup_make NAME: makes the lab's groups, puts this process into their "holder" and prints the parents, one a line.
# Where systemd delegated a scope NAME to this process, the scope is the parent; on v1 it leaves some controllers out.
cgroup_make() {
    local kind target name dir
    while read -r kind target name; do
        dir=$target$(cgroup_of_self "$name")
        if [[ $dir != *"/$1.scope" ]]; then
            dir=$target/$1
            [ "$kind" = v1 ] || cgroup_enable "$target" || cgroup_free_root "$target" ||
                die "$target holds processes that cannot be moved, and so hands no controllers to groups below it" \
                    "remedy: give this container a cgroup namespace of its own (--cgroupns=private)"
        fi
        mkdir -p "$dir/holder" || die "cannot make the cgroup $dir"
        echo "$BASHPID" >"$dir/holder/cgroup.procs" || die "cannot enter the cgroup $dir"
        [ "$kind" = v1 ] || cgroup_enable "$dir" || die "cannot hand controllers of $dir to groups below it"
        echo "$dir"
    done < <(cgroup_mounts)
}

# cgroup_enter NAME: this process moves into the machine's groups.
cgroup_enter() {
    local dir
    while read -r dir; do
        mkdir -p "$dir/$1" && echo "$BASHPID" >"$dir/$1/cgroup.procs" || return 1
    done <"$LAB_RUN/host/cgroups"
}

# cgroup_clear NAME: what the last boot of a machine left in its groups; nothing runs in them any more.
cgroup_clear() {
    local dir dirs=()
    while read -r dir; do
        [ ! -d "$dir/$1" ] || dirs+=("$dir/$1")
    done <"$LAB_RUN/host/cgroups"
    [ ${#dirs[@]} -eq 0 ] || find "${dirs[@]}" -mindepth 1 -depth -type d -delete
}

cgroup_is_empty() { # DIR
    [ ! -d "$1" ] || [ -z "$(find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null)" ]
}

# cgroup_remove: after the lab's end. Processes that die with their namespace may take a moment to leave.
cgroup_remove() {
    local dir bad=
    [ -f "$LAB_STATE/cgroups" ] || return 0
    while read -r dir; do
        wait_until 10 cgroup_is_empty "$dir" || say "processes are still in $dir"
        [ ! -d "$dir" ] || find "$dir" -depth -type d -delete 2>/dev/null
        [ ! -d "$dir" ] || bad+=" $dir"
    done <"$LAB_STATE/cgroups"
    [ -z "$bad" ] || die "could not remove the cgroups$bad"
    rm -f "$LAB_STATE/cgroups"
}

# cgroup_sweep: groups of labs whose state folder went with them, as that of a killed test does. A living lab has its
# holder in every hierarchy; a minute is more than it needs to get there.
cgroup_sweep() {
    local target dir
    while read -r _ target _; do
        while read -r dir; do
            ! cgroup_is_empty "$dir" || find "$dir" -depth -type d -delete 2>/dev/null
        done < <(find "$target" -mindepth 1 -maxdepth 1 -type d -name 'sendense-lab-*' -mmin +1 2>/dev/null)
    done < <(cgroup_mounts)
}
