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

take >/dev/null
release >/dev/null
simctl calls clear >/dev/null
take
n=$(simctl calls | jq length)
release >/dev/null

# Whatever the verb says is true.
honest() {
    case $(res .result) in
    ok) [ "$(ours)" = "$snapshot_name" ] ;;
    failed) [ -z "$(ours)" ] || [ "$(res .error_name)" = com.sendense.Error.SnapshotLeft ] ;;
    *) false ;;
    esac
}
each() { # NAME SWITCH [PARAMETER…]
    local k bad='' failed=0 name=$1
    shift
    for ((k = 1; k <= n; k++)); do
        simctl fault "$1" 'method=*' at=$k "${@:2}" >/dev/null
        take
        honest || bad+="call $k: $(res '.result + " " + (.error_text // "")'), held: $(ours); "
        [ "$(res .result)" = ok ] || failed=$((failed + 1))
        [ "$(res .error_name)" != com.sendense.Error.SnapshotLeft ] || bad+="call $k: $(res .error_text); "
        [ "$(simctl left | jq -c '[.sessions, .tasks] | flatten')" = '[]' ] || bad+="call $k: $(simctl left); "
        simctl faults clear >/dev/null
        release >/dev/null
        [ -z "$(ours)" ] || bad+="call $k: not released; "
    done
    is "$bad" '' "$name, at each of $n calls"
    diag "$name: $failed of $n times the verb failed"
}
each 'a connection that drops' drop-connection
each 'an answer that is cut off' cut-answer
each 'an answer without even a header' cut-answer bytes=-1
each 'HTTP 500 without a body' empty-500
each 'HTTP 503' http-503
each 'a fault' soap-fault fault=GenericVmConfigFault
each 'a document type' bad-xml mode=doctype

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
