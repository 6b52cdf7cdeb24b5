#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A backup mounted on a booted machine: what it reads is what was backed up, a user gets a socket of his own, what is written is
# thrown away, and a mount ends by hand, by its time, by a death and by a reboot, but not by that of the hub.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm twins 16 8
backup twins --type=full
first=$(job .BackupId)
change twins
backup twins
second=$(job .BackupId)
before=$(in_hub 'cd "$1" && find . -name "*.qcow2" -exec sha256sum {} +' "$fault_repo")

# mount_it BACKUP [OPTION...]: sets MOUNT, its job, and MOUNTED, what was printed.
mount_it() {
    MOUNTED=$(hub sendensectl --json backup mount "$@" 2>"$TEST_TMP/mount.err")
    MOUNT=$(jq -r .Job <<<"$MOUNTED")
    [ -n "$MOUNT" ] || diag "$(cat "$TEST_TMP/mount.err")"
}
uri() { jq -r ".Disks[] | select(.Key == $1).Uri" <<<"$MOUNTED"; }
# same BACKUP KEY: the mounted disk is what the backup was made of.
same() { hub qemu-img compare -q -f raw -F raw "/srv/kept/$1-$2.raw" "$(uri "$2")"; }
mounts() { hub sendensectl --json mount list | jq -r '[.[].Job] | sort | map(tostring) | join(" ")'; }
result() { job '.WorkResult | fromjson.reason' "$1"; }

# Two restore points at once.
mount_it "$first"
old=$MOUNT
ok "a disk of the first backup is what it was made of" same "$first" 2000
ok "and the other" same "$first" 2001
mount_it "$second" 2000
is "$(jq -c '[.Disks[].Key]' <<<"$MOUNTED")" '[2000]' "one disk alone is mounted"
ok "and is what it was made of" same "$second" 2000
is "$(mounts)" "$old $MOUNT" "both are listed"
is "$(job .State "$old") $(job .Type "$old")" "copying mount" "a mount is a job"
like "$(busctl_phase=$(hub busctl get-property "$HUB_NAME" "$HUB_PATH/job/$old" "$HUB_NAME.Job" Phase) && echo "$busctl_phase")" 'mounted until 20' "which says until when"
not_ok "it cannot be written" hub qemu-io -f raw -c 'write 0 64k' "$(uri 2000)"
like "$(hub sendensectl backup mount "$second" 9999 2>&1)" 'no such disk' "a disk that the backup has not is refused"
like "$(hub sendensectl backup mount backup-none-1 2>&1)" 'no backup' "and so is a backup that is not there"
like "$(hub sendensectl backup delete "$first" 2>&1)" "Job ($old|$MOUNT) \\(mount\\) of this VM is copying" "nothing of its chain is deleted"
start twins || fail "a backup beside its mounts starts" "$ANSWER"
finish_backup twins

# The hub dies and comes back: who reads does not notice.
hub systemctl kill -s KILL sendense-hub.service
ok "it serves while the hub is dead" same "$second" 2000
hub_ready
taken_up() { [ "$(mounts)" = "$old $MOUNT" ]; }
ok "the hub takes it up" eventually "$patience_sec" taken_up
ok "and it still serves" same "$second" 2000
ok "it is ended" hub sendensectl backup umount "$MOUNT"
is "$(job .State "$MOUNT"): $(result "$MOUNT")" "completed: ended by uid:0" "its job is completed, and says why"
not_ok "its socket is gone" hub test -e "/run/sendense/mounts/$MOUNT-2000.sock"
like "$(hub sendensectl backup umount "$MOUNT" 2>&1)" 'no mount' "there is nothing to end any more"
ok "all mounts of a backup are ended by its id" hub sendensectl backup umount "$first"
is "$(mounts)" "" "none is left"
unharmed "two mounts"

# As files of a folder, for as long as the mount is there.
at() { mount_it "$second" --at=/srv/at "$@"; }
file_units() { hub systemctl list-units --all --plain --no-legend 'sendense-file-*'; }
no_files() { [ -z "$(hub ls /srv/at)$(file_units)" ]; }
hub mkdir /srv/at
at
is "$(hub ls /srv/at | paste -sd' ')" "2000.raw 2001.raw" "a mount has files"
diag "$(hub ls -l /srv/at)" "$(file_units)"
for key in 2000 2001; do
    # shellcheck disable=SC2016 # expanded in the machine
    ok "file $key is the disk" in_hub 'cmp "/srv/at/$1.raw" "/srv/kept/$2-$1.raw"' "$key" "$second"
