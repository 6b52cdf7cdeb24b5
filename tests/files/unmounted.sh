#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files out of a guest of which not all file systems can be mounted: an empty folder in the place of one is never taken for the guest's.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/files.bash"

files_up
# One that can still be told for ext4 and has no root, and one of which nothing is left but its line in fstab.
# shellcheck disable=SC2016 # expanded in the machine
require "a guest with damaged file systems below its root" in_hub '
    mkdir -p /srv/root/{etc,bin,usr,home,srv,media/usb} /srv/home/1 && cd /srv/root/etc && echo hello >hello && echo f >/srv/home/1/f &&
    printf "ID=debian\nNAME=Debian\nVERSION_ID=12\n" >os-release &&
    printf "%s\n" "/dev/sda / ext4 defaults 0 1" "UUID=6d9a2a8e-2c8f-4d4e-8f35-1f1f6f2d6a02 /home ext4 defaults 0 2" "UUID=6d9a2a8e-2c8f-4d4e-8f35-1f1f6f2d6a01 /srv ext4 nofail 0 2" \
        "/dev/sdb /media/usb ext4 noauto,user 0 0" "tmpfs /tmp tmpfs" >fstab &&
    mkfs.ext4 -q -d /srv/root /srv/src/web-2000.raw 64M && mkfs.ext4 -q -U 6d9a2a8e-2c8f-4d4e-8f35-1f1f6f2d6a02 -d /srv/home /srv/src/web-2001.raw 16M &&
    debugfs -w -R "clri <2>" /srv/src/web-2001.raw 2>&1 && truncate -s 16M /srv/src/web-2002.raw'
files_vm web 64 16 16
backup web --type=full
id=$(job .BackupId)
hub mkdir /srv/all /srv/one

# told VERB...: what sendensectl says, and its status.
told() { ctl "$@" 2>&1 | tr '\n' ' '; echo "= ${PIPESTATUS[0]}"; }

said=$(told get "$id" / --into=/srv/all)
like "$said" "Not all of it can be read: 2 left out.*, the first: /home: The file system /dev/sd[a-c] cannot be mounted: .*= 1" \
    "what cannot be mounted is left out of what is above it, and told"
is "$(hub cat /srv/all/etc/hello)" "hello" "all else has come"
JOB=$(hub sendensectl job list --json --limit=1 | jq -r '.[0].Id')
is "$(job .State)" "failed" "the job does not complete"
# shellcheck disable=SC2016 # expanded in the machine
journal=$(in_hub 'journalctl -o cat -u "sendense-files-*"')
like "$journal" "Left out: /srv: The guest mounts UUID=6d9a2a8e-[-0-9a-f]* there, which is damaged, or on no disk of the backup" \
    "nor is one forgotten that has lost its name"
unlike "$journal" "Left out: /media" "one that the guest does not mount by itself is not missed"
like "$(told get "$id" /home/1/f --into=/srv/one)" "no '/home/1/f' in what can be read of the backup, which is without /home: The file system /dev/sd[a-c] cannot" \
    "a path that is not there may be there"
like "$(told ls "$id" / /etc /home)" "/etc/hello.*: 1 left out.*: /home: .*= 1" "its place is not listed as an empty folder, and who lists what is above is not told"

# The only file system that is left is a system's root all the same.
# shellcheck disable=SC2016 # expanded in the machine
require "a guest of which the root alone is left" in_hub 'sed -i "/home/d" /srv/root/etc/fstab && mkfs.ext4 -q -d /srv/root /srv/src/half-2000.raw 64M &&
    truncate -s 16M /srv/src/half-2001.raw'
files_vm half 64 16
backup half --type=full
like "$(told ls half /srv)" "1 left out.*: /srv: The guest mounts UUID=.*= 1" "nor is there what only its fstab knows of"
unharmed "files"
done_testing
