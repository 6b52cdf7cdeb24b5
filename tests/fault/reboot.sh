#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The machine is started anew, in order and by a power cut, in the middle of a copy and while a job finishes: the next
# boot ends the job, with what it says or as a whole backup; nothing is left, earlier backups read back, the next works.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/fault.bash"
. "$SENDENSE_SRC/tests/fault/disturb.bash"

fault_up
# shellcheck disable=SC2086,SC2154 # of disturb.bash
vm web $held_disk $held_disk $held_disk
backup web --type=full

# boot VERB: the machine goes and comes; what lives in /run only is made again.
boot() {
    require "$1 and back" lab "$1" hub
    fault_sources_up
    hub systemctl start source@web-2000.socket source@web-2001.socket source@web-2002.socket
    hub_ready
    rate web ""
}
after() { # WHAT
    ok "after $1 nothing is left" nothing_left_without descriptors
    keep web
    ok "after $1 the finished backups are what they were" backups_intact
    change web
    backup web
    is "$(job '[.Disks[].BackupType] | unique | join(" ")')" incremental "after $1 an incremental works"
    ok "and it and the others are what they were made of" backups_intact
}

for verb in reboot crash; do
    change web
    start_held web
    boot "$verb"
    is "$(wait_job)" failed "$verb in mid-copy: the job has failed"
    like "$(job_error)" '^Rebooted: .*started anew.*start the backup again' "and says why, and what to do"
    after "$verb in mid-copy"

    # While images are checked, and when only the commit is missing.
    for step in finish commit; do
        hold image "$step"
        change web
        start web || fail "a backup of web starts" "$ANSWER"
        ok "the step $step waits" eventually "$patience_sec" held image "$step"
        is "$(job_state)" finishing "the job is finishing"
        boot "$verb"
        is "$(wait_job)" completed "$verb in $step: the job completes" || diag "$(job_error)"
        after "$verb in $step"
    done
done
done_testing
