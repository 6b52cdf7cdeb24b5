#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the running node has on the bus is what the bus policy lets through, and what the man page and the API reference
# say; sendense-node.conf(5) has the settings of the reader.

. "$(dirname "$0")/../lib/tap.sh"

export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$TEST_TMP/bus
mkdir -p "$TEST_TMP/state/ledger" "$TEST_TMP/run"
# A job that is over, so that there is a task to look at.
echo '{"Job":3,"Attempt":1,"State":"failed","Digest":"0","BootId":"0","Request":{"vm_name":"web","nbd_targets":{"2000":"nbd://127.0.0.1/x"}}}' >"$TEST_TMP/state/ledger/3.json"
dbus-daemon --session --nofork --address="$DBUS_SYSTEM_BUS_ADDRESS" >/dev/null 2>&1 &
at_end "kill $!"
ok "a bus" eventually 20 test -S "$TEST_TMP/bus"
STATE_DIRECTORY=$TEST_TMP/state RUNTIME_DIRECTORY=$TEST_TMP/run "$SENDENSE_SRC/tests/lib/with-machine-id" \
    "$SENDENSE_BUILD/busd/node/sendense-node" 2>"$TEST_TMP/log" &
node=$!
at_end "kill $node"
ask() { busctl --address="$DBUS_SYSTEM_BUS_ADDRESS" "$@"; }
ok "the node is on it" eventually 20 ask status com.sendense.Node1 || diag "$(<"$TEST_TMP/log")"

xml=$(ask introspect --xml-interface com.sendense.Node1 /com/sendense/Node1)

# Golden. To accept a change: SENDENSE_GOLDEN_UPDATE=1 tests/node/surface.sh, and review the diff.
golden() { # INTERFACE PATH
    local file=$SENDENSE_SRC/tests/bus/golden/$1.xml got
    got=$(ask introspect --xml-interface com.sendense.Node1 "$2" | xmllint --xpath '//interface[starts-with(@name,"com.sendense.")]' -)
    [ -z "${SENDENSE_GOLDEN_UPDATE:-}" ] || printf '%s\n' "$got" >"$file"
    is "$(diff "$file" <(printf '%s\n' "$got") 2>&1)" '' "$1 is the golden one"
}
golden com.sendense.Node1.Manager /com/sendense/Node1
golden com.sendense.Node1.Task /com/sendense/Node1/task/3

methods=$(xmllint --xpath '//interface[starts-with(@name, "com.sendense.")]/method/@name' - <<<"$xml" | grep -oE '"[^"]+"' | tr -d '"' | sort)
properties=$(xmllint --xpath '//interface[starts-with(@name, "com.sendense.")]/property/@name' - <<<"$xml" | grep -oE '"[^"]+"' | tr -d '"' | sort)
allowed=$(xmllint --nonet --xpath '//policy[@context="default"]/allow[starts-with(@send_interface, "com.sendense.")]/@send_member' \
    "$SENDENSE_SRC/deploy/dbus/com.sendense.Node1.conf" | grep -oE '"[^"]+"' | tr -d '"' | sort)
ok "it has methods" [ "$(wc -l <<<"$methods")" -ge 7 ]
is "$allowed" "$methods" "the bus policy lets through what there is, and nothing else"
api=$(sed -n '/^## D-Bus: the node/,/^## HTTP/p' "$SENDENSE_SRC/docs/API_REFERENCE.md")
is "$(grep -oE '^\| `[A-Z][A-Za-z]+\(' <<<"$api" | tr -d '|` (' | sort)" "$methods" "API_REFERENCE has each method"
page=$(man -E UTF-8 -l "$SENDENSE_SRC/docs/man/sendense-node.8" 2>/dev/null | col -b)
for name in $methods; do like "$page" "\\b$name\\b" "sendense-node(8) has $name"; done
for name in $properties; do like "$api" "\`$name\`" "API_REFERENCE has the property $name"; done

# Each method refuses what makes no sense, and the node lives on.
for call in "GetTask t 7" "GetResult t 7" "Cancel t 7" "Release ts 7 committed"; do
    # shellcheck disable=SC2086 # words of a call
    set -- $call
    like "$(ask call com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager "$1" "${2}a{sv}" "${@:3}" 0 2>&1)" 'no job 7' "$1: no such job"
done
like "$(ask call com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager ListTasks 'a{sv}' 1 surprise s x 2>&1)" surprise "an unknown option is named"
is "$(ask -j call com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager ListTasks 'a{sv}' 0 | jq -c '[.data[0][] | [.Id.data, .State.data]]')" '[[3,"failed"]]' "the one task"
ok "it lives on" ask status com.sendense.Node1

documented=$(sed -nE 's/^\.BR ([A-Za-z]+)= " \(default: (.*)\)"$/\1 \2/p' "$SENDENSE_SRC/docs/man/sendense-node.conf.5" | sed 's/\\-/-/g')
table=$(awk '/^const ConfigKey node_config_keys/,/^};/' "$SENDENSE_SRC/lib/node-config.c" | tr '\n' ' ' |
    grep -oE '\{ "[A-Z][A-Za-z]+", "[A-Z][A-Za-z]+", [^"]*"[^"]*"' | sed -E 's/^\{ "[A-Za-z]+", "([A-Za-z]+)".*"([^"]*)"$/\1 \2/')
is "$documented" "$table" "sendense-node.conf(5) has the settings, with their defaults"

# The result of a copy: there is none yet, there is one, and the node cannot open one more file.
result_of() { ask -j call com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager GetResult 'ta{sv}' "$1" 0 2>&1; }
like "$(result_of 3)" 'Job 3 is failed and has copied nothing' "GetResult: nothing is copied yet"
echo '{"result":"ok"}' >"$TEST_TMP/state/ledger/3.result"
ok "GetResult: there it is" result_of 3
# Whoever opens a file gets the lowest number that is free; the limit is that number.
free=0
while [ -e "/proc/$node/fd/$free" ]; do free=$((free + 1)); done
prlimit --pid "$node" --nofile="$free:"
like "$(result_of 3)" 'result of job 3 cannot be opened now: Too many open files' "GetResult: no file more can be opened, and that is said"
# Opened, and no second one for the message.
prlimit --pid "$node" --nofile="$((free + 1)):"
like "$(result_of 3)" 'result of job 3 cannot be opened now: Too many open files' "GetResult: nor can it be handed over"
is "$(ask -j call com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager ListTasks 'a{sv}' 0 | jq '.data[0] | length')" 1 "the node lives on without"
prlimit --pid "$node" --nofile=1024:
ok "GetResult: and with a file to spare it is there again" result_of 3

# A wrong setting: one line, status 78.
printf '[Copy]\nTransport=pigeon\n' >"$TEST_TMP/wrong.conf"
out=$("$SENDENSE_BUILD/busd/node/sendense-node" --config="$TEST_TMP/wrong.conf" 2>&1)
is "$?" 78 "a wrong setting: status 78"
like "$out" 'wrong.conf:2: .*Transport=pigeon must be one of https, vddk' "and what would be right"
done_testing
