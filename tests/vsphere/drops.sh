#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each single call goes wrong once, in every way: dropped, answered and cut off, answered with nothing, with
# 503, with a fault, with what is no SOAP. A snapshot is held when the verb says so, and none when it does not.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
vsphere_start -zoo
uuid=$(uuid_of mixed)

# vCenter keeps the last ten tasks of a VM, and each is looked at: from here on every run makes as many calls.
for _ in 1 2 3 4 5; do
    take >/dev/null
    release >/dev/null
done

# Whatever the verb says is true, and it leaves no session. $1: what simctl left says.
honest() {
    local held
    held=$(jq -r '[.snapshots[].name] | join(" ")' <<<"$1")
    case $(res .result) in
    ok) [ "$held" = "$snapshot_name" ] ;;
    failed) [ -z "$held" ] ;;
    *) false ;;
    esac && [ "$(jq -c '.sessions + .tasks' <<<"$1")" = '[]' ]
}

# each STEP NAME SWITCH [PARAMETER…]: at the first call, the one STEP after it and so on, until a run has no such call.
each() {
    local k=1 step=$1 name=$2 bad='' failed=0 left
    shift 2
    while :; do
        simctl fault "$1" 'method=*' at=$k "${@:2}" >/dev/null
        take
        left=$(simctl left)
        [ "$(simctl faults | jq '.[0].fired')" = 1 ] || break
        simctl faults clear >/dev/null
        honest "$left" || bad+="call $k: $(cat "$TEST_TMP/result"), $left; "
        if [ "$(res .result)" = ok ]; then release >/dev/null; else failed=$((failed + 1)); fi
        k=$((k + step))
    done
    simctl faults clear >/dev/null
    release >/dev/null
    is "$bad" '' "$name, at each call"
    ok "$name: there were calls" test "$k" -ge 10
    diag "$name: up to call $((k - step)), $failed times the verb failed"
}
each 1 'a connection that drops' drop-connection
each 1 'an answer without even a header' cut-answer bytes=-1
each 1 'a fault' soap-fault fault=GenericVmConfigFault
each 3 'an answer that is cut off' cut-answer
each 3 'HTTP 500 without a body' empty-500
each 4 'HTTP 503' http-503
each 4 'a document type' bad-xml mode=doctype

# What changes something is never sent twice, also not by the library below us.
for kind in 'cut-answer bytes=-1' drop-connection empty-500; do
    simctl calls clear >/dev/null
    # shellcheck disable=SC2086 # the words of a switch
    simctl fault $kind method=CreateSnapshot_Task >/dev/null
    take
    is "$(res .error_name) $(calls_of CreateSnapshot_Task)" 'com.sendense.Error.VCenterUnreachable 1' "CreateSnapshot is sent once: $kind"
    clean "$kind"
done

# Answers that must not be read: refused within seconds and a little memory.
limited() { (ulimit -v 2000000 && "$@"); }
for mode in bomb doctype deep many huge text empty-envelope; do
    simctl fault bad-xml method=RetrieveServiceContent mode=$mode count=0 >/dev/null
    limited vsphere test
    refused VCenterUnreachable 'no SOAP|document type|deeper|too many|more than' "an answer that is $mode"
    simctl faults clear >/dev/null
done
simctl fault bad-xml method=FindAllByUuid mode=control >/dev/null
take
is "$(res .result)" failed 'a fault that controls a terminal'
is "$(res .error_text | LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]')" 0 'does not in our text'
is "$(LC_ALL=C grep -cP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]' "$TEST_TMP/stderr")" 0 'nor in the log'
is "$(wc -l <"$TEST_TMP/stderr")" 1 'which has one line of it'
clean 'bad answers'
done_testing
