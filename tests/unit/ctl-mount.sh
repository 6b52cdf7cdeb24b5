#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl backup mount|umount and mount list: what the hub is asked, and what people are told to type next.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/ctl-peer.bash"

export TZ=UTC
ctl_bus_start
peer_with_answers

mounts='[{"Job": 7, "BackupId": "backup-web-1", "Vm": "web", "Principal": "uid:0", "Served": true, "Writable": false, "ExpiresUSec": 1763702276000000,
    "Disks": [{"Key": 2000, "CapacityBytes": 1024, "Uri": "nbd+unix:///7-2000?socket=/run/s/7-2000.sock", "Socket": "/run/s/7-2000.sock"},
              {"Key": 2001, "CapacityBytes": 2048, "Uri": "nbd+unix:///7-2001?socket=/run/s/7-2001.sock", "Socket": "/run/s/7-2001.sock"}]}]'
answer MountBackup o '"/com/sendense/Hub1/job/7"'
answer ListMounts 'aa{sv}' "$mounts"
answer UnmountBackup ''

run "backup mount" 0 backup mount backup-web-1
is "$(asked MountBackup)" 'sa{sv} STRING "backup-web-1"; ARRAY "{sv}" { }; ' "asks for all disks, and nothing more"
is "$(sed -n 1p <<<"$out")" "backup-web-1 is mounted read-only by job 7, until 2025-11-21 05:17:56." "it says how and until when"
like "$out" "^  nbd\+unix:///7-2001\?socket=/run/s/7-2001.sock\$" "where each disk is"
like "$out" "nbdcopy --progress 'nbd\+unix:///7-2000\?socket=/run/s/7-2000.sock' disk.raw" "what to do with it"
like "$out" "sendensectl backup umount 7" "and how it ends"
run "backup mount of two disks" 0 --json backup mount backup-web-1 2000 2001 --writable --expires=2h --tcp
for text in 'STRING "disks"; VARIANT "au" { ARRAY "u" { UINT32 2000; UINT32 2001; }; }' 'STRING "writable"; VARIANT "b" { BOOLEAN true; }' \
    'STRING "expires_sec"; VARIANT "t" { UINT64 7200; }' 'STRING "port"; VARIANT "b" { BOOLEAN true; }'; do
    ok "the hub gets $text" grep -qF -- "$text" <<<"$(asked MountBackup)" || diag "$(asked MountBackup)"
done
is "$(jq -c .Disks[1].Key <<<"$out")" 2001 "as JSON it is the mount"
for word in 0 x 2147483648; do
    run "backup mount of the disk $word" 64 backup mount backup-web-1 "$word"
    like "$err" "'$word' is no key of a disk" "which is none"
done
for word in 0s 31d x; do
    run "backup mount --expires=$word" 64 backup mount backup-web-1 "--expires=$word"
    like "$err" "from 1s to 30d" "is no time"
done
refuse MountBackup com.sendense.Error.NotFound "There is no backup 'x'"
run "backup mount of what is not there" 1 backup mount backup-x-1
like "$err" "There is no backup 'x'" "says so"

# As files, which systemd makes; on this bus there is none.
answer MountBackup o '"/com/sendense/Hub1/job/7"'
if [ "$EUID" -eq 0 ] && [ -x /usr/bin/nbdfuse ]; then
    mkdir "$TEST_TMP/at"
    run "backup mount --at of no folder" 64 backup mount backup-web-1 --at="$TEST_TMP/none"
    like "$err" "must be a folder that is there" "says so"
    run "backup mount --at without systemd" 1 backup mount backup-web-1 --at="$TEST_TMP/at"
    like "$err" "systemd does not make a file of disk $TEST_TMP/at/2000.raw" "says so"
    is "$(ls "$TEST_TMP/at")" "" "and leaves none"
    is "$(asked UnmountBackup)" 'ta{sv} UINT64 7; ARRAY "{sv}" { }; ' "nor the mount"
    touch "$TEST_TMP/at/2000.raw"
    run "backup mount --at over a file" 1 backup mount backup-web-1 --at="$TEST_TMP/at"
    like "$err" "Cannot make $TEST_TMP/at/2000.raw: File exists" "is none"
    is "$(ls "$TEST_TMP/at")" "2000.raw" "the file stays"
    # shellcheck disable=SC2016 # of the inner shell
    like "$(setpriv --reuid=65534 --clear-groups "$ctl" backup mount backup-web-1 --at=/tmp 2>&1)" '--at takes root' "nobody else may"
else
    skip "backup mount --at" "takes root and nbdfuse"
fi

run "mount list" 0 mount list
like "$out" "^ +7 +backup-web-1 +web +2000 2001 +read-only +yes +2025-11-21 05:17:56 +uid:0\$" "has a line for each"
run "mount list of a backup" 0 mount list backup-web-1
like "$(asked ListMounts)" 'STRING "backup"; VARIANT "s" { STRING "backup-web-1"; }' "asks for its own"

run "backup umount of a job" 0 backup umount 7
is "$(asked UnmountBackup)" 'ta{sv} UINT64 7; ARRAY "{sv}" { }; ' "ends it"
run "backup umount of a backup" 0 --json backup umount backup-web-1
is "$(jq -c . <<<"$out")" '{"Ended":[7]}' "ends all of it"
answer ListMounts 'aa{sv}' '[]'
run "backup umount of a backup that is not mounted" 1 backup umount backup-web-1
like "$err" "is not mounted" "says so"
run "mount list of nothing" 0 mount list
is "$out" "Nothing is mounted." "says so"

done_testing