done
not_ok "it cannot be written" in_hub 'dd if=/dev/zero of=/srv/at/2000.raw bs=4096 count=1 conv=notrunc 2>/dev/null'
hub systemctl kill -s KILL sendense-hub.service
ok "the hub dies, and it can be read" in_hub 'cat /srv/at/2001.raw >/dev/null'
hub_ready
ok "it is ended" eventually "$patience_sec" hub sendensectl backup umount "$MOUNT"
ok "and so are the files" eventually "$patience_sec" no_files || diag "$(file_units)" "$(hub ls -la /srv/at)"
at --expires=3s
ok "one for a short time" test -n "$MOUNT"
ok "ends by itself" eventually "$patience_sec" no_files
at
ok "one whose server dies" test -n "$MOUNT"
hub systemctl kill -s KILL "sendense-mount-$MOUNT-2000.service"
gone_2000() { hub test ! -e /srv/at/2000.raw; }
ok "loses that file" eventually "$patience_sec" gone_2000
ok "and no more" hub test -s /srv/at/2001.raw
ok "it is ended" hub sendensectl backup umount "$MOUNT"
hub chmod 777 /srv/at
like "$(hub sendensectl backup mount "$second" --at=/srv/at 2>&1)" "must be root's" "where others may write none is made"
hub chmod 755 /srv/at
hub touch /srv/at/2001.raw
like "$(hub sendensectl backup mount "$second" --at=/srv/at 2>&1)" '/srv/at/2001.raw: File exists' "over a file that is there none is made"
is "$(hub ls /srv/at)$(mounts)" "2001.raw" "and nothing is mounted"
hub rm -r /srv/at
unharmed "files of a mount"

# Writable.
mount_it "$second" --writable
ok "a writable mount is written" hub qemu-io -f raw -c 'write -P 9 0 4M' -c flush "$(uri 2000)"
ok "and read by others" hub qemu-io -f raw -r -c 'read -P 9 0 4M' "$(uri 2000)"
# As many clients as a server takes: the hub that comes back finds no place.
for n in {1..10}; do
    # shellcheck disable=SC2016 # expanded in the machine
    hub systemd-run --quiet --collect --unit="client-$n" sh -c 'tail -f /dev/null | qemu-io -f raw -r "$1"' _ "$(uri 2000)"
done
n_clients() { in_hub 'ss -Hx state established | grep -c "/run/sendense/mounts/$1-2000.sock"' "$MOUNT"; }
all_places() { [ "$(n_clients)" -ge 10 ]; }
ok "ten clients take all its places" eventually "$patience_sec" all_places || diag "$(n_clients)"
hub systemctl kill -s KILL sendense-hub.service
hub_ready
taken_up() { [ "$(hub sendensectl --json mount list | jq -c '[.[] | [.Job, .Served]]')" = "[[$MOUNT,true]]" ]; }
ok "a hub that was killed takes it up" eventually "$patience_sec" taken_up || diag "$(job_error "$MOUNT")"
hub systemctl stop client-{1..10}.service
ok "with what was written" hub qemu-io -f raw -r -c 'read -P 9 0 4M' "$(uri 2000)"
hub systemctl kill -s KILL "sendense-mount-$MOUNT-2000.service"
failed_mount() { [ "$(job_state "$MOUNT")" = failed ]; }
ok "when its server dies it has failed" eventually "$patience_sec" failed_mount
like "$(job_error "$MOUNT")" '^ExportFailed: Disk 2000: .*what was written into it is gone' "and says what was lost"
mount_it "$second" --writable
ok "the next one is the backup again" same "$second" 2000
hub qemu-io -f raw -c 'write -P 9 0 4M' "$(uri 2000)" >/dev/null
ok "it is cancelled" hub sendensectl job cancel "$MOUNT" --wait
is "$(in_hub 'cd "$1" && find . -name "*.qcow2" -exec sha256sum {} +' "$fault_repo" | grep -cFf <(echo "$before"))" 4 "no layer has changed"
unharmed "writable mounts"

