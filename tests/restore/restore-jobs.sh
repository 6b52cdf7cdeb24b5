#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Restores as jobs on a booted machine: what comes back is what the source held, to each kind of target, for root and for others;
# and a restore that is cancelled, or whose hub, unit or machine dies, ends complete or leaves nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

fault_up
vm web 40 96:64
backup web --type=full
first=$(job .BackupId)
require "what it held is kept" hub sh -c 'mkdir /srv/kept/first && cp --sparse=always /srv/src/web-200?.raw /srv/kept/first'
change web
backup web
second=$(job .BackupId)
require "what it holds now is kept" hub sh -c 'mkdir /srv/kept/second && cp --sparse=always /srv/src/web-200?.raw /srv/kept/second'
hub install -d /srv/out

sum() { hub sha256sum "$1" | cut -d' ' -f1; }
declare -A was # DISK of MOMENT: what it held
for moment in first second; do
    for key in 2000 2001; do was[$key-$moment]=$(sum "/srv/kept/$moment/web-$key.raw"); done
done
require "their digests" test "${#was[2001-second]}" -eq 64
# restore ARGUMENT...: starts it and sets JOB; ANSWER is what was said.
restore() {
    ANSWER=$(hub sendensectl restore disk "$@" 2>&1)
    JOB=$(sed -nE 's/^job ([0-9]+)\..*/\1/p' <<<"$ANSWER")
    [ -n "$JOB" ] || diag "$ANSWER"
}
# Wherever a target here is. The whole machine is half a million files of the host's.
partials() { hub find /root /srv /tmp /var/lib/sendense -name '.*.sendense-*.partial' | wc -l; }

# Root, anywhere.
restore "$first" 2000 /srv/out/first.raw
is "$(wait_job)" completed "a disk of the first backup" || diag "$(job_error)"
is "$(sum /srv/out/first.raw)" "${was[2000-first]}" "is what it was then"
is "$(hub stat -c '%U %a' /srv/out/first.raw)" "root 640" "it belongs to root"
is "$(job '"\(.Type) \(.BackupId) \(.WorkResult | if type == "string" then fromjson else . end | "\(.layers) \(.n_damaged)")"')" \
    "restore $first 1 0" "the job has its result"
restore "$second" 2001 /srv/out/second.qcow2
is "$(wait_job)" completed "a disk of the second, as QCOW2" || diag "$(job_error)"
hub qemu-img convert -f qcow2 -O raw /srv/out/second.qcow2 /srv/out/second.raw
is "$(sum /srv/out/second.raw)" "${was[2001-second]}" "is what it was then"
for path in /root/disk.raw /tmp/disk.raw "/srv/out/a disk.raw"; do
    restore "$second" 2000 "$path"
    is "$(wait_job) $(sum "$path")" "completed ${was[2000-second]}" "$path" || diag "$(job_error)"
done
hub sendensectl restore disks "$second" /srv/out >/dev/null
is "$? $(sum "/srv/out/$second-2000.raw") $(sum "/srv/out/$second-2001.raw")" \
    "0 ${was[2000-second]} ${was[2001-second]}" "all disks of a backup"
# Of one that was cancelled there is nothing to restore, which is no success.
hold web
start web || fail "a backup that cannot go on" "$ANSWER"
cancelled=$(job .BackupId)
ok "is cancelled" hub sendensectl job cancel "$JOB"
is "$(wait_job)" cancelled "to its end"
release web
for as in '' --json; do
    # shellcheck disable=SC2086 # none or one word
    said=$(hub sendensectl $as restore disks "$cancelled" /srv/out 2>&1)
    is "$? $said" "1 sendensectl: $cancelled has no disk that could be restored: its job $JOB is cancelled" "nothing of it is restored, and that is said $as"
done
while read -r words; do
    # shellcheck disable=SC2086 # words
    said=$(hub sendensectl $words </dev/null 2>&1)
    is "$? ${said%. List *}" "1 sendensectl: the hub refuses: '$cancelled' is no backup yet: its job $JOB is cancelled" "$words: refused"
