#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the hub says about itself is true, and changes are announced.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_config '[Exports]' 'Ports=10300-10310' '[Hub]' 'LogLevel=notice'
began=${EPOCHREALTIME/[.,]/}
hub_start || exit 1
ended=${EPOCHREALTIME/[.,]/}

text_of() { hub_get "$1" | sed 's/^s "\(.*\)"$/\1/'; }

version_line=$("$hub_program" --version | head -n 1)
like "$version_line" "$(text_of Version)" "Version is what --version says"
like "$version_line" "$(text_of Commit)" "Commit is what --version says"
is "$(text_of BuildId)" "$(readelf -n "$hub_program" | sed -n 's/.*Build ID: //p')" \
    "BuildId is the one in the program's file"
is "$(hub_get ExportPorts)" '(qq) 10300 10310' "ExportPorts are the configured ones"
is "$(text_of LogLevel)" notice "LogLevel is the configured one"

started=$(hub_get StartedUSec)
started=${started#t }
ok "StartedUSec lies between our start and its name" \
    test "$began" -le "$started" -a "$started" -le "$ended"

newest=$(find "$SENDENSE_SRC/sql" -name '[0-9][0-9][0-9][0-9]-*.sql' 2>/dev/null | sort | tail -n 1)
newest=$(basename "${newest:-0000}")
is "$(hub_get ProgramSchema)" "u $((10#${newest%%-*}))" "ProgramSchema is the newest migration"

ok "State becomes degraded without a database" eventually 30 hub_property_is State 's "degraded"'
is "$(text_of DatabaseState)" unreachable "DatabaseState is unreachable"
like "$(text_of DatabaseError)" "no-mysqld.sock" "DatabaseError names the socket"
is "$(hub_get DatabaseSchema)" 'u 0' "DatabaseSchema is unknown"

status=$(hub_call GetStatus 'a{sv}' 0)
for pair in '"State" s "degraded"' '"DatabaseState" s "unreachable"' '"LogLevel" s "notice"' \
    '"ExportPorts" \(qq\) 10300 10310' "\"ProcessId\" u $hub_pid" "\"StartedUSec\" t $started"; do
    like "$status" "$pair" "GetStatus has $pair"
done
is "$(busctl --system call "$hub_name" "$hub_path" org.freedesktop.DBus.ObjectManager GetManagedObjects)" \
    'a{oa{sa{sv}}} 0' "no objects below the Manager yet"
like "$(busctl --system tree --list "$hub_name")" "^$hub_path$" "busctl tree shows the Manager"

# The line "The name … is owned by" is gdbus telling that it listens.
gdbus monitor --system --dest "$hub_name" --object-path "$hub_path" >"$TEST_TMP/signals" 2>&1 &
monitor=$!
at_end "kill $monitor"
require "a listener is there" eventually 30 grep -q 'is owned by' "$TEST_TMP/signals"
is "$(hub_call SetLogLevel 'sa{sv}' debug 0)" '' "SetLogLevel answers nothing"
is "$(text_of LogLevel)" debug "SetLogLevel sets the level"
ok "the change is announced" \
    eventually 30 grep -q "PropertiesChanged ('$hub_manager', {'LogLevel': <'debug'>}" "$TEST_TMP/signals"
like "$(cat "$hub_log")" 'Log level set to debug by uid:0' "the journal says who did it"
is "$(hub_call ProbeDatabase 'a{sv}' 0)" 's "unreachable"' "ProbeDatabase answers the state after the attempt"

like "$(hub_error "$hub_path" org.freedesktop.DBus.Properties.Set "$hub_manager" LogLevel '<"err">')" \
    'AccessDenied: Rejected send message' "no property can be written: the bus policy has no Set"
is "$(text_of LogLevel)" debug "and the level is as before"

hub_stop
is $? 0 "SIGTERM ends it with success"
ok "its last word is announced: stopping" \
    eventually 30 grep -q "{'State': <'stopping'>}" "$TEST_TMP/signals"
done_testing
