# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154,SC2034 # variables of the rooms it sources
#
# A whole backup through the node, again and again: each time another of its calls to vCenter goes wrong, until the peer
# says that there was none left. Every backup that comes to its end is right, the one after one that failed too, and
# nothing is ever left.

# shellcheck source=tests/proof/proof.bash
. "$SENDENSE_SRC/tests/proof/proof.bash"

over() { [[ $(task .state) =~ ^(released|failed)$ ]]; }

# each_call NAME STRICT FAULT…: strict: every backup succeeds, and by its changes.
each_call() {
    local name=$1 strict=$2 k=0 bad='' fired n_failed=0 type=full
    shift 2
    while [ "$k" -lt 200 ]; do
        k=$((k + 1))
        head -c 1024 /dev/urandom | simctl disk write vm="$vm" key=2000 offset=$((k * 4096)) >/dev/null
        simctl fault "$1" method='*' at=$k "${@:2}" >/dev/null
        ask "$type"
        is_copied
        if state_is copied; then
            images_close
            bad+=$(wrong_disks; [ -z "$strict" ] || wrong_types "$(task .)")
            release committed >/dev/null
            keep
            type=incremental
        else
            images_close
            images_drop
            n_failed=$((n_failed + 1))
            [[ $(task .error_name) == com.sendense.Error.* && -z $strict ]] || bad+="call $k: $(task '"\(.state) \(.error)"'); "
            diag "call $k: $(task '"\(.error_name) \(.error)"')"
        fi
        eventually "$patience_sec" over || bad+="call $k: it does not end; "
        fired=$(simctl faults | jq '.[0].fired')
        simctl faults clear >/dev/null
        eventually "$patience_sec" nothing_left || bad+="call $k: something is left: $(simctl left | jq -c .) $(units_left); "
        [ "$fired" = 1 ] || break # there are no more calls
    done
    is "$bad" '' "$name, at each of its calls: the disks are right and nothing is left"
    ok "$name: there were calls" test "$k" -gt 15
    diag "$name: $((k - 1)) calls, $n_failed failed"
}