done <<TABLE
restore disk $cancelled 2000 /srv/out/x.raw
backup verify $cancelled
backup mount $cancelled
backup files ls $cancelled
TABLE
restore "$first" 2000 /srv/out/first.raw
is "$(wait_job)" failed "a file that is there stays"
like "$(job_error)" '^Exists: /srv/out/first.raw is there already' "the job says so"
restore "$second" 2000 /srv/out/first.raw --force
is "$(wait_job) $(sum /srv/out/first.raw)" "completed ${was[2000-second]}" "force replaces it" || diag "$(job_error)"
hub install -d /srv/small && hub mount -t tmpfs -o size=8M tmpfs /srv/small
restore "$first" 2000 /srv/small/disk.raw
is "$(wait_job)" failed "a file system without the room"
like "$(job_error)" '^TargetTooSmall: /srv/small/disk.raw: .*MiB are free' "the job says so"

# The folder of everybody: the hub's user writes there, whoever asks.
restore "$first" 2000 /var/lib/sendense/restore/mine.raw
is "$(wait_job) $(hub stat -c '%U %a' /var/lib/sendense/restore/mine.raw)" "completed sendense 640" "below the folder of the settings" || diag "$(job_error)"
hub ln -s /var/lib/sendense/repository /var/lib/sendense/restore/link
restore "$first" 2000 /var/lib/sendense/restore/link/escape.raw
is "$(wait_job)" failed "a link out of it leads to nothing that can be written"
is "$(hub find /var/lib/sendense/repository -name '*escape*' | wc -l)" 0 "nothing is there"

# Others: by their right, below that folder.
api() { # METHOD PATH TOKEN BODY: status and body
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'curl -s --max-time 60 -X "$1" -H "Authorization: Bearer $3" ${4:+--data-binary "$4"} -w "\n%{http_code}" "http://127.0.0.1:8082/api/v1/$2" |
        tac | paste -sd" "' "$@"
}
hub systemctl start sendense-hub-api.socket sendense-hub-api.service
fault_baseline
mine=$(hub sendensectl token create mine --role=inspect --role=restore)
look=$(hub sendensectl token create look --role=inspect)
body() { jq -nc --arg path "$1" '{disk_key: 2000, target: {kind: "file", $path}}'; }
like "$(api POST "backups/$first/restore" "$look" "$(body /var/lib/sendense/restore/x.raw)")" '^403 ' "who may look restores nothing"
answer=$(api POST "backups/$first/restore" "$mine" "$(body /var/lib/sendense/restore/http.raw)")
like "$answer" '^202 .*"job_id": ?[0-9]+' "who may restore gets a job over HTTP"
JOB=$(sed -nE 's/.*"job_id": ?([0-9]+).*/\1/p' <<<"$answer")
is "$(wait_job) $(sum /var/lib/sendense/restore/http.raw)" "completed ${was[2000-first]}" "and the disk"
like "$(api POST "backups/$first/restore" "$mine" "$(body /srv/out/http.raw)")" '^[0-9]+ .*below /var/lib/sendense/restore only' "nothing elsewhere"
like "$(api POST "backups/$first/restore" "$mine" '{"disk_key": 2000, "target": {"kind": "nbd", "uri": "nbd://127.0.0.1:10999/x"}}')" \
    '^403 .*hub.manage' "and no NBD server"
like "$(api POST "backups/$first/restore" "$mine" "$(body relative/path)")" '^400 .*absolute' "a path must be absolute"
like "$(api POST "backups/$first/restore" "$mine" '{"disk_key": "2000"}')" '^400 ' "a body must be what is described"

# An NBD server, by TCP.
hub truncate -s 40M /srv/nbd.raw
hub systemd-run -q --unit=target-nbd nbdkit -f -i 127.0.0.1 -p 10998 -e disk file /srv/nbd.raw
in_hub 'timeout 20 sh -c "until nbdinfo --size nbd://127.0.0.1:10998/disk 2>/dev/null; do sleep 0.05; done"' >/dev/null
restore "$second" 2000 nbd://127.0.0.1:10998/disk
is "$(wait_job) $(sum /srv/nbd.raw)" "completed ${was[2000-second]}" "to an NBD server" || diag "$(job_error)"

