#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A ledger that takes the job and has no room for its next line: no snapshot is made that a restarted node would know
# nothing of. Node and API are the real ones, on a bus of their own without systemd.

. "$(dirname "$0")/../lib/tap.sh"

[ "$(id -u)" -eq 0 ] || skip_all "needs root, for a file system of one page"
mkdir "$TEST_TMP"/{state,run,credentials}
mount -t tmpfs -o size=4k,mode=700 ledger "$TEST_TMP/state" 2>"$TEST_TMP/mount" || skip_all "cannot mount: $(<"$TEST_TMP/mount")"
at_end 'umount -l "$TEST_TMP/state"'
token=$(openssl rand -hex 32)
printf 'hub %s\n' "$("$SENDENSE_BUILD/helpers/node-api/sendense-node-api" --hash-token <<<"$token")" >"$TEST_TMP/credentials/tokens"
printf '[Node]\n' >"$TEST_TMP/node.conf"

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus
dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" --print-address=1 >"$TEST_TMP/address" 2>/dev/null &
at_end "kill $!"
require "a bus" eventually 20 test -s "$TEST_TMP/address"
activate() { # SOCKET NAME=VALUE... PROGRAM; systemd would give it the socket
    local environment=() socket=$1
    shift
    while [[ $1 == *=* ]]; do environment+=(-E "$1") && shift; done
    systemd-socket-activate --listen="$socket" -E DBUS_SYSTEM_BUS_ADDRESS "${environment[@]}" "$@" >>"$TEST_TMP/log" 2>&1 &
    at_end "kill $!"
    eventually 20 test -S "$socket"
}
activate "$TEST_TMP/credentials.sock" STATE_DIRECTORY="$TEST_TMP/state" RUNTIME_DIRECTORY="$TEST_TMP/run" \
    "$SENDENSE_BUILD/busd/node/sendense-node" --config "$TEST_TMP/node.conf"
activate "$TEST_TMP/api.sock" CREDENTIALS_DIRECTORY="$TEST_TMP/credentials" "$SENDENSE_BUILD/helpers/node-api/sendense-node-api"
is "$(curl -s --max-time 5 --unix-socket "$TEST_TMP/credentials.sock" http://x/)" "" "who is not systemd gets no credential"
ask() { curl -s --max-time 20 --unix-socket "$TEST_TMP/api.sock" -H "Authorization: Bearer $token" "${@:1:$#-1}" "http://localhost/api/v1/${*: -1}"; }
ready() { [[ "$(ask health)" == *'"protocol":1'* ]]; }
eventually 20 ready || diag "$(<"$TEST_TMP/log")"
require "a node" ready

word=$(openssl rand -hex 8)
cat >"$TEST_TMP/request" <<JSON
{"job_id": 7, "attempt": 1, "vm_name": "web", "vm_path": "DC0/vm/web", "instance_uuid": "5012d6b4-0000-4000-8000-000000000001",
 "vcenter_host": "vc.example", "vcenter_user": "u", "vcenter_password": "$word", "backup_type": "full",
 "nbd_targets": {"2000": "nbd://127.0.0.1:10100/e"}}
JSON
like "$(ask --data-binary "@$TEST_TMP/request" backup/start)" '"job_id":7' "the job is taken"
ended() { [[ "$(ask backup/7)" == *'"state":"failed"'* ]]; }
ok "it fails at once" eventually 20 ended
like "$(ask backup/7)" 'ledger .*cannot be written, so no snapshot was made' "and says why"
like "$(ask backup/7)" '"owes_snapshot":false' "nothing is owed"
unlike "$(cat "$TEST_TMP"/state/*/* "$TEST_TMP/log")" "$word" "the password is neither in the ledger nor in the log"
done_testing
