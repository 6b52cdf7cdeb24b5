# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of files out of backups: source it after tap.sh, call files_up, then `disk_of VM KEY FILE...`. The appliance is made once and
# kept beside the build, because making it anew takes as long as all else.

# shellcheck source=tests/fault/fault.bash
. "$SENDENSE_SRC/tests/fault/fault.bash"

# files_up: a hub that can read files.
files_up() {
    [ -d /usr/lib/x86_64-linux-gnu/guestfs/supermin.d ] || skip_all "libguestfs is missing (package libguestfs0)"
    compgen -G '/boot/vmlinuz-*' >/dev/null || skip_all "there is no kernel (package linux-image-cloud-amd64)"
    fault_up
}

# image_vm NAME MIB...: a VM whose disks are images that the caller has made as /srv/src/NAME-KEY.raw.
files_vm() {
    local name=$1 key=2000 mib list='' describe=''
    shift
    for mib in "$@"; do
        # shellcheck disable=SC2016 # expanded in the machine
        require "a source of disk $key of $name" in_hub 'echo 0 >"/srv/src/$1.rate" && systemctl start "source@$1.socket"' "$name-$key"
        list+="$key "
        describe+="{\"key\":$key,\"unit_number\":0,\"controller\":\"pvscsi:$((key - 1000))\","
        describe+="\"capacity_bytes\":$((mib << 20)),\"backing_uuid\":\"$(uuid_of "$name-$key")\"},"
        key=$((key + 1))
    done
    fault_keys[$name]=$list
    vm_set "$name" "${describe%,}"
}

# ctl VERB...: sendensectl backup files.
ctl() { hub sendensectl backup files "$@"; }
