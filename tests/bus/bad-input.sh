#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Calls with wrong contents get an error with a name and a useful text, and the hub lives on.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/private-bus.bash"
. "$(dirname "$0")/hub.bash"

private_bus_start "$hub_policy" || exit 1
hub_start || exit 1
owner=$(hub_owner)

long=$(printf '%0100000d' 0)

# refused NAME ERROR TEXT PATH METHOD [ARGUMENT...]
refused() {
    local name=$1 error=$2 text=$3 answer
    shift 3
    answer=$(hub_error "$@")
    like "$answer" "GDBus.Error:$error: .*$text" "$name"
    ok "$name: in less than 1000 bytes" test "${#answer}" -lt 1000
}
sendense=com.sendense.Error dbus=org.freedesktop.DBus.Error

for method in "GetStatus" "ProbeDatabase" "SetLogLevel 'info'"; do
    # One word is the method, the others are its arguments.
    read -r -a call <<<"${method//\'/}"
    refused "${call[0]}: unknown option" "$sendense.UnknownOption" 'no-such-option' "$hub_path" \
        "$hub_manager.${call[0]}" "${call[@]:1}" '{"no-such-option": <true>}'
    refused "${call[0]}: option with a key of 100000 bytes" "$sendense\\.[A-Z][A-Za-z]+" '' "$hub_path" \
        "$hub_manager.${call[0]}" "${call[@]:1}" "{\"$long\": <true>}"
done
refused "SetLogLevel: unknown level" "$sendense.InvalidArgument" 'must be one of emerg' \
    "$hub_path" "$hub_manager.SetLogLevel" loud '@a{sv} {}'
refused "SetLogLevel: level of 100000 bytes" "$sendense.InvalidArgument" 'must be one of emerg' \
    "$hub_path" "$hub_manager.SetLogLevel" "$long" '@a{sv} {}'
refused "SetLogLevel: empty level" "$sendense.InvalidArgument" 'must be one of emerg' \
    "$hub_path" "$hub_manager.SetLogLevel" '""' '@a{sv} {}'

wrong() { # NAME EXPECTED-ERROR ARGUMENT... of busctl call; gdbus would mend the types first
    local name=$1 text=$2
    shift 2
    like "$(busctl --system call "$hub_name" "$@" 2>&1)" "$text" "$name"
}
wrong "wrong type of the options" "Invalid arguments 's'" "$hub_path" "$hub_manager" GetStatus s x
wrong "missing options" "Invalid arguments 's'" "$hub_path" "$hub_manager" SetLogLevel s info
wrong "no arguments" "Invalid arguments ''" "$hub_path" "$hub_manager" GetStatus
wrong "one argument too many" "Invalid arguments 'a\\{sv\\}s'" "$hub_path" "$hub_manager" GetStatus \
    'a{sv}s' 0 x

refused "unknown property" "$dbus.UnknownProperty" '' "$hub_path" \
    org.freedesktop.DBus.Properties.Get "$hub_manager" NoSuchProperty
refused "unknown object" "$dbus.UnknownObject" '' "$hub_path/job/1" \
    org.freedesktop.DBus.Properties.GetAll "$hub_manager"

is "$(hub_owner)" "$owner" "the same connection owns the name after all of it"
like "$(hub_call GetStatus 'a{sv}' 0)" '"State"' "and answers"
done_testing
