#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Disks through nbdkit and a plugin that stands in for that of VDDK: read right, by a child that nobody else can
# talk to, that gets its password unseen, that ends with us, and whose death and last words are heard. It shows
# nothing about VDDK itself.

# shellcheck source=tests/lib/tap.sh
. "$(dirname "$0")/../lib/tap.sh"
# shellcheck source=tests/vcenter-sim/soap.bash
. "$(dirname "$0")/../vcenter-sim/soap.bash"
# shellcheck source=tests/sources/sources.bash
. "$(dirname "$0")/sources.bash"
vddk_host

size=$((32 << 20))
simctl vm add name=web disks=32M:fill=20M >/dev/null
vm=$(simctl vm list vm=web | jq -r .vm)
snap=$(snapshot "$vm" one)
file=$(disk_file VirtualMachineSnapshot "$snap" 2000)
vddk_spec() { spec "$file" DC0 "$(more "$vm" "$snap" "${1:-"{}"}")"; }
vddk_spec

simctl writer start vm=web key=2000 size=64K ms=2 >/dev/null
is "$(read_disk vddk $size)" ok 'a disk is read while its guest writes' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is_frozen "$snap" 2000 'as it was at the snapshot'
like "$(cat "$host/log")" "^start pid=.* vm=moref=$vm snapshot=$snap file=\[datastore1\] web/web.vmdk listen_fds=no" 'of this machine and snapshot'
is "$(read_disk vddk $size odd)" failed 'VDDK reads whole sectors'
like "$(answer error)" 'aligned' 'and its own words say so'
is "$(find "$RUNTIME_DIRECTORY" -mindepth 1)" '' 'no folder is left'
is "$(others)" 1 'and no session'
simctl writer stop vm=web key=2000 >/dev/null

# Stopped in the middle, to be looked at: SIGSTOP to the reader keeps its child where it is.
children() { pgrep -P "$1" | tr '\n' ' '; }
start_reader() {
    timeout -k 5 100 "$reader" vddk "$TEST_TMP/spec.json" $size "$TEST_TMP/disk" "$@" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr" &
    waiter=$!
    eventually 30 pgrep -P $waiter
    pid=$(pgrep -P $waiter)
}
echo 5 >"$host/stop-at-read"
start_reader opens=5
require 'the child is in the middle of the copy' eventually 30 test -e "$host/stopped"
child=$(children "$pid")
child=${child% }
like "$child" '^[0-9]+$' 'the reader has one child'
is "$(ss -Hltnp | grep -F "pid=$child,")" '' 'the child listens on no port'
is "$(ss -Hltn 'sport = :10809')" '' 'nor does anybody on that of NBD'
is "$(ss -Hlxp | grep -cF "pid=$child,")" 1 'but on one socket'
folder=$(find "$RUNTIME_DIRECTORY" -mindepth 1 -maxdepth 1)
is "$(stat -c %a "$folder")" 700 'in a folder that is private'
words=$(tr '\0' '\n' <"/proc/$child/cmdline")
like "$words" '^password=-[0-9]+$' 'the password goes by a descriptor'
unlike "$words" '^-v$|^--verbose$' 'nbdkit does not talk'
marker=$(head -c 8 "$sim/password")
for f in cmdline environ; do
    is "$(grep -caF "$marker" "/proc/$child/$f" "/proc/$pid/$f" | grep -v ':0$')" '' "no password in $f"
done
is "$(tr '\0' '\n' <"/proc/$child/environ" | grep -E '^(CREDENTIALS_DIRECTORY|NOTIFY_SOCKET|LISTEN_)')" '' 'none of our environment'
like "$words" "^thumbprint=$(simctl ready sha1)\$" 'the thumbprint is that of the verified certificate'
kill -CONT "$child"
wait $waiter
is "$(jq -r .result "$TEST_TMP/answer")" ok 'it goes on where it was'
is_frozen "$snap" 2000 'and the disk is right'

# The child dies: heard at once, started anew.
echo 9 >"$host/die-at-read"
is "$(read_disk vddk $size opens=1)" failed 'a child that dies is an error'
is "$(answer code)" ENOTCONN 'that may pass'
echo 9 >"$host/die-at-read"
is "$(read_disk vddk $size opens=3) $(answer opens)" 'ok 2' 'opened anew, the disk is read'
is_frozen "$snap" 2000 'and right'

