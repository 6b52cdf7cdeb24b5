# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it is sourced after
#
# Rounds of "a whole backup in which the hub is killed at one fault point": source it after e2e.bash, call
# hub_killed SCENARIO [WITH], which is committed or cancelled; WITH is node when the node is killed at the same moment.

instruct() { # [INSTRUCTION]
    # shellcheck disable=SC2016 # expanded in the machine
    in_hub 'find /run/sendense-test -maxdepth 1 -type f -delete
        if [ -n "$1" ]; then printf "%s\n" "$1" >/run/sendense-test/.new && mv /run/sendense-test/.new /run/sendense-test/fault-point
        else install -m 666 /dev/null /run/sendense-test/hits; fi' "${1:-}"
}
fired() { hub test -e /run/sendense-test/fault-point.fired; }
# newest: sets newest to the last job; a hub that is just coming back does not tell.
newest() { newest=$(last_job 2>/dev/null) && [[ $newest =~ ^[0-9]+$ ]]; }

# The call may die with the hub, with the job made or not.
started() {
    newest || return 1
    [ "$newest" -eq "$before" ] || return 0
    ctl backup start pgtest1 >/dev/null 2>&1
    newest && [ "$newest" -gt "$before" ]
}
is_copying() { [[ $(job_field "$job" State 2>/dev/null) =~ ^(copying|finishing|releasing|completed|failed|cancelled)$ ]]; }
is_over() { [[ $(job_field "$job" State 2>/dev/null) =~ ^(completed|failed|cancelled)$ ]]; }
is_cancelled() {
    ctl job cancel "$job" >/dev/null 2>&1
    [ "$(job_field "$job" Ending 2>/dev/null)" = cancelled ] || is_over
}

# through SCENARIO: one backup, until it has ended. What is wrong is told.
through() {
    eventually "$patience_sec" newest || echo "the hub does not answer"
    before=$newest
    eventually "$patience_sec" started || echo "is not started"
    job=$newest
    if [ "$1" = cancelled ]; then
        eventually "$patience_sec" is_copying || echo "does not copy"
        eventually "$patience_sec" is_cancelled || echo "cannot be cancelled"
    fi
    eventually "$patience_sec" is_over || echo "does not end: $(ctl job show "$job" 2>&1 | head -n 30)"
}

# Both at once: whoever waits for the kill of the hub kills the node.
node_dies_with_it() {
    # shellcheck disable=SC2016 # expanded in the machine
    hub timeout 120 bash -c 'until [ -e /run/sendense-test/fault-point.fired ]; do inotifywait -qq -t 1 /run/sendense-test 2>/dev/null || sleep 0.02; done'
    node systemctl kill -s KILL sendense-node.service
}

not_met="the hub was not killed"
tells() { state=$(job_field "$job" State 2>/dev/null) && [ -n "$state" ]; }

# round SCENARIO [INSTRUCTION [WITH]]: prints what is wrong.
round() {
    local with=
    instruct "${2:-}"
    if [ "${3:-}" = node ]; then
        node_dies_with_it &
        with=$!
    fi
    through "$1"
    [ -z "$with" ] || wait "$with"
    # It may have died right behind the end.
    eventually "$patience_sec" newest
    job=$newest
    eventually "$patience_sec" tells
    case $1 in
    committed) [ "$state" = completed ] || echo "ends as $state: $(job_field "$job" ErrorText)" ;;
    *) [[ $state =~ ^(cancelled|completed)$ ]] || echo "ends as $state: $(job_field "$job" ErrorText)" ;;
    esac
    # It may die once more behind the end, and tell nothing for a while.
    [ "$state" != completed ] || eventually "$patience_sec" holds_the_vm "$job" || echo "is not what the disks were"
    [ -z "${2:-}" ] || fired || echo "$not_met"
    # Whoever is killed in a login cannot log out.
    [ -z "$with" ] || simctl sessions kill >/dev/null
    eventually "$patience_sec" nothing_left_anywhere || echo "left: $(simctl left | jq -c .) $(units_left_at hub) $(units_left_at node) $(cat "$TEST_TMP/left-hub" "$TEST_TMP/left-node")"
}

# hub_killed_up: the machines, with a first backup.
hub_killed_up() {
    grep -q 'SENDENSE_FAULT_POINTS 1' "$SENDENSE_BUILD/build-config.h" || skip_all "no build with fault points"
    e2e_up
    vcenter_with_pgtest1 4M:fill=2M,2M:fill=1M
    ok "a first backup" backup --type=full
}

# passes SCENARIO: sets hits to NAME:N of all that the hub passes in it, N counted in the scenario.
passes() {
    is "$(round "$1")" "" "$1: without a kill"
    hits=$(hub awk '$4 == "sendense-hub" { print $1 ":" ++n[$1] }' /run/sendense-test/hits)
}

# hub_killed_at SCENARIO WITH HIT...: how often a place is passed hangs on when a cancellation comes; one that was not met is tried again.
hub_killed_at() {
    local scenario=$1 with=$2 hit bad try n_bad=0 n_missed=0 n=0 begin=${EPOCHREALTIME/[.,]/}
    shift 2
    for hit; do
        for try in 1 2 3; do
            head -c 65536 /dev/urandom | guest_writes "${keys[0]}" $((n % 32 * 65536))
            bad=$(round "$scenario" "$hit" "$with")
            [ "$bad" = "$not_met" ] || break
        done
        if [ "$bad" = "$not_met" ]; then
            diag "$hit: not met in $try tries"
            bad='' n_missed=$((n_missed + 1))
        fi
        [ -z "$bad" ] || diag "$hit, job $(last_job): $bad"
        n_bad=$((n_bad + (${#bad} > 0)))
        n=$((n + 1))
        # A chain of a hundred layers is no part of this.
        [ $((n % 20)) -ne 0 ] || backup --type=full
    done
    is "$n_bad" 0 "$scenario: the hub${with:+ and the $with} killed at each of $n places, each backup ends as it should and leaves nothing"
    ok "$scenario: nearly all of these places were met" test $((n_missed * 10)) -le "$n" || diag "$n_missed were not"
    diag "$n rounds in $(((${EPOCHREALTIME/[.,]/} - begin) / 1000000)) s"
}

hub_killed() { # SCENARIO [WITH]
    local every
    hub_killed_up
    passes "$1"
    mapfile -t every <<<"$hits"
    ok "$1: there are enough places to die at" test "${#every[@]}" -ge 40
    hub_killed_at "$1" "${2:-}" "${every[@]}"
}
