#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# 10000 hostile messages: the hub is as it was before. The bus lets everything through, so that no
# policy stands between. Under a sanitizer there are 600, because it is slow, and memory is not
# compared, because it keeps what was freed; then the leaks are its to find, at the hub's end.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" "$SENDENSE_SRC/tests/bus/open-policy.conf" || exit 1
hub_config
hub_start || exit 1
require "the database is known to be away" eventually 30 hub_property_is DatabaseState 's "unreachable"'

methods=$(xmllint --xpath '//interface/method/@name' "$SENDENSE_SRC/tests/bus/golden/com.sendense.Hub1.Manager.xml" | grep -oE '"[^"]+"' | tr -d '"' | sort)
is "$(sed -n '/^static const BusTargetMethod hub_methods/,/^};/p' "$SENDENSE_SRC/tests/fuzz/bus-target.c" | grep -oE '\{ "[A-Za-z]+' | tr -d '{ "' | sort)" \
    "$methods" "each method of the hub is called"
n_messages=10000 memory=()
if grep -q __asan_init "$hub_program"; then
    n_messages=600 memory=(--no-memory)
fi
# What it has for itself, swapped out or not; pages of files come and go with what else the machine does.
memory_kb() { awk '/^(Pss_Anon|Pss_Shmem|Swap):/ { n += $2 } END { print n }' "/proc/$hub_pid/smaps_rollup"; }
before=$(memory_kb)

began=${EPOCHREALTIME/[.,]/}
out=$("$SENDENSE_BUILD/tests/fuzz/fuzz-bus" hub 20261121 "$n_messages" "${memory[@]}" 2>&1 </dev/null)
rc=$?
diag "$out"
is "$rc" 0 "the hub stood $n_messages hostile messages"
after=$(memory_kb)
diag "took $(((${EPOCHREALTIME/[.,]/} - began) / 1000)) ms, memory at start $before KiB, now $after KiB"
if [ ${#memory[@]} -eq 0 ]; then
    ok "its own memory is within 1 MiB of its start, without any warm-up" test "$after" -le $((before + 1024))
fi

ok "state changes are still announced and read" hub_property_is DatabaseState 's "unreachable"'
hub_stop
is $? 0 "SIGTERM still ends it with success"
done_testing
