#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Faults in the middle of a read over HTTPS: sessions that die, answers that break off, errors, stalls. The
# disk is read right in spite of them; when they do not end, it fails with the offset and the reason.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
sources_start

size=$((24 << 20))
simctl vm add name=web disks=24M:fill=20M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
spec "$(disk_file VirtualMachineSnapshot "$snap" 2000)" DC0
logout >/dev/null
count() { simctl calls | jq "[.[] | select(.method == \"$1\")] | length"; }

# survives NAME FAULT…: read right without opening anew.
survives() {
    local name=$1
    shift
    simctl calls clear >/dev/null
    simctl fault "$@" >/dev/null
    is "$(read_disk https $size) $(answer opens)" 'ok 1' "$name: the disk is read" || diag "$(cat "$TEST_TMP/answer")"
    is_frozen "$snap" 2000 "$name: and right"
    ok "$name: the fault was there" test "$(simctl faults | jq '[.[].fired] | add')" -gt 0
    logins=$(count Login)
    simctl reset >/dev/null
}

survives 'session killed in mid-copy' session-killed method=FolderGet at=9
is "$logins" 2 'session killed: one new login, though eight requests were under way'
survives 'session killed twice' session-killed method=FolderGet at=9 count=2
survives 'session killed at the descriptor' session-killed method=FolderGet at=1
survives '503' http-503 method=FolderGet at=5 count=4
survives '500 without a body' empty-500 method=FolderGet at=7 count=3
survives 'connections dropped' drop-connection method=FolderGet at=6 count=5
survives 'cut off after the headers' cut-answer method=FolderGet at=8 bytes=0
survives 'cut off in the middle' cut-answer method=FolderGet at=8 bytes=700000 count=3
survives 'cut off before the headers' cut-answer method=FolderGet at=8 bytes=-1 count=2
survives 'descriptor cut off' cut-answer method=FolderGet at=1 bytes=100
survives 'login answered by 503' http-503 method=Login
is "$(simctl sessions | jq length)" 0 'no session is left by any of them'

# A transfer that stands still.
simctl fault delay method=FolderGet at=6 ms=20000 >/dev/null
is "$(read_disk https $size stall=1)" ok 'a stalled transfer is asked for again'
is_frozen "$snap" 2000 'and the disk is right'
simctl reset >/dev/null

# It does not end: opened anew as often as it may, then a clear end.
simctl fault http-503 method=FolderGet at=10 count=0 >/dev/null
is "$(read_disk https $size opens=1)" failed 'errors without an end are one in the end'
is "$(answer code)" EIO 'that may pass'
like "$(answer error)" 'HTTP 503.*web-?' 'with the reason and the file'
ok 'and an offset' test "$(answer offset)" -gt 0
simctl reset >/dev/null
simctl fault http-503 method=FolderGet at=10 count=50 >/dev/null
is "$(read_disk https $size opens=10)" ok 'opened anew, it goes on'
ok 'more than once' test "$(answer opens)" -gt 1
is_frozen "$snap" 2000 'and is right'
simctl reset >/dev/null

# The login fails for good in mid-copy: the password was changed, say.
simctl fault session-killed method=FolderGet at=9 >/dev/null
simctl fault soap-fault method=Login at=2 count=0 fault=InvalidLogin >/dev/null
is "$(read_disk https $size opens=5)" failed 'a login that is refused in mid-copy is the end'
is "$(answer code)" EACCES 'at once'
simctl reset >/dev/null

# A logout that is never answered: nothing depends on it.
simctl fault delay method=Logout ms=90000 count=0 >/dev/null
SECONDS=0
is "$(read_disk https $size)" ok 'a disk is read, and no logout answered'
ok 'that is not waited for long' test $SECONDS -lt 60
diag "it took $SECONDS s"
simctl reset >/dev/null

# The peer goes away and comes back nowhere.
simctl fault delay method=FolderGet at=10 ms=3000 count=0 >/dev/null
read_disk https $size >"$TEST_TMP/result" &
eventually 30 sh -c "[ \$('$simdir/simctl' -C '$sim' faults | jq '[.[].fired] | add') -gt 0 ]"
kill -KILL "$(simctl ready pid)"
wait $!
rm -f "$sim/ready"
is "$(<"$TEST_TMP/result")" failed 'a vCenter that dies is an error'
like "$(answer error)" 'refused|closed|reset|connect' 'that says what happened'
done_testing
