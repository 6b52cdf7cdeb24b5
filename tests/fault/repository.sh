#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Repositories that are not as they should be: away, another's, read-only, full at every moment. A job ends by saying
# what is wrong with which and how to mend it; what it owes there is undone once that is done.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"

# disk_of NAME MIB: a file system for a repository, mounted at /srv/NAME.
disk_of() {
    # shellcheck disable=SC2016 # expanded in the machine
    require "a disk for the repository $1" in_hub '
        truncate -s "$2M" "/srv/$1.img" && mkfs.ext4 -q -m 0 "/srv/$1.img" && mkdir "/srv/$1" &&
        mount -o loop "/srv/$1.img" "/srv/$1" &&
        install -d -o sendense -g sendense-export -m 2750 "/srv/$1"' "$1" "$2"
}

# leave KIB: so much is free on the disk of second, and no more.
leave() {
    # shellcheck disable=SC2016 # expanded in the machine
    require "$1 KiB are left" in_hub '
        free=$(($(stat -f -c "%a * %S / 1024" /srv/second)))
        fallocate -l "$((free - $1))K" /srv/second/filler
        free=$(($(stat -f -c "%a * %S / 1024" /srv/second)))
        [ "$free" -le "$(($1 + 64))" ]' "$1"
}

# broken WHAT BREAK MEND REGEX [UNDO]: a backup while that is done to it, and after it was mended.
broken() {
    in_hub "$2"
    start small --repository=second
    failed "$1" "$4"
    ok "$1: at once the hub says that something is owed" wait_prop 5 Obligations 'u 1'
    in_hub "$3"
    "${5:-by_hand}" "$1"
    ok "$1: and says that nothing is" wait_prop "$patience_sec" Obligations 'u 0'
    unharmed "$1"
}
by_hand() {
    is "$(hub sendensectl cleanup | sed -E 's/backup-small-[0-9]+(-[0-9]+)?/ID/')" "Files of ID were removed from /srv/second" "$1: mended, what is owed is undone"
}
due() { hub mariadb sendense -e "UPDATE obligations SET next_attempt_usec = $1 WHERE state = 'open'"; }
# Nobody asks for it.
by_timer() { due 0; }
by_start() {
    due $((${EPOCHREALTIME/[.,]/} + 3600000000))
    ok "$1: mended, the hub is started anew" hub systemctl restart sendense-hub
}
# looks WHAT REGEX: the same is said by those who look.
looks() {
    like "$(hub sendensectl repository check second 2>&1)" "$2" "$1: a check says so"
    like "$(hub sendensectl repository list)" "$2" "$1: and from then on the list"
}

fault_up '[Repositories]
FirstFullPercent=0'
vm small 8 4
vm fresh 8 4
backup small
disk_of second 128
require "a second repository is added" hub sendensectl repository add second /srv/second
backup small --repository=second

broken "its disk is not mounted" 'umount /srv/second' 'mount -o loop /srv/second.img /srv/second' \
    '^RepositoryMissing: Repository second: /srv/second has no sendense-repository\.json; mount the disk' by_timer
broken "its folder is gone" 'umount /srv/second; rmdir /srv/second' \
    'mkdir /srv/second; mount -o loop /srv/second.img /srv/second' \
    '^RepositoryMissing: Repository second: /srv/second is not there; mount its disk, or make a new one: install -d' by_start
broken "another user's" 'chown root /srv/second' 'chown sendense /srv/second' \
    '^RepositoryPermissions: Repository second: /srv/second belongs to uid 0 .*install -d -o sendense -g sendense-export -m 2750 /srv/second'
broken "another group's" 'chgrp root /srv/second' 'chgrp sendense-export /srv/second' \
    '^RepositoryPermissions: Repository second: /srv/second has group 0, .*chgrp sendense-export /srv/second'