# We die, and the child with us. One that hangs within VDDK is left to the unit's control group: nbdkit asks the kernel for SIGTERM.
echo 5 >"$host/stop-at-read"
rm -f "$host/stopped"
start_reader
eventually 30 test -e "$host/stopped"
child=$(children "$pid")
kill -KILL "$pid"
wait $waiter 2>/dev/null
ok 'SIGKILL to us ends the child' eventually 30 sh -c "! kill -0 ${child% } 2>/dev/null"
rm -rf "${RUNTIME_DIRECTORY:?}"/*

# A host that goes away again and again, always at the same place: as long as it comes back it is waited for.
spec "$file" DC0
target 2000 $size
jq -c --argjson size $size --arg uri "$(target_uri 2000)" --arg file "$file" --argjson more "$(more "$vm" "$snap")" '{job: 7, vcenter, disks: [{disk_key: 2000,
    capacity_bytes: $size, target: $uri, read: "all", source: {kind: "vddk", datastore_path: $file}}]} + $more' "$TEST_TMP/spec.json" >"$TEST_TMP/copy.json"
before=$(grep -c '^start' "$host/log")
echo 1 >"$host/die-at-read"
"$client" copy <"$TEST_TMP/copy.json" >"$TEST_TMP/answer" 2>"$TEST_TMP/stderr" &
waiter=$!
for _ in {2..8}; do
    eventually 20 test ! -e "$host/die-at-read"
    echo 1 >"$host/die-at-read"
done
wait $waiter
is "$? $(answer result)" '0 ok' 'eight children die at the first read' || diag "$(cat "$TEST_TMP/answer" "$TEST_TMP/stderr")"
is "$(($(grep -c '^start' "$host/log") - before))" 9 'the ninth reads the disk'
targets_end
is "$(image_hash 2000)" "$(frozen "$snap" 2000)" 'and right'
vddk_spec

# What it says when it cannot.
refused() { # PATTERN NAME
    read_disk vddk $size opens=5 >"$TEST_TMP/result"
    is "$(<"$TEST_TMP/result") $(answer opens)" 'failed 1' "$2: refused at once"
    like "$(answer error)" "$1" "$2: in the words of the one who knows"
    is "$(find "$RUNTIME_DIRECTORY" -mindepth 1)" '' "$2: nothing is left"
}
echo 'AA:BB' >"$host/thumbprint"
refused 'The thumbprint of the host is another one' 'another thumbprint'
simctl ready sha1 >"$host/thumbprint"
echo other >"$host/password"
refused 'incorrect user name or password' 'a password that the host does not take'
cp "$sim/password" "$host/password"
: >"$host/complain"
refused 'VixDiskLib_ConnectEx: not with' 'an error that talks too much'
is "$(grep -hcF -e "$marker" "$TEST_TMP/answer" "$TEST_TMP/stderr" | xargs)" '0 0' 'and no word of the password'
unlike "$(cat "$TEST_TMP/answer")" $'\033|u001b' 'and no control sequence'
rm "$host/complain"
vddk_spec '{"plugin": "/nowhere/plugin.so"}'
refused '/nowhere/plugin.so' 'a plugin that is not there'
vddk_spec '{"nbdkit": "/nowhere/nbdkit"}'
refused 'cannot execute /nowhere/nbdkit' 'an nbdkit that is not there'
vddk_spec '{"compression": "paper"}'
refused 'unknown compression type' 'a setting that the plugin does not know'
for bad in '{"plugin": "../x"}' '{"plugin": "-v"}' '{"libdir": "x"}' '{"password": "x"}' '{"transports": "a\nb"}' '{"plugin": 7}'; do
    vddk_spec "$bad"
    is "$(read_disk vddk $size)" refused "the setting $bad is refused before anything starts"
done
spec "$file" DC0 "$(more '-v' "$snap")"
is "$(read_disk vddk $size)" refused 'so is a reference that is none'
vddk_spec
read_disk vddk $((size + 512)) >/dev/null
is "$(answer code)" ERANGE 'another size is noticed'

# Our own login says what is wrong.
(umask 077 && printf 'wr0ng&<\n' >"$CREDENTIALS_DIRECTORY/vcenter")
before=$(grep -c '^start' "$host/log")
refused '[Ll]og ?in|password' 'a wrong password'
is "$(answer code)" EACCES 'as vCenter says'
is "$(grep -c '^start' "$host/log")" "$before" 'before nbdkit is started'
is "$(pgrep -f "$host" | wc -l)" 0 'no child is left by any of them'
done_testing
