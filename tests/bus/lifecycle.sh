#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Birth and end of the hub: what it tells systemd, and which status it leaves with.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_config

# Stands where systemd stands: reads what the hub notifies. A datagram is a line or more.
notify=$private_bus_dir/notify
socat -u "UNIX-RECV:$notify" "OPEN:$TEST_TMP/notified,creat,append" &
socat_pid=$!
at_end "kill $socat_pid"
require "somebody listens for notifications" eventually 30 test -S "$notify"
notified() { tr -d '\0' <"$TEST_TMP/notified" | sed 's/\(READY=1\|STOPPING=1\|WATCHDOG=1\|STATUS=\)/\n\1/g'; }
was_notified() { notified | grep -q -e "$1"; }

hub_start env NOTIFY_SOCKET="$notify" WATCHDOG_USEC=400000 || exit 1
first=$hub_pid
ok "READY=1 is sent" eventually 30 was_notified '^READY=1'
ok "STATUS= tells state and database" \
    eventually 30 was_notified '^STATUS=degraded; database unreachable: .*no-mysqld.sock'
ok "the watchdog is fed" eventually 30 was_notified '^WATCHDOG=1'

owner=$(hub_owner)
out=$(timeout 10 "$hub_program" --config="$TEST_TMP/hub.conf" 2>&1 </dev/null)
is $? 1 "a second hub ends with failure"
like "$out" 'com.sendense.Hub1 is taken: another sendense-hub runs on this bus, stop it first' \
    "and says why"
is "$(hub_owner)" "$owner" "the first one keeps the name"
printf '[Api]\nPort=0\n' >"$TEST_TMP/wrong.conf"
timeout 10 "$hub_program" --config="$TEST_TMP/wrong.conf" >/dev/null 2>&1 </dev/null
is $? 78 "a second hub with a wrong config says nothing on the bus"
is "$(hub_owner)" "$owner" "and the first one keeps the name"

began=${EPOCHREALTIME/[.,]/}
hub_stop TERM
rc=$?
took=$((${EPOCHREALTIME/[.,]/} - began))
is "$rc" 0 "SIGTERM: status 0"
# Within a second, where the machine is not busy with other things. What it could wait for, an answer, takes 25 s.
ok "SIGTERM: gone without waiting for anything ($took us)" test "$took" -lt 5000000
ok "STOPPING=1 was sent" eventually 20 was_notified '^STOPPING=1'
ok "STATUS=stopping was sent" eventually 20 was_notified '^STATUS=stopping'
not_ok "the name is released" bus_has_name "$hub_name"
not_ok "no process is left" kill -0 "$first"

hub_start || exit 1
hub_stop INT
is $? 0 "SIGINT: status 0"

hub_start || exit 1
kill -KILL "$hub_pid"
wait "$hub_pid" 2>/dev/null
hub_start
is $? 0 "after kill -9 the next one comes up"

# The user nobody may not own the name: the bus says no to RequestName.
hub_stop
chmod 0755 "$TEST_TMP"
out=$(as_nobody timeout 10 "$hub_program" 2>&1 </dev/null)
is $? 1 "a user who may not own the name: status 1"
like "$out" 'The bus refuses the name com.sendense.Hub1: .*com.sendense.Hub1.conf' \
    "and the policy file is named"

hub_start || exit 1
private_bus_stop
wait "$hub_pid"
is $? 1 "when the bus dies, the hub ends with failure"
hub_pid=
like "$(cat "$hub_log")" 'Lost the connection to the message bus' "and says so"

# A bus that takes the greeting and never answers: the hub waits for it and still obeys.
socat -u "UNIX-LISTEN:$private_bus_dir/mute" "OPEN:$TEST_TMP/greeting,creat" &
mute=$!
at_end "kill $mute 2>/dev/null || :"
require "a mute bus listens" eventually 30 test -S "$private_bus_dir/mute"
DBUS_SYSTEM_BUS_ADDRESS=unix:path=$private_bus_dir/mute
hub_launch
require "the hub greets it" eventually 30 test -s "$TEST_TMP/greeting"
began=${EPOCHREALTIME/[.,]/}
hub_stop
rc=$?
took=$((${EPOCHREALTIME/[.,]/} - began))
is "$rc" 0 "a hub whose bus never answered ends on SIGTERM"
ok "and without waiting for it ($took us)" test "$took" -lt 5000000
done_testing
