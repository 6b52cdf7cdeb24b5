#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An import that fails leaves nothing at vCenter: a source that dies, an upload that is cut or refused, a session that ends, SIGTERM, and
# each single call going wrong in every way. And one that says "ok" has made the VM.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vsphere/vsphere.bash
. "$(dirname "$0")/vsphere.bash"
# shellcheck source=tests/vsphere/import.bash
. "$(dirname "$0")/import.bash"
vsphere_start -zoo
hardware=$(hardware_of mixed)
disk one 25165824
disk two 5292032
serve one
serve two
disks=$(jq -nc --arg one "$(source_of one)" --arg two "$(source_of two)" \
    '[{disk_key: 2000, capacity_bytes: 25165824, source: $one}, {disk_key: 16000, capacity_bytes: 5292032, source: $two}]')
vms_before=$(vms)
fails() { # WORD TEXT NAME: the last import failed so, and left nothing
    is "$(res '.result + " " + (.error_name // "")')" "failed com.sendense.Error.$1" "$3: $1"
    like "$(res .error_text)" "$2" "$3: says what"
    nothing_new "$3"
}

# Uploads.
for kind in http-503 empty-500 drop-connection; do
    simctl fault $kind method=NfcUpload >/dev/null
    import
    fails TargetFailed 'disk (2000|16000)' "an upload that ends with $kind"
    simctl faults clear >/dev/null
done
import '.disks[1].capacity_bytes = 5291008'
is "$(res .error_name)" com.sendense.Error.SourceFailed 'a disk of another size is noticed before'
nothing_new 'another size'

# A source that dies in the middle, and one that is slow: the lease is kept meanwhile.
truncate -s 300M "$TEST_TMP/long.raw"
openssl enc -aes-128-ctr -K 00 -iv 00 </dev/zero 2>/dev/null | head -c 200M | dd of="$TEST_TMP/long.raw" bs=1M conv=notrunc status=none
rm -f "$TEST_TMP/slow.sock"
nbdkit -f -r -U "$TEST_TMP/slow.sock" --filter=delay --filter=rate file "$TEST_TMP/long.raw" rate=64M delay-read=5ms >/dev/null 2>&1 &
slow=$!
at_end 'kill $slow 2>/dev/null || :'
eventually 30 test -S "$TEST_TMP/slow.sock" >/dev/null
long=$(jq -nc --arg slow "$(source_of slow)" '[{disk_key: 2000, capacity_bytes: 314572800, source: $slow}]')
uploading() { [ "$(simctl leases | jq '[.[].open] | add // 0')" -gt 0 ]; }
short=$disks disks=$long
simctl calls clear >/dev/null
import_begin '.keepalive_msec = 50'
ok 'a slow disk is being uploaded' eventually 20 uploading
told_often() { [ "$(calls_of HttpNfcLeaseProgress)" -ge 3 ]; }
ok 'vCenter is told again and again that somebody is there' eventually 20 told_often
kill "$pid"
wait "$pid"
fails Cancelled 'cancelled' 'SIGTERM in the middle of an upload'
is "$(simctl calls | jq -r '[.[].method | select(startswith("HttpNfcLeaseA"))] | join(" ")')" HttpNfcLeaseAbort 'the lease was aborted'

import_begin
ok 'another one is being uploaded' eventually 20 uploading
simctl sessions kill >/dev/null
wait "$pid"
fails VCenterSession 'the session at vCenter ended, and the import with it' 'a session that ends in the middle'

import_begin
ok 'a third one is being uploaded' eventually 20 uploading
kill -9 "$slow"
wait "$slow" 2>/dev/null
wait "$pid"
fails SourceFailed 'disk 2000 cannot be read near offset' 'a source that dies'

# SIGTERM while vCenter thinks about the end.
disks=$short
simctl fault delay method=HttpNfcLeaseComplete ms=300 >/dev/null
import_begin
ok 'one is being completed' eventually 20 sh -c "'$simdir/simctl' -C '$sim' faults | jq -e '.[0].fired > 0'"
kill "$pid"
wait "$pid"
case $(res '.result + " " + (.error_name // "")') in
    'ok ') pass 'SIGTERM while it is completed: it was whole' && simctl vm remove vm='back again' >/dev/null ;;
    'failed com.sendense.Error.Cancelled') pass 'SIGTERM while it is completed: it is gone' ;;
    *) fail 'SIGTERM while it is completed' "$(cat "$TEST_TMP/result")" ;;
