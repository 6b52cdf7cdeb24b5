# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the other parts read what is set here
#
# `lab bare`: a command in a fresh minimal Debian, for everything that promises to work on a bare machine. It has the
# host's network, because apt must reach its registry, and everything else of its own: processes, mounts, cgroups, an
# overlay on disk (packages are large). Another lab can boot inside it. Without --boot its PID 1 is a plain shell, as in
# most containers; with --boot it is systemd, and the bare machine is a lab of one machine with the host's network.

LAB_BARE_DIR=${LAB_BARE_DIR:-/var/tmp}

# bare_dress ROOT: what the cached root leaves open, because it belongs to this machine and this moment.
bare_dress() {
    "$LAB_HERE/bare-root" --apt "$1"
}

# bare_folder: a state folder of our own in LAB_STATE, marked as alive by the lock on descriptor BARE_LOCK. It gets its
# name after it is locked, so that nobody can find it unlocked.
bare_folder() {
    local new
    new=$(mktemp -d "$LAB_BARE_DIR/new-sendense-bare.XXXXXX") || die "cannot make a folder in $LAB_BARE_DIR"
    exec {BARE_LOCK}>"$new/alive"
    flock -n "$BARE_LOCK" || die "$new/alive is locked already"
    LAB_STATE=$LAB_BARE_DIR/sendense-bare.${new##*.}
    mv -T "$new" "$LAB_STATE" || die "cannot rename $new"
}

# bare_sweep: what a killed `lab bare` left: a folder that nobody holds a lock on.
bare_sweep() {
    local dir lock
    for dir in "$LAB_BARE_DIR"/sendense-bare.*; do
        [ -e "$dir/alive" ] || continue
        exec {lock}<"$dir/alive"
        if flock -n "$lock"; then
            LAB_STATE=$dir
            holder_end
            rm -rf --one-file-system "$dir"
        fi
        exec {lock}<&-
    done
}

# bare_chroot CMD...: without --boot.
bare_chroot() {
    local id status
    read -r id </proc/sys/kernel/random/uuid
    bare_folder
    trap 'trap - EXIT; bare_remove; exit 143' TERM
    trap 'trap - EXIT; bare_remove; exit 130' INT
    trap bare_remove EXIT
    declare -p LAB_LOWER LAB_BINDS | sed 's/^declare \(-[^ ]*\)/declare -g \1/' >"$LAB_STATE/plan"
    (
        cgroup_make "sendense-lab-${id%%-*}" >"$LAB_STATE/cgroups" || exit 125
        exec unshare --mount --pid --uts --ipc --fork --kill-child=KILL --propagation private \
            "$LAB_SELF" _bare "$LAB_STATE" "$BARE_LOCK" "$@"
    )
    status=$?
    trap - EXIT
    bare_remove
    return "$status"
}

bare_remove() {
    cgroup_remove
    rm -rf --one-file-system "${LAB_STATE:?}"
}

# bare_cgroups ROOT: the hierarchies that a lab uses, seen from this cgroup namespace, so that what is made inside stays
# below our own groups and goes with them.
bare_cgroups() {
    local kind target name
    [ -z "$(cgroup_mounts | sed -n 's/^v1.*/v1/p')" ] || mount -n -t tmpfs -o mode=755 cgroup "$1$CGROUP_ROOT" || return 1
    while read -r kind target name; do
        mkdir -p "$1$target" || return 1
        case $kind.$name in
        v2.*) mount -n -t cgroup2 cgroup2 "$1$target" ;;
        v1.systemd) mount -n -t cgroup -o none,name=systemd cgroup "$1$target" ;;
        v1.*) mount -n -t cgroup -o "$name" cgroup "$1$target" ;;
        esac || return 1
    done < <(cgroup_mounts)
}

bare_mounts() { # ROOT
    local bind from to
    mount -n -t proc proc "$1/proc" &&
        mount -n -t sysfs sysfs "$1/sys" &&
        mount -n --rbind /dev "$1/dev" &&
        mount -n -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$1/dev/pts" &&
        mount -n -t tmpfs -o mode=755 run "$1/run" &&
        mkdir -p "$1/run/lock" &&
        bare_cgroups "$1" || return 1
    for bind in "${LAB_BINDS[@]}"; do
        from=${bind%%:*} to=$1/${bind#*:}
        if [ -d "$from" ]; then mkdir -p "$to"; else mkdir -p "${to%/*}" && touch "$to"; fi || return 1
        mount -n --rbind "$from" "$to" || return 1
    done
}

# bare_enter STATE LOCK CMD...: PID 1 of the bare machine. unshare, which stays outside, must not be in the group that
# becomes the root of the cgroup namespace: nobody inside could move it out of the way.
bare_enter() {
    local lock=$2
    LAB_STATE=$1
    shift 2
    exec {lock}>&-
    LAB_RUN=$LAB_STATE/run
    mkdir -p "$LAB_RUN" && ln -sfn .. "$LAB_RUN/host"
    cgroup_enter bare || die "cannot enter the bare machine's cgroups"
    exec unshare --cgroup "$LAB_SELF" _bare-inside "$LAB_STATE" "$@"
}

bare_main() { # STATE CMD...
    local root
    LAB_STATE=$1
    shift
    # shellcheck source=/dev/null
    . "$LAB_STATE/plan"
    root=$LAB_STATE/root
    mkdir -p "$root"
    root_overlay "$LAB_LOWER" "$LAB_STATE" "$root" ||
        die "cannot put an overlay on $LAB_LOWER" "remedy: LAB_BARE_DIR=DIR on a real file system, such as ext4 or xfs"
    mount -n -t proc proc /proc || die "cannot mount /proc"
    bare_mounts "$root" || die "cannot make the bare machine's mounts"
    hostname bare
    echo "127.0.0.1 localhost bare" >"$root/etc/hosts"
    cat /etc/resolv.conf >"$root/etc/resolv.conf"
    bare_dress "$root" || exit 125
    mkdir -p "$root/old"
    cd "$root" || exit 125
    pivot_root . old || die "cannot change the root"
    umount -n -l old || die "cannot leave the old root"
    rmdir old
    [ $# -gt 0 ] || set -- /bin/bash -l
    cd /root && exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root \
        LANG=C.UTF-8 TERM="${TERM:-dumb}" ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
        /bin/bash -c '"$@"; exit $?' bare "$@"
}

# bare_booted CMD...: with --boot. On any way out the lab goes down, and its folder goes with it.
bare_booted() {
    local status
    bare_folder
    : >"$LAB_STATE/lock"
    LAB_NAMES=(bare) LAB_DISK=1 LAB_NETWORK=host
    trap 'trap - EXIT; bare_booted_end; exit 143' TERM
    trap 'trap - EXIT; bare_booted_end; exit 130' INT
    trap bare_booted_end EXIT
    verb_up >&2
    [ $# -gt 0 ] || set -- /bin/bash -l
    (exec {BARE_LOCK}>&- && enter_machine bare "$@")
    status=$?
    trap - EXIT
    bare_booted_end
    return "$status"
}

bare_booted_end() {
    verb_down
    rm -rf --one-file-system "${LAB_STATE:?}"
}

verb_bare() {
    check_host
    LAB_LOWER=$("$LAB_HERE/bare-root") || exit 1
    bare_sweep
    if [ -n "$LAB_BOOT" ]; then bare_booted "$@"; else bare_chroot "$@"; fi
    exit
}
