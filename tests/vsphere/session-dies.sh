#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The session dies before each single call of each verb, one after the other, until the peer says that there was none.
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

each_call() { # VERB WANTED-JQ WANTED
    local verb=$1 k=0 bad=
    while :; do
        k=$((k + 1))
        "before_$verb" 2>/dev/null
        simctl fault session-killed 'method=*' at=$k >/dev/null
        "run_$verb" || bad+="call $k: $(cat "$TEST_TMP/result"); "
        [ "$(simctl faults | jq '.[0].fired')" = 1 ] || break # there are no more calls
        [ "$(res "$2")" = "$3" ] || bad+="call $k: $(res "$2"); "
        [ "$(simctl left | jq -c .sessions)" = '[]' ] || bad+="call $k: a session is left; "
        simctl faults clear >/dev/null
    done
    simctl faults clear >/dev/null
    is "$bad" '' "$verb: a session that dies before each of its calls"
    ok "$verb makes calls" test "$k" -gt 4
    diag "$verb: $((k - 1)) calls"
}
run_test() { vsphere test; }
run_discover() { vsphere discover; }
run_snapshot() { take; }
run_release() { release; }
before_test() { :; }
before_discover() { :; }

each_call test .version 6.5.0
simctl set property-page=3 >/dev/null
each_call discover '.vms | length' 9
simctl set property-page=0 >/dev/null
each_call snapshot '[.disks[].change_id] | length' 3
is "$(ours)" "$snapshot_name" 'one snapshot is held at the end, whatever died'
each_call release .removed 1
clean 'all of it'
done_testing