# Faults, in the middle of a restore that may use little of a processor.
slow() {
    hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-restore-.service.d/99-slow.conf <<<$'[Service]\nCPUQuota=2%'
    hub systemctl daemon-reload
}
fast() { hub rm -f /run/systemd/system/sendense-restore-.service.d/99-slow.conf && hub systemctl daemon-reload; }
in_the_middle() { # PATH
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $2)); until ls -d "${1%/*}/.${1##*/}".*.partial >/dev/null 2>&1; do
        [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1; sleep 0.05; done' "$1" "$patience_sec"
}
unharmed() { # WHAT
    ok "$1: nothing is left" nothing_left
    is "$(partials)" 0 "$1: nothing lies beside a target"
}
slow
restore "$second" 2001 /srv/out/cancelled.raw
ok "a restore works" in_the_middle /srv/out/cancelled.raw
like "$(hub sendensectl obligation list --json | jq -r '.[] | "\(.Kind) \(.Subject)"')" "target job $JOB: /srv/out/.cancelled.raw.sendense-$JOB.partial" "what it would leave is an obligation"
hub sendensectl job cancel "$JOB" >/dev/null
is "$(wait_job) $(hub test -e /srv/out/cancelled.raw && echo there)" "cancelled " "cancelled, there is no file"
unharmed "cancelled"

# What a job could not remove in its time, because its file system was away, say, a later look removes.
left=/srv/out/.cancelled.raw.sendense-$JOB.partial
require "something is left, and owed" in_hub 'install -d -m 700 "$1" && echo x >"$1/cancelled.raw" &&
    mariadb sendense -e "UPDATE obligations SET state = '"'open'"', done_usec = NULL WHERE kind = '"'target'"' AND job_id = $2"' "$left" "$JOB"
fast
# shellcheck disable=SC2016 # expanded in the machine
ok "it is removed" in_hub 'for i in $(seq "$2"); do sendensectl cleanup >/dev/null 2>&1; [ -e "$1" ] || exit 0; sleep 0.2; done; exit 1' "$left" "$((patience_sec * 5))"
ok "and not owed any more" in_hub 'for i in $(seq "$1"); do sendensectl cleanup >/dev/null 2>&1
    [ "$(sendensectl obligation list --json)" = "[]" ] && exit 0; sleep 0.2; done; sendensectl obligation list; exit 1' "$((patience_sec * 5))"
unharmed "left"

slow
restore "$second" 2001 /srv/out/killed.raw
ok "a restore works" in_the_middle /srv/out/killed.raw
invocation=$(unit "sendense-restore-$JOB.service" InvocationID)
hub systemctl kill -s KILL sendense-hub
hub_ready
is "$(unit "sendense-restore-$JOB.service" InvocationID)" "$invocation" "it did not notice that the hub died"
fast
is "$(wait_job) $(sum /srv/out/killed.raw)" "completed ${was[2001-second]}" "and it completes"
unharmed "hub killed"

slow
restore "$second" 2001 /srv/out/again.raw
ok "a restore works" in_the_middle /srv/out/again.raw
hub systemctl kill -s KILL "sendense-restore-$JOB.service"
fast
is "$(wait_job) $(sum /srv/out/again.raw)" "completed ${was[2001-second]}" "one that is killed is begun again" || diag "$(job_error)"
unharmed "unit killed"

