#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files out of XFS, Btrfs, NTFS, FAT and a volume of LVM over two disks, all in one backup: each is listed, found by device and by label,
# and gives back what was put into it. Which is meant must be said, and one that is damaged is told.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/files/files.bash"

files_up
# shellcheck disable=SC2016 # expanded in the machine
require "a guest with five file systems" in_hub '
    mkdir -p /srv/plain/folder && cd /srv/plain && echo hello >folder/file && head -c 300K /dev/urandom >big && printf x >"a b" &&
    cp -a /srv/plain /srv/full && cd /srv/full && ln -s file folder/link && ln big hard && setfattr -n user.note -v b big && chown 7:8 folder/file &&
    tar -C /srv/full --xattrs -cf /srv/full.tar . && tar -C /srv/plain --no-same-owner -cf /srv/plain.tar . &&
    truncate -s 1400M /srv/src/kinds-2000.raw && truncate -s 64M /srv/src/kinds-2001.raw && truncate -s 64M /srv/src/kinds-2002.raw &&
    systemctl start sendense-appliance && cd /srv/src &&
    "$1" /var/cache/sendense-files/appliance /srv/full.tar /srv/plain.tar kinds-2000.raw kinds-2001.raw kinds-2002.raw' "$SENDENSE_BUILD/tests/files-long/guest-maker"
files_vm kinds 1400 64 64
backup kinds --type=full
id=$(job .BackupId)
fault_baseline

list=$(ctl ls "$id" --filesystems --json)
is "$(jq -r '[.filesystem, .type] | join(" ")' <<<"$list" | sort | paste -sd,)" \
    "/dev/sda1 xfs,/dev/sda2 btrfs,/dev/sda3 ntfs,/dev/sda4 vfat,/dev/vg/data ext4" "all file systems are listed" || diag "$list"
is "$(jq -r 'select(.problem)' <<<"$list")" "" "and all can be read"
ok "with their sizes" test "$(jq -s 'map(.capacity_bytes > .used_bytes and .used_bytes > 0) | all' <<<"$list")" = true || diag "$list"
like "$(ctl ls "$id" 2>&1)" 'Name the file system; there are: /dev/sda1 \(xfs\), .*/dev/vg/data \(ext4\)' "which is meant must be said"
like "$(ctl ls "$id" --filesystem=/dev/sdz 2>&1)" "There is no file system '/dev/sdz'; there are: " "and there must be such"

# comes_back FILESYSTEM TREE NAME
comes_back() {
    # shellcheck disable=SC2016 # expanded in the machine
    is "$(in_hub 'mkdir "/srv/$2" && sendensectl backup files get "$3" / --filesystem="$1" "--into=/srv/$2" >/dev/null &&
        diff -r --no-dereference -x lost+found "/srv/$4" "/srv/$2" 2>&1' "$1" "$3" "$id" "$2")" "" "$3 comes back as it was"
}
comes_back LABEL=x full xfs
comes_back /dev/sda2 full btrfs
comes_back LABEL=n plain ntfs
comes_back /dev/sda4 plain vfat
comes_back vg/data full lvm
for kind in xfs btrfs lvm; do
    # shellcheck disable=SC2016 # expanded in the machine
    is "$(in_hub 'cd "/srv/$1" && stat -c "%u:%g" folder/file && readlink folder/link && getfattr -d --only-values big && [ big -ef hard ] && echo one' "$kind" | tr '\n' ' ')" \
        "7:8 file bone " "$kind: owner, link, attribute, hard link"
done
unharmed "five file systems"
done_testing
