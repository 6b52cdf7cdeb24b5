# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The root file system of a machine: an overlay whose lower layer is the host's / (or the bare Debian) and whose upper
# layer lives as long as the lab. The holder calls root_make once for each machine, before its first boot; reboots and
# crashes keep it. Nothing is ever written to the lower layer.

LAB_MASKED="getty.target console-getty.service systemd-networkd.service systemd-networkd.socket systemd-resolved.service
    systemd-network-generator.service systemd-timesyncd.service systemd-pstore.service systemd-update-utmp.service
    systemd-update-utmp-runlevel.service dev-hugepages.mount sys-kernel-debug.mount systemd-sysctl.service"

# root_overlay LOWER UPPER TARGET
root_overlay() {
    mkdir -p "$2/upper" "$2/work" &&
        mount -t overlay lab -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$3"
}

# root_mount NAME: mounts the overlay. An overlay does not look into file systems mounted below its lower layer, so a
# host with its own /usr or /var gets an overlay for each of them.
root_mount() {
    local dir=$LAB_RUN/machine/$1 leftover target n=0
    local writable=$dir/layers
    [ -z "$LAB_DISK" ] || writable=$LAB_RUN/host/machine/$1/layers
    mkdir -p "$dir/root" "$writable/0/upper" || return 1
    # Trees left by `systemd-nspawn --ephemeral` would be deleted file by file by tmpfiles; a whiteout costs nothing.
    for leftover in "$LAB_LOWER"/.#machine.*; do
        [ ! -e "$leftover" ] || mknod "$writable/0/upper/${leftover##*/}" c 0 0 || return 1
    done
    root_overlay "$LAB_LOWER" "$writable/0" "$dir/root" || return 1
    [ "$LAB_LOWER" = / ] || return 0
    for target in /usr /usr/local /usr/share /var /var/lib /var/cache /opt /srv; do
        if mountpoint -q "$target"; then
            n=$((n + 1))
            root_overlay "$target" "$writable/$n" "$dir/root$target" || return 1
        fi
    done
}

# root_forget: what belongs to the host and not to the machine: mounts, swap, services that its owner enabled.
root_forget() {
    rm -rf "$1"/etc/fstab "$1"/etc/crypttab "$1"/etc/machine-id "$1"/etc/rc[0-6S].d "$1"/etc/resolv.conf \
        "$1"/etc/systemd/system/*.wants "$1"/etc/systemd/system/*.requires "$1"/etc/systemd/network \
        "$1"/var/log/journal "$1"/etc/hostname "$1"/etc/hosts "$1"/etc/systemd/system.control
}

root_own() { # NAME ROOT
    local unit uuid
    read -r uuid </proc/sys/kernel/random/uuid
    echo "${uuid//-/}" >"$2/etc/machine-id"
    echo "$1" >"$2/etc/hostname"
    network_hosts >"$2/etc/hosts"
    : >"$2/etc/fstab"
    if [ "$LAB_NETWORK" = host ]; then cat /etc/resolv.conf; fi >"$2/etc/resolv.conf"
    mkdir -p "$2/var/log/journal" "$2/etc/systemd/journald.conf.d" "$2/etc/systemd/system" &&
        install -m 644 "$LAB_HERE/machine/journald.conf" "$2/etc/systemd/journald.conf.d/lab.conf" &&
        install -m 644 -t "$2/etc/systemd/system" "$LAB_HERE"/machine/lab.target "$LAB_HERE"/machine/lab-ready.service &&
        install -m 755 "$LAB_HERE/machine/lab-init" "$2/usr/sbin/lab-init" || return 1
    for unit in $LAB_MASKED; do
        ln -sf /dev/null "$2/etc/systemd/system/$unit" || return 1
    done
}

# root_install ROOT: the staged build. Debian's /lib and /sbin are symlinks that the staged folders must not replace.
# What a package would do after unpacking: the unit that makes users runs once more, the message catalog is compiled.
root_install() {
    local stage=$LAB_RUN/host/stage sysusers=$1/etc/systemd/system/systemd-sysusers.service.d
    [ -d "$stage" ] || return 0
    tar -C "$stage" -c . | tar -C "$1" -x --keep-directory-symlink --no-overwrite-dir || return 1
    mkdir -p "$sysusers" && printf '[Unit]\nConditionNeedsUpdate=\n' >"$sysusers/lab.conf" || return 1
    [ ! -d "$1/usr/lib/systemd/catalog" ] || journalctl --root="$1" --update-catalog
}

# root_make NAME: everything between an empty folder and a bootable machine.
root_make() {
    local root=$LAB_RUN/machine/$1/root hook
    root_mount "$1" && root_forget "$root" && root_own "$1" "$root" && root_install "$root" ||
        return 1
    [ "$LAB_LOWER" = / ] || bare_dress "$root" || return 1
    for hook in "${LAB_HOOKS[@]}"; do
        "$hook" "$1" "$root" || {
            say "the hook $hook failed for $1"
            return 1
        }
    done
}
