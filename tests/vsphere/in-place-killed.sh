#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A restore into the VM that is there dies at each of its calls to vCenter, and the call may still come to its effect when nobody is left
# to hear of it. Whoever comes after finds the VM as it was or with what was backed up, can bring it to either end, and leaves nothing.
# IN_PLACE_EACH_STEP=1 tries every call; by default every fourth one.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
# shellcheck source=tests/vsphere/import.bash
. "$(dirname "$0")/import.bash"
# shellcheck source=tests/vsphere/in-place.bash
. "$(dirname "$0")/in-place.bash"
vsphere_start -empty
web_up
web_is=$(who)
step=${IN_PLACE_EACH_STEP:-4}
require 'it is looked at' look

# killed_at K VERB FILTER: the verb dies while its call K waits at vCenter; then the call takes effect. 1: it has no such call.
fired() { [ "$(simctl faults | jq '.[0].fired')" -gt 0 ]; }
came() { [ "$(simctl calls | jq length)" -ge "$1" ]; } # K
fired_or_over() { fired || ! kill -0 "$pid" 2>/dev/null; }
killed_at() {
    local k=$1
    [ "$2" != in-place-swap ] || rm -f "$TEST_TMP/in-place-swap" # one before it has told something, this one has not
    simctl calls clear >/dev/null
    simctl fault delay 'method=*' at="$k" ms=600000 >/dev/null
    jq -nc --argjson vcenter "$vcenter" "{vcenter: \$vcenter} | $3" >"$TEST_TMP/spec"
    "$vsphere_bin" "$2" <"$TEST_TMP/spec" >"$TEST_TMP/result" 2>"$TEST_TMP/stderr" &
    pid=$!
    eventually 20 fired_or_over >/dev/null
    if ! fired; then
        wait "$pid"
        simctl faults clear >/dev/null
        return 1
    fi
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    simctl faults clear >/dev/null
    # In every second round somebody comes at once, while the call is still on its way. A login (the second call) would leave a session.
    { [ $((k / step % 2)) = 1 ] && [ "$k" -gt 2 ]; } || eventually 30 came "$k" >/dev/null
    simctl sessions | jq -r '.[] | select(.agent | startswith("curl") | not).key' | while read -r key; do
        simctl sessions kill key="$key" >/dev/null # who was killed has not logged out
    done
    return 0
}
ends() { # FUNCTION: as the node does, again and again
    local i
    for i in 1 2 3; do
        "$1" && return 0
    done
    return 1
}
state_of() {
    local now
    now=$(hashes)
    case $now in
        "$old_hashes") echo old ;;
        "$new_hashes") echo new ;;
        *) echo "neither: $now" ;;
    esac
}
is_put_back() { [ "$(state_of)" = old ] && [ "$(files_of)" = "$old_files" ] && [ "$(simctl left | jq -c .loose_disks)" = '[]' ] && is_clean; }
is_restored() { [ "$(state_of)" = new ] && [ "$(simctl left | jq -c '.loose_disks | length')" = 3 ] && is_clean; }
# The exchange may have come to its effect without an answer. Then nobody knows whether the VM is used since, so it keeps what was brought,
# and its user is told where the old disks lie.
is_told_used() {
    is_restored && jq -e '(.used | test(" keeps the disks of a restore that was given up")) and (.old_files | length) == 3' \
        "$TEST_TMP/result" >/dev/null
}
# What tells its version can be taken back.
take_back() { { [ "$(state_of)" = old ] || swap >/dev/null; } && give_up; }
is_given_up() { is_put_back || { is_told_used && told=$((told + 1)); }; }

# each NAME VERB BEGIN FILTER THEN WANTED: BEGIN, the verb killed at call K, THEN until it works, WANTED; then as it was.
each() {
    local name=$1 verb=$2 begin=$3 filter=$4 then=$5 wanted=$6 k bad='' between='' n=0 told=0
    for ((k = 2; ; k += step)); do
        $begin >/dev/null || bad+="call $k: begin: $(cat "$TEST_TMP/result"); "
        killed_at "$k" "$verb" "$($filter)" || break
        case $(state_of) in old | new) ;; *) between+="call $k: $(state_of); " ;; esac
        ends "$then" || bad+="call $k: $(cat "$TEST_TMP/result"); "
        $wanted || bad+="call $k: it is $(state_of), $(simctl left); "
        ends take_back || bad+="call $k: given up: $(cat "$TEST_TMP/result"); "
        is_put_back || bad+="call $k: given up, it is $(state_of), $(simctl left); "
        n=$((n + 1))
    done
    ends take_back || bad+="at the end: $(cat "$TEST_TMP/result"); "
    is "$between" '' "$name: at every moment it is what it was, or what was backed up"
    is "$bad" '' "$name: then it comes to the end that is wanted"
    ok "$name: there were calls" test "$n" -ge 3
    diag "$name: killed $n times, at the calls up to $((k - step)), $told times it kept what was brought"
}
brought() { bring; }
exchanged() { bring && swap; }
filter_of_swap() { swap_filter; }
filter_of_end() { echo "$(swap_filter) | .keep = false"; }
again() { swap; }

each 'the exchange is killed and given up' in-place-swap brought filter_of_swap give_up is_given_up
each 'the exchange is killed and goes on' in-place-swap brought filter_of_swap again is_restored
each 'the way back is killed' in-place-end exchanged filter_of_end give_up is_put_back

# The end that is kept: whatever breaks off, the new content stays and the old files go.
bad='' n=0
filter_of_keep() { echo "$(swap_filter) | .keep = true"; }
for ((k = 2; ; k += step)); do
    bring && swap || bad+="call $k: $(cat "$TEST_TMP/result"); "
    kept_hashes=$new_hashes
    killed_at "$k" in-place-end "$(filter_of_keep)" || break
    ends keep || bad+="call $k: $(cat "$TEST_TMP/result"); "
    [ "$(hashes) $(simctl left | jq -c .loose_disks)" = "$kept_hashes []" ] || bad+="call $k: $(state_of) $(simctl left); "
    n=$((n + 1))
    # The next one starts from what this one has left.
    old_hashes=$(hashes) old_files=$(files_of) mark=sendense-test-$((100 + k))-1
    look >/dev/null || bad+="call $k: look: $(cat "$TEST_TMP/result"); "
done
is "$bad" '' 'killed while the old disks are removed: the new content stays, the old files go'
ok 'and there were calls' test "$n" -ge 2
done_testing