esac
simctl faults clear >/dev/null
nothing_new 'SIGTERM at the end'

# vCenter's own no.
simctl fault soap-fault method=ImportVApp fault=InsufficientResourcesFault >/dev/null
import
fails TargetFailed 'does not make the VM.*InsufficientResourcesFault' 'a fault instead of a lease'
simctl fault soap-fault method=HttpNfcLeaseComplete fault=InvalidState >/dev/null
import
fails TargetFailed 'does not take the VM' 'a fault instead of the completion'
simctl fault soap-fault method=HttpNfcLeaseProgress fault=Timedout >/dev/null
import '.keepalive_msec = 10'
is "$(res .result)" failed 'a fault of the lease that is kept'
nothing_new 'a lease that is not kept'

# What cannot be removed is called left.
simctl fault http-503 method=NfcUpload >/dev/null
simctl fault soap-fault method=HttpNfcLeaseAbort fault=InvalidState count=0 >/dev/null
simctl fault soap-fault method=FindAllByUuid fault=NoPermission count=0 >/dev/null
import '.undo_sec = 1'
is "$(res .error_name)" com.sendense.Error.VmLeft 'a VM that nobody may look for: VmLeft'
like "$(res .error_text)" "a VM 'back again' may be left.*HTTP 503" 'with both reasons'
simctl faults clear >/dev/null
nothing_new 'the lease, which ended with its session'

# An answer that is lost, with the lease or with the end in it.
for bytes in -1 200; do
    simctl fault cut-answer method=ImportVApp bytes=$bytes >/dev/null
    import
    is "$(res .result)" failed "the lease in an answer that was lost ($bytes)"
    nothing_new "a lost lease ($bytes)"
    simctl fault cut-answer method=HttpNfcLeaseComplete bytes=$bytes >/dev/null
    import
    is "$(res .result) $(simctl vm list | jq '[.[] | select(.name == "back again")] | length')" 'ok 1' "the end in an answer that was lost: it is whole ($bytes)" || diag "$(cat "$TEST_TMP/result")"
    simctl vm remove vm='back again' >/dev/null
    nothing_new "a lost end ($bytes)"
done

# Each single call. Whatever the verb says is true.
honest() {
    case $(res .result) in
        ok) [ "$(hash_at 'back again' "$(simctl vm list vm='back again' | jq '.disks[0].key')")" = "$(simctl hash "$TEST_TMP/one.raw")" ] &&
            simctl vm remove vm='back again' >/dev/null ;;
        failed) : ;;
        *) false ;;
    esac && import_left
}
each() { # STEP NAME SWITCH [PARAMETER…]
    local k=1 step=$1 name=$2 bad='' failed=0
    shift 2
    while :; do
        simctl fault "$1" 'method=*' at=$k "${@:2}" >/dev/null
        import
        fired=$(simctl faults | jq '.[0].fired')
        simctl faults clear >/dev/null
        honest || bad+="call $k: $(cat "$TEST_TMP/result"), $(simctl left); "
        [ "$fired" = 1 ] || break
        [ "$(res .result)" = ok ] || failed=$((failed + 1))
        k=$((k + step))
    done
    is "$bad" '' "$name, at each call"
    ok "$name: there were calls" test "$k" -ge 15
    diag "$name: up to call $((k - step)), $failed times the verb failed"
}
quick=${IMPORT_EACH_STEP:-3}

# SIGTERM at a call: it is seen before the next one.
bad=
for ((k = 2; k <= 20; k += quick)); do
    simctl fault delay 'method=*' at=$k ms=200 >/dev/null
    import_begin
    eventually 30 sh -c "'$simdir/simctl' -C '$sim' faults | jq -e '.[0].fired > 0'" >/dev/null
    kill "$pid" 2>/dev/null
    wait "$pid"
    simctl faults clear >/dev/null
    case $(res '.error_name // .result') in
        com.sendense.Error.Cancelled | ok) honest || bad+="call $k: $(simctl left); " ;;
        *) bad+="call $k: $(cat "$TEST_TMP/result"); " ;;
    esac
done
is "$bad" '' 'SIGTERM at a call'
each "$quick" 'a session that dies' session-killed
each "$quick" 'an answer without even a header' cut-answer bytes=-1
each $((quick * 2)) 'a fault' soap-fault fault=GenericVmConfigFault
each $((quick * 2)) 'a connection that drops' drop-connection
done_testing