# A device is asked whether it is empty, and holds a part of the disk then.
if [ -c /dev/loop-control ]; then
    require "a partition table on the disk" hub sfdisk -q /srv/src/web-2001.raw <<<'label: gpt'
    backup web
    # shellcheck disable=SC2016 # expanded in the machine
    device=$(in_hub 'truncate -s 96M /srv/device && losetup --show -f /srv/device')
    at_end 'hub losetup -d "$device"'
    slow
    restore "$(job .BackupId)" 2001 "$device"
    # shellcheck disable=SC2016
    ok "a restore to a device has begun" in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $2)); until blkid -p "$1" >/dev/null; do
        [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1; sleep 0.05; done' "$device" "$patience_sec"
    hub systemctl kill -s KILL "sendense-restore-$JOB.service"
    fast
    is "$(wait_job)" failed "one that is killed is not begun again"
    like "$(job_error)" "^TargetFailed: The restore was ended in the middle; $device may hold a part of the disk: restore again with --force" "and says what the device holds"
    unharmed "device, unit killed"
    device_backup=$(job .BackupId)
    slow
    restore "$device_backup" 2001 "$device" --force
    # shellcheck disable=SC2016
    ok "by force it is begun" in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $2))
        until [ "$(busctl get-property "$3" "$4" "$3.Job" Phase 2>&1)" = "s \"restoring the disk\"" ]; do
        [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1; sleep 0.05; done' "$device" "$patience_sec" "$HUB_NAME" "$HUB_PATH/job/$JOB"
    hub systemctl kill -s KILL "sendense-restore-$JOB.service"
    fast
    is "$(wait_job)" completed "one by force is begun again" || diag "$(job_error)"
    ok "and the device has the disk" hub cmp "$device" /srv/src/web-2001.raw

    # The file system of a target is not there: nothing is written into the folder below it, and nothing counts as undone.
    away() { hub umount /srv/nas; }
    there() { hub mount -o loop /srv/nas.img /srv/nas; }
    like "$(unit sendense-hub.service After)" 'remote-fs.target' "the hub waits for the file systems of other machines"
    hub install -d /srv/nas
    require "a file system of its own" in_hub 'truncate -s 300M /srv/nas.img && mkfs.ext4 -q -F /srv/nas.img'
    require "it is mounted" there
    slow
    restore "$second" 2001 /srv/nas/away.raw
    ok "a restore to it works" in_the_middle /srv/nas/away.raw
    hub systemctl stop sendense-hub
    # shellcheck disable=SC2016
    require "the restore is ended, as by a reboot" in_hub 'systemctl kill -s KILL "$1"; until systemctl is-failed -q "$1"; do sleep 0.05; done
        systemctl reset-failed "$1"' "sendense-restore-$JOB.service"
    fast
    require "its file system goes" away
    hub systemctl start sendense-hub
    hub_ready
    # shellcheck disable=SC2016
    ok "it is neither begun again nor undone" in_hub 'end=$((${EPOCHREALTIME%[.,]*} + $4))
        until [ "$(busctl get-property "$1" "$2" "$1.Job" Phase 2>&1)" = "s \"$3\"" ]; do
        [ "${EPOCHREALTIME%[.,]*}" -lt "$end" ] || exit 1; sleep 0.05; done' "$HUB_NAME" "$HUB_PATH/job/$JOB" "waits to be undone" "$patience_sec"
    like "$(job_error)" '^TargetFailed: /srv/nas/away.raw is not on the file system that it was on: /srv/nas .ext4. is not mounted; mount it again' "and says why"
    is "$(hub ls -A /srv/nas)" "" "nothing lies in the folder below"
    require "it comes back" there
    is "$(wait_job) $(hub ls -A /srv/nas)" "failed lost+found" "then it is undone" || diag "$(job .)"
    unharmed "target away"
    left=/srv/nas/.away.raw.sendense-$JOB.partial
    require "something is left, and owed" in_hub 'install -d -m 700 "$1" && echo x >"$1/away.raw" && umount /srv/nas &&
        mariadb sendense -e "UPDATE obligations SET state = '"'open'"', done_usec = NULL WHERE kind = '"'target'"' AND job_id = $2"' "$left" "$JOB"
    for _ in 1 2 3 4; do
        hub sendensectl cleanup >/dev/null 2>&1
        diag "$(hub sendensectl obligation list --json | jq -c '.[]')"
    done
    like "$(hub sendensectl obligation list --json | jq -c '.[]')" 'target.*mount it again' "it stays owed while the file system is away"
    require "it comes back" there
    # shellcheck disable=SC2016
    ok "then it is removed" in_hub 'for i in $(seq "$2"); do sendensectl cleanup >/dev/null 2>&1; [ -e "$1" ] || exit 0; sleep 0.2; done; exit 1' "$left" "$((patience_sec * 5))"
    # shellcheck disable=SC2016
    ok "and not owed any more" in_hub 'for i in $(seq "$1"); do sendensectl cleanup >/dev/null 2>&1
        [ "$(sendensectl obligation list --json)" = "[]" ] && exit 0; sleep 0.2; done; sendensectl obligation list; exit 1' "$((patience_sec * 5))"
    away
else
    diag "no loop devices here: restores to one are left out"
fi

slow
restore "$second" 2001 /srv/out/boot.raw
ok "a restore works" in_the_middle /srv/out/boot.raw
require "the machine crashes and comes back" lab crash hub
fault_sources_up
hub_ready
is "$(wait_job) $(sum /srv/out/boot.raw)" "completed ${was[2001-second]}" "after a crash of the machine it is begun again" || diag "$(job_error)"
ok "nothing is left" nothing_left_without descriptors
is "$(partials)" 0 "nothing lies beside a target"
done_testing