# While it is being made: its server is held up before it starts.
hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-mount-.service.d/90-gate.conf <<'X'
[Service]
ExecStartPre=/bin/sh -c "while [ ! -e /srv/gate ]; do sleep 0.05; done"
X
hub systemctl daemon-reload
hub systemd-run --quiet --unit=caller --service-type=exec sendensectl backup mount "$second"
making() { [ "$(hub sendensectl --json mount list | jq -r '.[0] | "\(.Served)"')" = false ]; }
ok "one is being made" eventually "$patience_sec" making
MOUNT=$(mounts)
like "$(hub sendensectl backup umount "$MOUNT" 2>&1)" 'just being mounted' "it cannot be ended yet"
like "$(hub sendensectl backup umount "$MOUNT" 2>&1)" 'just being mounted' "however often it is tried"
hub touch /srv/gate
served() { [ "$(hub sendensectl --json mount list | jq -r '.[0].Served')" = true ]; }
ok "it is made" eventually "$patience_sec" served
hub rm /srv/gate
ok "and ended" hub sendensectl backup umount "$MOUNT"
hub systemd-run --quiet --unit=caller2 --service-type=exec sendensectl backup mount "$second"
ok "another is being made" eventually "$patience_sec" making
ok "and cancelled" hub sendensectl job cancel "$(mounts)" --wait
hub rm /run/systemd/system/sendense-mount-.service.d/90-gate.conf
hub systemctl daemon-reload
unharmed "mounts that were being made"

# Its time.
mount_it "$first" --expires=1s
expired() { [ "$(job_state "$MOUNT")" = completed ]; }
ok "a mount ends by itself" eventually "$patience_sec" expired
is "$(result "$MOUNT")" "its time is over" "and says why"
unharmed "a mount's time"
mount_it "$first" 2000 --expires=4s
late=$(uri 2000)
hub systemctl stop sendense-hub.service
nobody_serves() { ! hub systemctl --quiet is-active "sendense-mount-$MOUNT-2000.service"; }
ok "systemd ends one that a stopped hub does not end" eventually "$patience_sec" nobody_serves
not_ok "who connects later is not served" hub timeout 10 nbdinfo --size "$late"
not_ok "nor is anything started for him" hub systemctl --quiet is-active "sendense-mount-$MOUNT-2000.service"
hub systemctl start sendense-hub.service
hub_ready
ok "the hub that comes back writes it down" eventually "$patience_sec" expired
is "$(result "$MOUNT")" "its time is over" "as what it is"
fault_baseline
unharmed "a mount that nobody ended in time"

# A user of the machine, who may: his socket, not another's.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'useradd --no-create-home alice; useradd --no-create-home mallory
    cat >/etc/polkit-1/rules.d/50-alice.rules <<<"polkit.addRule(function(action, subject) {
        if (subject.user == \"alice\" && /^com.sendense.hub.(restore|inspect)\$/.test(action.id)) return polkit.Result.YES;
    });"; systemctl restart polkit'
as() { hub setpriv --reuid "$1" --regid "$1" --init-groups "${@:2}"; }
MOUNTED=$(as alice sendensectl --json backup mount "$first" 2000 2>"$TEST_TMP/mount.err") || diag "$(cat "$TEST_TMP/mount.err")"
MOUNT=$(jq -r .Job <<<"$MOUNTED")
is "$(as alice nbdinfo --size "$(uri 2000)")" 16777216 "a user who may restore reads his mount"
not_ok "somebody else does not" as mallory nbdinfo --size "$(uri 2000)"
not_ok "nor may he mount" as mallory sendensectl backup mount "$first"
like "$(as alice sendensectl backup mount "$first" --tcp 2>&1)" 'com.sendense.hub.manage|not allowed|denied|authentication' "a port takes the right to manage"
ok "he ends it" as alice sendensectl backup umount "$MOUNT"

# On ports.
mount_it "$first" --tcp
like "$(uri 2000)" '^nbd://127.0.0.1:101[0-9][0-9]/' "ports of the exports' range are taken"
ok "and serve" same "$first" 2001
ok "it is ended" hub sendensectl backup umount "$MOUNT"

