#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 10000 hostile messages to the node, with descriptors of every wrong kind: it is as it was before, and holds none of them.
# What is said in fuzz.sh about policy and sanitizers holds here.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"

node_program=$SENDENSE_BUILD/busd/node/sendense-node
node=com.sendense.Node1
private_bus_start "$SENDENSE_SRC/deploy/dbus/$node.conf" "$SENDENSE_SRC/tests/bus/open-policy.conf" || exit 1
mkdir "$TEST_TMP/state" "$TEST_TMP/run"
STATE_DIRECTORY=$TEST_TMP/state RUNTIME_DIRECTORY=$TEST_TMP/run "$SENDENSE_SRC/tests/lib/with-machine-id" "$node_program" >"$TEST_TMP/log" 2>&1 &
node_pid=$!
at_end "kill -KILL $node_pid 2>/dev/null || true"
require "the node is on the bus" bus_wait_name "$node" 10 || diag "$(<"$TEST_TMP/log")"

methods=$(busctl --system --xml-interface introspect "$node" /com/sendense/Node1 |
    xmllint --xpath '//interface[@name="com.sendense.Node1.Manager"]/method/@name' - | grep -oE '"[^"]+"' | tr -d '"' | sort)
is "$(sed -n '/^static const BusTargetMethod node_methods/,/^};/p' "$SENDENSE_SRC/tests/fuzz/bus-target.c" | grep -oE '\{ "[A-Za-z]+' | tr -d '{ "' | sort)" \
    "$methods" "each method of the node is called"

n_messages=10000 memory=()
if grep -q __asan_init "$node_program"; then
    n_messages=600 memory=(--no-memory)
fi
out=$("$SENDENSE_BUILD/tests/fuzz/fuzz-bus" node 20261121 "$n_messages" "${memory[@]}" 2>&1 </dev/null)
is "$?" 0 "the node stood $n_messages hostile messages"
diag "$out"
is "$(ls "$TEST_TMP/state/ledger" 2>/dev/null)" "" "nothing was begun by them"
is "$(busctl --system get-property "$node" /com/sendense/Node1 com.sendense.Node1.Manager Tasks)" "u 0" "it has no task, and answers"
kill -TERM "$node_pid"
wait "$node_pid"
is "$?" 0 "SIGTERM still ends it with success"
done_testing