broken "of another mode" 'chmod 755 /srv/second' 'chmod 2750 /srv/second' \
    '^RepositoryPermissions: Repository second: /srv/second has mode 2?755, must have 2750; chmod 2750 /srv/second'
broken "read-only" 'mount -o remount,ro /srv/second' 'mount -o remount,rw /srv/second' \
    '^RepositoryReadOnly: Repository second: /srv/second.*remount,rw'

# Full.
leave 512
start small --repository=second
failed "full before the backup" '^RepositoryFull: Repository second: /srv/second has 0 MiB free, and \[Repositories\] MinFree= wants 1; free space'
hub rm /srv/second/filler
unharmed "full before the backup"
leave 12000
start fresh --repository=second
failed "full in the middle of the copy" '^RepositoryFull: Repository second, /srv/second, is full: disk 200[01]: .*; free space'
hub rm /srv/second/filler
unharmed "full in the middle of the copy"
settings '[Repositories]
MinFree=0
FirstFullPercent=0'
for folder in "" /2000 /2001; do
    hub install -d -o sendense -g sendense-export -m 2750 "/srv/second/$(uuid_of fresh)$folder"
done
leave 4
start fresh --repository=second
failed "full when the images are made" '^RepositoryFull: Disk 200[01]: the image cannot be made: /srv/second/.*free space'
hub rm /srv/second/filler
unharmed "full when the images are made"

# Room for one, and two want it.
settings '[Repositories]
MinFree=0
FirstFullPercent=100
[Jobs]
Running=2'
vm one 16:2
vm two 16:2
vm three 4
leave 24000
hold one
start one --repository=second || fail "a backup starts" "$ANSWER"
ok "a backup has found room, and copies" wait_state copying
first=$JOB
start two --repository=second
second=$JOB
waits() { [ "$(hub busctl get-property com.sendense.Hub1 "/com/sendense/Hub1/job/$second" com.sendense.Hub1.Job Phase)" = 's "waits: running backups may need the room in its repository"' ]; }
ok "another one that wants the same room waits for it" eventually 30 waits || diag "$(hub sendensectl job show "$second")"
ok "and says why" in_hub "journalctl --sync; journalctl -q SENDENSE_JOB=$second | grep -qE '/srv/second has [12][0-9] MiB free beside .*MinFree=, of which backups that run are expected to take 1[0-6], and this one is expected to take 16; free space'"
backup three
is "$(job_state "$first") $(job_state "$second")" "copying preparing" "it holds up nobody: one that finds room elsewhere has run in its place"
release one
JOB=$first
finish_backup one
JOB=$second
finish_backup two
hub rm /srv/second/filler
unharmed "room for one"

# Another one's disk.
disk_of third 16
require "a third repository is added" hub sendensectl repository add third /srv/third
broken "another repository's disk" 'umount /srv/second /srv/third; mount -o loop /srv/third.img /srv/second' \
    'umount /srv/second; mount -o loop /srv/second.img /srv/second; mount -o loop /srv/third.img /srv/third' \
    '^RepositoryMissing: Repository second: another repository is mounted at /srv/second: it is [0-9a-f-]{36} and should be [0-9a-f-]{36}; mount the right disk'
hub umount /srv/second
looks "its disk is not mounted" 'no sendense-repository\.json; mount the disk'
hub mount -o loop /srv/second.img /srv/second
ok "with it mounted the check is content" hub sendensectl repository check second

