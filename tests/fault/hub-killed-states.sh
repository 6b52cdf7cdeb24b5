#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed, and stopped and started by an administrator, in each state of a job: the job goes on to its end, and
# a copy in progress does not notice: the same copier and the same servers run on.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk $held_disk $held_disk
backup web --type=full

# disturb ACTION: returns when another hub works.
disturb() {
    local old
    old=$(unit sendense-hub MainPID)
    case $1 in
    # By its path: a shell would take its own.
    kill) hub /bin/kill -KILL "$old" ;;
    restart) hub systemctl restart sendense-hub ;;
    esac
    ok "$1: another hub is ready" eventually "$patience_sec" another_hub "$old"
}

# short_state STATE ACTION KIND [STEP]: in one that passes by itself, with that unit held.
short_state() {
    hold "${@:3}"
    start web || fail "$2 in $1: the backup starts" "$ANSWER"
    ok "$2 in $1: ${*:3} waits" eventually "$patience_sec" held "${@:3}"
    is "$(job_state)" "$1" "$2 in $1: the job is in that state"
    disturb "$2"
    release
}

# copying ACTION: in the middle of a copy that is held, so that there is something that could notice.
copying() {
    local before
    start_held web
    before=$(processes "$JOB")
    is "$(wc -l <<<"$before")" 4 "$1 in copying: a copier and three servers run"
    disturb "$1"
    ok "$1 in copying: it hears how far the copy is" copies
    is "$(processes "$JOB")" "$before" "$1 in copying: the copier and the servers are the same processes"
    is "$(job_state)" copying "$1 in copying: it still copies"
    is "$(hub sendensectl port list --json | jq -r '.[] | "\(.DiskKey) \(.ProcessId)"' | sort)" \
        "$(for key in 2000 2001 2002; do echo "$key $(unit "sendense-export-$JOB-$key.service" MainPID)"; done)" \
        "$1 in copying: and says which process serves which disk"
    rate web ""
}

for state in preparing exporting copying finishing; do
    for action in kill restart; do
        change web
        case $state in
        preparing) short_state preparing "$action" image create ;;
        exporting) short_state exporting "$action" export ;;
        copying) copying "$action" ;;
        finishing) short_state finishing "$action" image finish ;;
        esac
        is "$(wait_job)" completed "$action in $state: the job completes" || diag "$(job_error)"
        keep web
        unharmed "$action in $state"
    done
done
change web
backup web
is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "an incremental follows"
unharmed "all of it"

done_testing
