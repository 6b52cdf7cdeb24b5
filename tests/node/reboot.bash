# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it is sourced after
#
# A node that goes away in a state of a task, machine and all: source it after node-lab.bash with peer=vc, call
# rounds_up and reboot_in. vCenter and the targets are on another machine and stay.

rounds_up() {
    node_up
    vcenter_up -empty
    vm_new 16M:fill=12M,8M:nvme:fill=4M
}

held() { [ "$(simctl tasks | jq length)" -gt 0 ]; }
n_snapshots() { simctl snapshots | jq length; }
owed() { [ "$(task '.owes_snapshot')" = "$1" ]; }
node_again() { node systemctl is-active --quiet sendense-node.service && [[ $(api GET health) == 200\ * ]]; }

# hold STATE: the next job, brought into that state, where it stays.
hold() {
    case $1 in
    accepted) simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null ;;
    *) simctl fault slow-task method=CreateSnapshot_Task hold=1 count=0 >/dev/null ;;
    esac
    backup full
    like "$answer" '^202 ' "$1: a backup is taken"
    if [ "$1" = accepted ]; then
        looking() { node systemctl is-active --quiet "sendense-vsphere-$job-check.service"; }
        ok "$1: the disks are looked at" eventually "$patience_sec" looking
        return
    fi
    ok "$1: vCenter is at the snapshot" eventually "$patience_sec" held
    [ "$1" != snapshotting ] || return 0
    simctl faults clear >/dev/null
    [ "$1" != copying ] || simctl fault delay method=FolderGet ms=25000 count=0 >/dev/null
    simctl tasks finish >/dev/null
    ok "$1: the copy" eventually "$patience_sec" state_is "$([ "$1" = copying ] && echo copying || echo copied)" || diag "$(task .)"
    [ "$1" = releasing ] || return 0
    simctl fault slow-task method=RemoveSnapshot_Task hold=1 count=0 >/dev/null
    like "$(release committed)" '^200 ' "$1: it is released"
    ok "$1: vCenter is at the removal" eventually "$patience_sec" held
}

let_go() {
    simctl faults clear >/dev/null
    simctl tasks finish >/dev/null
}

# offer: the login, as a hub offers it at every connection; what the node answers of the job.
offer() {
    api POST snapshots/cleanup "$(jq -nc --arg host "$peer_address" --arg user "$user" --arg password "$(password)" --argjson job "$job" \
        '{vcenter_host: $host, vcenter_user: $user, vcenter_password: $password, job_ids: [$job]}')" | cut -d' ' -f2- | jq -r '.snapshots[0].outcome'
}

# reboot_in STATE reboot|crash: the whole of it.
reboot_in() {
    local how=$2 name="$2 in $1" state
    targets_up "$1-$2"
    hold "$1"
    require "$name: the machine comes back" timeout 120 "$LAB" "$how" node
    let_go
    ok "$name: the node is back" eventually "$patience_sec" node_again
    state=$(task '.state + " " + (.owes_snapshot | tostring)')
    diag "$name: $state, $(n_snapshots) at vCenter"
    # Every word of it is true: who owes nothing has left nothing, and who says released or failed owes nothing.
    case $state in
    'failed false') is "$(n_snapshots)" 0 "$name: it has failed, and nothing is there" ;;
    'releasing true' | 'copied true') ok "$name: the snapshot that may be there is owed" test "$(n_snapshots)" -le 1 ;;
    *) ok "$name: $state is a state that is true" false ;;
    esac
    case $1 in
    accepted) is "$state" 'failed false' "$name: nothing was begun, it says so" ;;
    copied)
        is "$state" 'copied true' "$name: it is held for the hub"
        is "$(n_snapshots)" 1 "$name: and there"
        is "$(offer)" "in use" "$name: a login alone is no release"
        is "$(task .state)" copied "$name: it is held on"
        like "$(release committed)" '^200 ' "$name: the hub has it"
        ;;
    *)
        [ "$state" = 'failed false' ] || is "$(offer)" removing "$name: with a login it goes" || diag "$(task .)"
        ;;
    esac
    ok "$name: the task ends" eventually "$patience_sec" owed false || diag "$(task .)"
    case $1 in
    copied | releasing) ok "$name: as released" eventually "$patience_sec" state_is released || diag "$(task .)" ;;
    *)
        ok "$name: as failed" eventually "$patience_sec" state_is failed || diag "$(task .)"
        like "$(task .error)" 'reboot|restarted|ancel|ended' "$name: and says why"
        [ "$how" != crash ] || is "$(task .error_name)" com.sendense.Error.Rebooted "$name: by a name that passes"
        ;;
    esac
    is "$(offer)" removed "$name: asked once more it is removed"
    like "$(release committed)" '^200 ' "$name: a late release is answered"
    targets_down
    # Nobody logs out in a power cut. vCenter ends such a session by itself.
    [ "$how" != crash ] || simctl sessions kill >/dev/null
    [ "$1" != copied ] || same "$1-$2"
    clean "$name"
    no_secret "$name"
}