# Its layers cannot be read.
layer=$fault_repo/$(job '.Disks[] | select(.Key == 2000).File' 1)
hub mv "$layer" "$layer.away"
like "$(hub sendensectl backup mount "$second" 2>&1)" '2000: .*No such file' "a layer that is missing is named"
hub mv "$layer.away" "$layer"
unharmed "mounts of users, on ports, and one that failed"

# A reboot.
mount_it "$second"
require "the machine starts anew" lab reboot hub
hub_ready
ok "a mount ends with the machine" eventually "$patience_sec" expired
is "$(result "$MOUNT")" "the machine was started anew" "and says why"
fault_baseline
unharmed "a reboot"

# By HTTP.
hub systemctl start sendense-hub-api.socket
token=$(hub sendensectl token create back --role=inspect --role=restore)
api() { # METHOD PATH [BODY]: status and body
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -s --max-time 60 -X "$1" -H "Authorization: Bearer $3" ${4:+-d "$4"} -w "\n%{http_code}" "http://127.0.0.1:8082/api/v1/$2" | tac | paste -sd" "' "$1" "$2" "$token" "${3:-}"
}
answer=$(api POST "backups/$second/mount" '{"disks": [2000], "writable": true, "expires_sec": 600}')
is "${answer%% *}" 201 "a mount is made by HTTP" || diag "$answer"
MOUNTED=$(cut -d' ' -f2- <<<"$answer" | jq -c '{Disks: [.disks[] | {Key: .key, Uri: .uri}]}')
MOUNT=$(cut -d' ' -f2- <<<"$answer" | jq .job)
ok "and is the disk" same "$second" 2000
is "$(cut -d' ' -f2- <<<"$answer" | jq -c '[.backup_id, .writable, (.disks | length)]')" "[\"$second\",true,1]" "as it was asked for"
is "$(api GET "mounts?backup=$second" | cut -d' ' -f2- | jq -c '[.mounts[].job]')" "[$MOUNT]" "the list has it"
is "$(api GET "mounts?backup=$first" | cut -d' ' -f2- | jq -c '.mounts')" "[]" "and not another backup's"
is "$(api DELETE "mounts/$MOUNT")" '200 {"status":"completed"}' "it is ended"
is "$(mounts)" "" "and nothing is mounted"

# A user is asked for his right to cancel what a number stands for: one of a job that is not there yet is worth nothing when that has
# begun and is of a kind that needs another.
hub useradd --no-create-home -u 4242 tester
hub install -m 644 /dev/stdin /etc/polkit-1/rules.d/10-test.rules <<'X'
polkit.addRule(function(action, subject) {
    if (subject.user == "tester" && action.id == "com.sendense.hub.backup")
        return polkit.Result.YES;
});
X
hub systemctl restart polkit
hub sendensectl log-level debug
next=$(($(hub sendensectl --json job list --limit=1 | jq '.[0].Id') + 1))
asked() { hub journalctl --quiet --sync && lab journal hub --quiet -o cat -u sendense-hub | grep -q 'Asking polkit whether uid:4242 may'; }
require "polkit thinks" hub systemctl kill -s STOP polkit.service
in_hub 'exec setpriv --reuid 4242 --regid 4242 --clear-groups busctl call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager CancelJob "ta{sv}" "$1" 0' "$next" >"$TEST_TMP/cancel" 2>&1 &
canceller=$!
ok "somebody who may cancel backups cancels the next job" eventually "$patience_sec" asked
in_hub 'exec sendensectl --json backup mount "$1"' "$first" >"$TEST_TMP/mounted" 2>&1 &
mounter=$!
ok "which is a mount" eventually "$patience_sec" hub sendensectl job show "$next"
hub systemctl kill -s CONT polkit.service
wait "$canceller"
like "$(<"$TEST_TMP/cancel")" "Job $next has only just begun" "his right is that for another kind of job"
wait "$mounter"
is "$?" 0 "and the mount is there" || diag "$(<"$TEST_TMP/mounted")"
is "$(mounts)" "$next" "still"
ok "until it is ended" hub sendensectl backup umount "$first"
done_testing