# What may be added, and removed.
refused() { # WHAT REGEX VERB ARG...
    local answer
    answer=$(hub sendensectl repository "${@:3}" 2>&1) && fail "$1 is refused" "$answer"
    like "$answer" "$2" "$1 is refused, and it says why"
}
hub install -d -m 755 /srv/wrong
hub install -d -o sendense -g sendense-export -m 2750 /srv/used /srv/mirror
hub touch /srv/used/file
before=$(hub sendensectl repository list --json | jq -c '[.[] | [.Id, .Name, .Path]]')
refused "a folder that is not there" '/srv/none is not there; .*install -d -o sendense' add none /srv/none
refused "a folder of somebody else" '/srv/wrong belongs to uid 0 ' add wrong /srv/wrong
refused "a folder with other things in it" '/srv/used is not empty and has no ' add used /srv/used
refused "a name that is taken" 'second' add second /srv/mirror
refused "a path that is taken" '/srv/second' add again /srv/second
hub mount --bind /srv/second /srv/mirror
refused "a repository by another path" 'this folder is the same one, or a copy of it' add mirror /srv/mirror
hub umount /srv/mirror
refused "a relative path" 'absolute' add relative srv/second
is "$(hub sendensectl repository list --json | jq -c '[.[] | [.Id, .Name, .Path]]')" "$before" "none of them is in the list"
refused "the removal of one that holds backups" '3 backups' remove second
ok "one that nobody used can be removed" hub sendensectl repository remove third
ok "its folder stays" hub test -e /srv/third/sendense-repository.json

# The catalog from the files alone.
change small
backup small
change small
backup small --repository=second
hub install -o sendense -g sendense-export -m 660 /dev/null "/srv/second/$(uuid_of small)/2000/backup-small-1.qcow2"
# Numbers of rows are new; when a backup was finished is now when its record was written, some moments before.
catalog() {
    hub sendensectl backup list --json | jq -S '[.[] | del(.Job, .FinishedUSec)] | sort_by(.BackupId)'
    hub sendensectl vm list --json | jq -S '[.[] | select(.Name != "fresh") | del(.Id, .CreatedUSec, .LastBackupUSec)] | sort_by(.Name)'
    hub sendensectl vm show small --json | jq -S '[.Disks[] | del(.Id)]'
}
before=$(catalog)
is "$(jq -s '.[0] | length' <<<"$before")" 7 "there are seven backups"
hub systemctl stop sendense-hub
hub mariadb -e 'DROP DATABASE sendense'
require "a new database" hub systemctl restart sendense-migrate
hub systemctl start sendense-hub
hub_ready
is "$(hub sendensectl backup list --json | jq length)" 0 "it knows no backup"
ok "the second repository is added again" hub sendensectl repository add second /srv/second
for name in 1 second; do
    answer=$(hub sendensectl repository scan "$name" 2>&1)
    like "$answer" "Added: $([ "$name" = 1 ] && echo 3 || echo 4)" "repository $name is scanned"
    diag "$answer"
done
like "$answer" "^STRAY .*/2000/backup-small-1\\.qcow2" "a file without a record is told"
unlike "$answer" '^PROBLEM' "and there is no problem"
hub rm "/srv/second/$(uuid_of small)/2000/backup-small-1.qcow2"
is "$(catalog)" "$before" "the catalog is what it was"
unharmed "a scan"
answer=$(catalog)
ok "a second scan" hub sendensectl repository scan second
is "$(catalog)" "$answer" "changes nothing"
for name in 1 second; do
    change small
    backup small --repository="$name"
    is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "in repository $name the chain goes on"
done
unharmed "backups after a scan"

# A path as long as one may be.
# shellcheck disable=SC2016 # expanded in the machine
far=$(in_hub 'path=/srv/$(printf "%0240d" 1)/$(printf "%0240d" 2) && mkdir -p "${path%/*}" &&
    install -d -o sendense -g sendense-export -m 2750 "$path" && echo "$path"')
ok "a repository with a long path is added" hub sendensectl repository add far "$far"
backup small --repository=far --type=full
is "$(hub mariadb --skip-column-names --batch sendense -e "SELECT COUNT(*), MAX(LENGTH(subject)) < 513 FROM obligations
    WHERE job_id = $JOB AND subject LIKE '/srv/000%...%$(job .BackupId).qcow2'")" $'1\t1' "what it owed was written down first"
unharmed "a long path"

done_testing
