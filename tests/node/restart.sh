#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The node is killed, restarted and rebooted in each state of a job. A restart disturbs nothing: the same copy goes on, and
# no login is asked for again. After a reboot the job is over, and its snapshot goes when a login is offered.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up
vcenter_up -empty
vm_new 16M:fill=12M,8M:nvme:fill=4M

pid_of() { node systemctl show --value -p MainPID "$1"; }
another_node() { [ "$(pid_of sendense-node)" != 0 ] && [ "$(pid_of sendense-node)" != "$1" ] && node busctl status com.sendense.Node1 >/dev/null; }
disturb() { # kill|restart
    local old
    old=$(pid_of sendense-node)
    case $1 in
    kill) node /bin/kill -KILL "$old" ;;
    restart) node systemctl restart sendense-node ;;
    esac
    ok "$1: another node is ready" eventually "$patience_sec" another_node "$old"
}
delays_shutdown() { node systemd-inhibit --list --no-legend | grep -q 'Sendense Node'; }
held() { [ "$(simctl tasks | jq length)" -gt 0 ]; }
let_go() {
    simctl faults clear >/dev/null
    simctl tasks finish >/dev/null
}

for action in kill restart; do
    targets_up "$action"
    # The snapshot takes its time.
    simctl fault slow-task method=CreateSnapshot_Task hold=1 count=0 >/dev/null
    # And the look at the VM before it.
    simctl fault delay method=Login ms=8000 >/dev/null
    backup full
    looking() { [ "$(pid_of "sendense-vsphere-$job-look")" != 0 ]; }
    ok "$action: the VM is looked at" eventually "$patience_sec" looking
    disturb "$action"
    ok "$action in accepted: a snapshot is being made" eventually "$patience_sec" held
    disturb "$action"
    is "$(task .state)" snapshotting "$action in snapshotting: it still is"
    ok "$action in snapshotting: a shutdown would be put off" eventually "$patience_sec" delays_shutdown
    let_go
    # So does the copy.
    simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
    ok "$action in snapshotting: the copy begins" eventually "$patience_sec" state_is copying || diag "$(task .)"
    copying() { [ "$(pid_of "sendense-copy-$job")" != 0 ]; }
    ok "$action: a copy runs" eventually "$patience_sec" copying
    before=$(pid_of "sendense-copy-$job")
    disturb "$action"
    is "$(pid_of "sendense-copy-$job")" "$before" "$action in copying: the same process copies"
    simctl faults clear >/dev/null
    ok "$action in copying: it is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
    disturb "$action"
    is "$(task .state)" copied "$action in copied: the snapshot is held"
    is "$(simctl snapshots | jq length)" 1 "$action in copied: it is there"
    targets_down
    same "$action"
    simctl fault slow-task method=RemoveSnapshot_Task hold=1 count=0 >/dev/null
    release committed >/dev/null
    ok "$action: the snapshot is being removed" eventually "$patience_sec" held
    disturb "$action"
    let_go
    ok "$action in releasing: it is released" eventually "$patience_sec" state_is released || diag "$(task .)"
    clean "$action in every state"
    not_ok "$action in every state: a shutdown is put off no more" delays_shutdown
done

# A snapshot that cannot be removed is owed, shown, and tried again.
targets_up owed
simctl fault remove-snapshot-fails count=0 >/dev/null
backup full
ok "another is copied" eventually "$patience_sec" state_is copied
release committed >/dev/null
owes() { node journalctl -q -t sendense-node | grep -q 'cannot be removed: '; }
ok "a snapshot that cannot be removed is told" eventually "$patience_sec" owes
is "$(task '.state + " " + (.owes_snapshot | tostring)')" "releasing true" "and owed"
is "$(node busctl -j get-property com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager Obligations | jq .data)" 1 "and counted"
simctl faults clear >/dev/null
ok "it is tried again" eventually 90 state_is released
targets_down
clean "one that was owed"

# The node dies while a snapshot is made, and so does who makes it. The second one finds no VM, and knows nothing of the first.
targets_up repeated
simctl fault slow-task method=CreateSnapshot_Task hold=1 count=0 >/dev/null
backup full
ok "a snapshot is being made" eventually "$patience_sec" held || diag "$answer"
old=$(pid_of sendense-node)
unit=sendense-vsphere-$job-snapshot.service
# shellcheck disable=SC2016 # expanded in the machine
is_unit_gone() { in_node '! systemctl is-active --quiet "$1" && { systemctl reset-failed "$1" 2>/dev/null; systemctl stop "$1" 2>/dev/null; ! systemctl list-units --all --plain --no-legend "$1" | grep -q .; }' "$unit"; }
node /bin/kill -STOP "$old"
node systemctl kill --signal=KILL "$unit"
ok "the unit is gone" eventually "$patience_sec" is_unit_gone
simctl sessions kill >/dev/null # nobody is left who could log out
let_go
is "$(simctl snapshots | jq length)" 1 "its snapshot came all the same"
simctl vm inaccessible vm=web01 >/dev/null
node /bin/kill -KILL "$old"
ok "another node is ready" eventually "$patience_sec" another_node "$old"
has_failed() { [[ $(task .error_name) == *VmMissing ]]; }
ok "it finds no VM, and the job fails" eventually "$patience_sec" has_failed || diag "$(task .)"
is "$(task '.state + " " + (.owes_snapshot | tostring)')" "releasing true" "the snapshot of the first is owed"
simctl vm inaccessible vm=web01 on=0 >/dev/null
ok "the VM is back, and the job ends" eventually 90 state_is failed || diag "$(task .)"
targets_down
clean "a snapshot that was begun twice"
done_testing
