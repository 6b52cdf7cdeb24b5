#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-node-api on a socket and a bus of its own: tokens, paths and methods, and a node that is not there.

. "$(dirname "$0")/../lib/tap.sh"

program=$SENDENSE_BUILD/helpers/node-api/sendense-node-api
socket=$TEST_TMP/api.sock
token=$(openssl rand -hex 32)
mkdir "$TEST_TMP/credentials"
printf '# one\nhub %s\n' "$("$program" --hash-token <<<"$token")" >"$TEST_TMP/credentials/tokens"

dbus-daemon --session --nofork --address="unix:path=$TEST_TMP/bus" --print-address=1 >"$TEST_TMP/address" 2>/dev/null &
bus_pid=$!
at_end "kill $bus_pid"
ok "a bus" eventually 20 test -s "$TEST_TMP/address"

env DBUS_SYSTEM_BUS_ADDRESS="unix:path=$TEST_TMP/bus" systemd-socket-activate --listen="$socket" \
    -E CREDENTIALS_DIRECTORY="$TEST_TMP/credentials" -E DBUS_SYSTEM_BUS_ADDRESS "$program" >"$TEST_TMP/log" 2>&1 &
api_pid=$!
at_end 'kill "$api_pid" 2>/dev/null || :'
ok "a socket" eventually 20 test -S "$socket"

ask() { # CURL-ARGUMENT... PATH: "STATUS body"
    curl -s --max-time 20 --unix-socket "$socket" -H "Authorization: Bearer $token" -w '\n%{http_code}' "${@:1:$#-1}" "http://localhost${*: -1}" |
        tac | paste -sd' '
}
like "$(ask /api/v1/health)" '^503 .*systemctl start sendense-node.service' "the node does not run, and how to start it"
for path in health backups backup/7 backup/start backup/7/events; do
    is "$(curl -s --unix-socket "$socket" -o /dev/null -w '%{http_code}' "http://localhost/api/v1/$path")" \
        "$([ $path = backup/start ] && echo 405 || echo 401)" "$path needs a token"
done
like "$(curl -s -i --unix-socket "$socket" http://localhost/api/v1/backup/start)" '^Allow: POST' "GET of start: 405 and what there is"
like "$(ask -d '{}' /api/v1/backup/start)" '^503 ' "start"
like "$(ask -X DELETE /api/v1/backup/7)" '^503 ' "cancel"
like "$(ask /api/v1/backup/7/events)" '^503 ' "events"
like "$(ask -d '{"outcome":"committed"}' /api/v1/backup/7/release)" '^503 ' "release"
for body in '' '{' '[]' '{"outcome":7}' '{"outcome":"something-that-is-too-long"}' '{"outcome":"a","outcome":"b"}'; do
    like "$(ask -d "$body" /api/v1/backup/7/release)" '^400 .*outcome' "release with ${body:-nothing}"
done
for attempt in 0 -1 2147483648 '"1"' null; do
    like "$(ask -d "{\"outcome\":\"abandoned\",\"attempt\":$attempt}" /api/v1/backup/7/release)" '^400 .*attempt' "release of attempt $attempt"
done
like "$(ask -d '{"outcome":"abandoned","attempt":2147483647}' /api/v1/backup/7/release)" '^503 ' "release of the last attempt there can be"
for id in 0 -1 x 9223372036854775808 %20; do
    like "$(ask /api/v1/backup/$id)" '^404 ' "no job is called $id"
done

# A node that is there, and says what the test tells it to.
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus
"$SENDENSE_BUILD/tests/http/node-peer" >"$TEST_TMP/peer" 2>&1 &
node_pid=$!
at_end "kill $node_pid"
require "a node" eventually 20 grep -q ready "$TEST_TMP/peer"
says() { busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" call com.sendense.Node1 /com/sendense/Node1 com.sendense.Test Say s "$1"; }
events() { # begins a stream; not in a subshell
    curl -sN --max-time 60 --unix-socket "$socket" -H "Authorization: Bearer $token" http://localhost/api/v1/backup/7/events >"$TEST_TMP/events" &
    events_pid=$!
}
seen() { [ "$(grep -c "$1" "$TEST_TMP/events")" -ge "$2" ]; }
is "$(ask /api/v1/backups)" '200 {"backups":[{"state":"copying"}]}' "what the node lists"
events
ok "a stream begins with the state" eventually 20 seen '"copying"' 1
says hold
says copied
ok "a question that failed is told" eventually 20 seen 'Not now' 1
ok "and asked again when something changed meanwhile" eventually 20 seen '"copied"' 1
says nonsense
ok "an answer of another type is told" eventually 20 seen 'does not understand' 1
like "$(ask /api/v1/backups)" '^502 .*does not understand' "a list that is none is no empty answer"
like "$(ask /api/v1/backup/7/events)" '^502 .*does not understand' "nor does a stream begin with it"
says gone
ok "a task that is known no more ends the stream" timeout 20 tail --pid="$events_pid" -f /dev/null
is "$(tail -n 3 "$TEST_TMP/events" | head -n 1)" 'event: error' "after it was told"
says copying
events
ok "another stream" eventually 20 seen '"copying"' 1
says released
ok "ends with the task" timeout 20 tail --pid="$events_pid" -f /dev/null
unset DBUS_SYSTEM_BUS_ADDRESS
unlike "$(<"$TEST_TMP/log")" "$token" "the token is in no line of the log"

# It ends while a stream waits for its first answer; the sanitizers say whether that is forgotten.
kill -STOP "$node_pid"
events
connected() { [ "$(ss -xH state established src "$socket" | wc -l)" -ge 1 ]; }
ok "a stream waits for a node that says nothing" eventually 20 connected
is "$(ask /api/v1/backup/start | cut -d' ' -f1)" 405 "others are answered meanwhile"
kill "$api_pid"
wait "$api_pid" 2>/dev/null
is "$?" 0 "the end is a success all the same"
unlike "$(<"$TEST_TMP/log")" 'Sanitizer' "and nothing is lost"
kill -CONT "$node_pid"

# Another file of tokens.
starts() { # TEXT: the program with these tokens, on no socket at all
    printf '%s' "$1" >"$TEST_TMP/credentials/tokens"
    CREDENTIALS_DIRECTORY=$TEST_TMP/credentials "$program" 2>&1
}
out=$(starts $'# fine\nhub nonsense')
is "$?" 78 "a line that is none: the program does not start"
like "$out" 'node-api.tokens, line 2' "and names it"
like "$(starts '')" 'no token in /etc/sendense/node-api.tokens' "no token is told"
out=$("$program" --hash-token <<<short 2>&1)
is "$?" 65 "what is too short is no token"
like "$out" 'openssl rand' "and how to make one is told"
done_testing
