# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it is sourced after
#
# Rounds of "a backup in which the node is killed at one point of its ledger": source it after node-lab.bash, call
# ledger_killed SCENARIO, which is committed or cancelled.

instruct() { # [INSTRUCTION]
    # shellcheck disable=SC2016 # expanded in the machine
    in_node 'rm -f /run/sendense-test/*
        if [ -n "$1" ]; then printf "%s\n" "$1" >/run/sendense-test/.new && mv /run/sendense-test/.new /run/sendense-test/fault-point
        else install -m 666 /dev/null /run/sendense-test/hits; fi' "${1:-}"
}
fired() { node test -e /run/sendense-test/fault-point.fired; }
started() { [[ $(api POST backup/start "$body") == 202\ * ]]; }
released() { [[ $(release committed) == 200\ * ]]; }
cancelled() { [[ $(api DELETE "backup/$job") == 202\ * ]]; }
has_ended() { [[ $(task .state) =~ ^(released|failed|cancelled)$ ]]; }
is_copying() { [[ $(task .state) =~ ^(copying|copied|failed)$ ]]; }
can_go_on() { [[ $(task .state) =~ ^(copied|failed)$ ]]; }

# through committed|cancelled: one backup, asked for as a hub does, until it has ended. What is wrong is told.
through() {
    job=$((job + 1))
    body=$(request full)
    eventually "$patience_sec" started || echo "is not started"
    if [ "$1" = cancelled ]; then
        eventually "$patience_sec" is_copying || echo "does not copy"
        eventually "$patience_sec" cancelled || echo "cannot be cancelled"
    else
        eventually "$patience_sec" can_go_on || echo "is not copied"
        eventually "$patience_sec" released || echo "cannot be released"
    fi
    eventually "$patience_sec" has_ended || echo "does not end"
}
# outcome: what must be the same with and without a kill.
outcome() { task '.state + " " + .outcome + " " + (.owes_snapshot | tostring) + " " + .error_name'; }

# round SCENARIO [INSTRUCTION]: prints what is wrong.
round() {
    instruct "${2:-}"
    simctl calls clear >/dev/null
    through "$1"
    [ "$(outcome)" = "${expected:-$(outcome)}" ] || echo "ends as $(outcome): $(task .error)"
    [ "$(simctl calls | jq '[.[] | select(.method == "CreateSnapshot_Task")] | length')" -le 1 ] || echo "more than one snapshot was taken"
    [ -z "${2:-}" ] || fired || echo "the node was not killed"
    eventually "$patience_sec" nothing_left || echo "left: $(simctl left | jq -c .) $(units_left) $(nothing_left_at_node)"
}

ledger_killed() { # SCENARIO
    local hits hit bad n_bad=0 begin flat
    grep -q 'SENDENSE_FAULT_POINTS 1' "$SENDENSE_BUILD/build-config.h" || skip_all "no build with fault points"
    node_up
    vcenter_up -empty
    vm_new 4M:fill=2M
    targets_up full
    expected=
    is "$(through committed)" "" "a first backup, which also switches tracking on"
    job=$((job + 1))
    flat=/folder/$(node jq -r '.Snapshot.disks[0].datastore_path' "/var/lib/sendense-node/ledger/$job.json" | sed 's/^[^]]*\] //; s/\.vmdk$/-flat.vmdk/')
    # The data take their time, the descriptor does not: the look at the disks is a quick one.
    [ "$1" = committed ] || simctl fault delay method=FolderGet vm="$flat" ms=1500 count=0 >/dev/null
    is "$(round "$1")" "" "$1: without a kill"
    job=$((job + 1))
    expected=$(outcome)
    like "$expected" '^(released committed|cancelled ) false' "$1: it ends as it should"
    mapfile -t hits < <(node awk '$4 == "sendense-node" { print $1 ":" ++n[$1] }' /run/sendense-test/hits)
    ok "$1: there are enough places to die at" test "${#hits[@]}" -ge 40
    begin=${EPOCHREALTIME/[.,]/}
    for hit in "${hits[@]}"; do
        bad=$(round "$1" "$hit")
        job=$((job + 1))
        [ -z "$bad" ] || diag "$hit, job $job: $bad"
        n_bad=$((n_bad + (${#bad} > 0)))
    done
    is "$n_bad" 0 "$1: killed at each of ${#hits[@]} places, each backup ends as it should and leaves nothing"
    diag "${#hits[@]} rounds in $(((${EPOCHREALTIME/[.,]/} - begin) / 1000000)) s"
    targets_down
    no_secret "$1"
}
