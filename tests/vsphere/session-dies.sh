#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The session dies before each single call of each verb, one after the other: how many there are says the peer.
# Every time the verb does what it would have done, and leaves neither session nor snapshot.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -zoo
uuid=$(uuid_of mixed)

# Tracking is off at each beginning, so that the step that begins it is killed as well.
before_snapshot() {
    release >/dev/null
    simctl vm cbt vm=mixed on=0 >/dev/null
}
before_release() { take >/dev/null; }

each_call() { # VERB NAME-OF-RUN WANTED-JQ WANTED
    local verb=$1 wanted=$3 n k bad=
    "before_$verb" 2>/dev/null
    simctl calls clear >/dev/null
    "run_$verb"
    n=$(simctl calls | jq length)
    ok "$verb makes calls" test "$n" -gt 3
    for ((k = 1; k <= n; k++)); do
        "before_$verb" 2>/dev/null
        simctl fault session-killed 'method=*' at=$k >/dev/null
        "run_$verb" || bad+="call $k: $(cat "$TEST_TMP/result"); "
        [ "$(res "$wanted")" = "$4" ] || bad+="call $k: $(res "$wanted"); "
        [ "$(simctl left | jq -c .sessions)" = '[]' ] || bad+="call $k: a session is left; "
        [ "$(simctl faults | jq '[.[] | select(.fired > 0)] | length')" = 1 ] || bad+="call $k: nothing was killed; "
        simctl faults clear >/dev/null
    done
    is "$bad" '' "$verb: a session that dies before each of its $n calls"
}
run_test() { vsphere test; }
run_discover() { vsphere discover; }
run_snapshot() { take; }
run_release() { release; }
before_test() { :; }
before_discover() { :; }

each_call test '' .version 6.5.0
simctl set property-page=3 >/dev/null
each_call discover '' '.vms | length' 9
simctl set property-page=0 >/dev/null
each_call snapshot '' '[.disks[].change_id] | length' 3
is "$(ours)" "$snapshot_name" 'one snapshot is held at the end, whatever died'
each_call release '' .removed 1
clean 'all of it'
done_testing
