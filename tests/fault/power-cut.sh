#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The power of the machine and of the repository's disk, which loses what was not flushed, is cut in each step of a job:
# what has a commit record reads back as it was made, of what has none nothing is there when the hub has come back. The
# cuts between the steps inside of a commit are in tests/image/power-cut.sh. Jobs that waited behind the one that is hit are there
# afterwards, and run in their turn.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

for device in /dev/fuse /dev/loop-control; do
    [ -c "$device" ] || skip_all "there is no $device here"
done
[ -e "$SENDENSE_BUILD/tests/lib/lossy.so" ] || skip_all "the plugin was not built (package nbdkit-plugin-dev)"

# The disk is slow.
patience_sec=180
# One at a time, so that there is a queue.
fault_up '[Jobs]
Running=1'
hub install -d /opt/lossy /srv/lossy
lab copy-in hub "$SENDENSE_SRC/tests/lib/lossy-disk" /opt/lossy/lossy-disk
lab copy-in hub "$SENDENSE_BUILD/tests/lib/lossy.so" /opt/lossy/lossy.so
lossy() { hub env LOSSY_PLUGIN=/opt/lossy/lossy.so /opt/lossy/lossy-disk "$@"; }
require "a disk that loses things" lossy create /var/lib/lossy 1G
require "mounted" lossy mount /var/lib/lossy /srv/lossy
# The kernel looks at its devices on the way out of a killed machine, and waits for those behind FUSE.
at_end 'lossy destroy /var/lib/lossy'
repo=/srv/lossy/repository
hub install -d -o sendense -g sendense-export -m 2750 "$repo"
hub sync -f "$repo"
require "a repository on it" hub sendensectl repository add lossy "$repo"
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk $held_disk $held_disk
vm next 4
vm last 4
backup web --repository=lossy --type=full
# The hub waits for its disk, as the machine's fstab would have it.
hub systemctl disable -q sendense-hub

# cut: disk and machine lose their power and come back.
cut() {
    local name key sockets=()
    require "the disk's power is cut" lossy power-cut /var/lib/lossy
    require "and the machine's" lab crash hub
    require "the disk is there again" lossy mount /var/lib/lossy "${repo%/*}"
    fault_sources_up
    for name in "${!fault_keys[@]}"; do
        for key in ${fault_keys[$name]}; do sockets+=("source@$name-$key.socket"); done
    done
    hub systemctl start "${sockets[@]}"
    hub systemctl start sendense-hub
    rate web ""
    hub_ready
}
files_of() { hub find "$repo" -name "$1*"; }

# judge WHERE [STATE]: after a cut; the state is that of a job without a backup.
judge() {
    local backup state
    state=$(wait_job)
    backup=$(job .BackupId)
    diag "the power was cut in $1: the job is $state, $(job_error)"
    if hub test -e "$repo/$(uuid_of web)/backups/$backup.json"; then
        is "$state" completed "$1: there is a commit record, and the job is completed"
        keep web
    else
        is "$state" "${2:-failed}" "$1: there is no commit record, and the job is ${2:-failed}"
        is "$(files_of "$backup")" "" "$1: and no file of it is there"
    fi
    ok "$1: nothing is left" nothing_left_without descriptors
    ok "$1: every finished backup reads back as it was made" backups_intact
}

for step in prepare create finish commit; do
    hold image "$step"
    change web
    start web --repository=lossy || fail "a backup of web starts" "$ANSWER"
    ok "the step $step waits" eventually "$patience_sec" held image "$step"
    cut
    judge "$step"
done

hold export
change web
start web --repository=lossy || fail "a backup of web starts" "$ANSWER"
ok "the exports wait" eventually "$patience_sec" held export
cut
judge "the start of its exports"

change web
start_held web --repository=lossy
cut
judge "the copy"

# Behind it in the queue.
change web
start_held web --repository=lossy
hit=$JOB
start next --repository=lossy || fail "a backup of next is taken" "$ANSWER"
next=$JOB
start last || fail "a backup of last is taken" "$ANSWER"
last=$JOB
is "$(job_state "$next") $(job_state "$last")" "queued queued" "two jobs wait behind it"
cut
is "$(wait_job "$next") $(wait_job "$last")" "completed completed" "after the cut both run, and complete"
ok "in their order, one at a time" test "$(job .FinishedUSec "$next")" -le "$(job .StartedUSec "$last")"
is "$(job '[.Events[] | select(.To == "preparing")] | length' "$next")" 1 "and have begun once"
keep next "$next"
keep last "$last"
JOB=$hit
judge "the copy, with a queue behind it"

# Being undone, and just undone: what was removed may not come back unowned.
change web
start_held web --repository=lossy
hold image undo
ok "it is cancelled" hub sendensectl job cancel "$JOB"
ok "its undoing waits" eventually "$patience_sec" held image undo
cut
judge "its undoing" cancelled
change web
start_held web --repository=lossy
ok "it is cancelled" hub sendensectl job cancel "$JOB"
is "$(wait_job)" cancelled "and undone"
cut
judge "the moment after its undoing" cancelled

# What is called completed has survived every cut that comes after.
change web
backup web --repository=lossy
cut
is "$(job_state)" completed "what was completed is so after a cut"
judge "no job"
change web
backup web --repository=lossy
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "an incremental follows"
ok "every finished backup reads back as it was made" backups_intact
done_testing
