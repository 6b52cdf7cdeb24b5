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

# The hub's work. What is refused before anybody looks into the database, and what then needs it.
for call in "ListRepositories" "ListVms" "ListBackups" "ListJobs" "ListPorts" "ListObligations" "Cleanup" "Diagnose" \
    "RemoveRepository local" "CheckRepository local" "ScanRepository local" "GetVm db1" "StartBackup db1" "GetJob 7" "CancelJob 7"; do
    read -r -a words <<<"$call"
    refused "${words[0]}: unknown option" "$sendense.UnknownOption" 'no-such-option' "$hub_path" \
        "$hub_manager.${words[0]}" "${words[@]:1}" '{"no-such-option": <true>}'
    case ${words[0]} in
    Diagnose | CancelJob) ;; # answers without it; knows the open jobs by heart
    *) refused "${words[0]}: without the database" "$sendense.(DatabaseUnavailable|NotAllowed)" '' "$hub_path" \
        "$hub_manager.${words[0]}" "${words[@]:1}" '@a{sv} {}' ;;
    esac
done
refused "CancelJob: no such job" "$sendense.NotFound" 'No job 7 is open' "$hub_path" "$hub_manager.CancelJob" 7 '@a{sv} {}'
refused "GetJob: 0" "$sendense.NotFound" 'no job 0' "$hub_path" "$hub_manager.GetJob" 0 '@a{sv} {}'
for path in relative / /srv/ /srv//x /srv/../x /srv/. '' "/$long" $'/srv/a\nb' '/srv/a"b' '/srv/a\b'; do
    refused "AddRepository: path ${path:0:12}" "$sendense.InvalidArgument" 'path must be an absolute path' "$hub_path" \
        "$hub_manager.AddRepository" x "'${path//\\/\\\\}'" '@a{sv} {}'
done
for path in /home/x /root /tmp/x /var/tmp/y /dev/shm /run/user/0; do
    refused "AddRepository: hidden path $path" "$sendense.InvalidArgument" 'cannot see' "$hub_path" \
        "$hub_manager.AddRepository" x "$path" '@a{sv} {}'
done
for name in 7 -x 'a b' 'a/b' '' "$long" ü; do
    refused "AddRepository: name ${name:0:12}" "$sendense.InvalidArgument" 'name must have' "$hub_path" \
        "$hub_manager.AddRepository" "'$name'" /srv/x '@a{sv} {}'
done
uuid=50112233-4455-6677-8899-aabbccddeeff
# set_vm NAME TEXT DISKS: DISKS as gdbus reads them.
set_vm() {
    refused "SetVm: $1" "$sendense.InvalidArgument" "$2" "$hub_path" "$hub_manager.SetVm" "'$uuid'" vm /vm "$3" '@a{sv} {}'
}
good="'UnitNumber': <uint32 0>, 'CapacityBytes': <uint64 512>"
set_vm "a disk without its key" 'must have Key' "[{$good}]"
set_vm "key 0" 'must have Key' "[{'Key': <uint32 0>, $good}]"
set_vm "a negative key of VMware" 'Key must be' "[{'Key': <uint32 4294967295>, $good}]"
set_vm "capacity 0" 'above 0' "[{'Key': <uint32 1>, 'UnitNumber': <uint32 0>, 'CapacityBytes': <uint64 0>}]"
set_vm "half a sector" 'multiple of 512' "[{'Key': <uint32 1>, 'UnitNumber': <uint32 0>, 'CapacityBytes': <uint64 513>}]"
set_vm "a key twice" 'have the key 2000' "[{'Key': <uint32 2000>, $good}, {'Key': <uint32 2000>, $good}]"
set_vm "a key of another type" 'must be a number' "[{'Key': <'2000'>, $good}]"
many=$(for ((i = 1; i <= 257; i++)); do printf "{'Key': <uint32 %d>, %s}, " "$i" "$good"; done)
set_vm "257 disks" '256 disks at most' "[${many%, }]"
refused "SetVm: a control character" "$sendense.InvalidArgument" 'control characters' "$hub_path" "$hub_manager.SetVm" \
    "'$uuid'" "'a\\nb'" /vm '@aa{sv} []' '@a{sv} {}'
refused "SetVm: a name of 256 bytes" "$sendense.InvalidArgument" '1 to 255 bytes' "$hub_path" "$hub_manager.SetVm" \
    "'$uuid'" "$(printf '%0256d' 0 | tr 0 x)" /vm '@aa{sv} []' '@a{sv} {}'
refused "StartBackup: another type" "$sendense.InvalidArgument" 'full or incremental' "$hub_path" "$hub_manager.StartBackup" \
    db1 "{'type': <'differential'>}"
refused "StartBackup: sources are switched off" "$sendense.NotAllowed" 'AllowSources=yes' "$hub_path" "$hub_manager.StartBackup" \
    db1 "{'sources': <{uint32 2000: 'nbd://x'}>}"
refused "StartBackup: sources of another type" "$sendense.InvalidArgument" 'a\{us\}' "$hub_path" "$hub_manager.StartBackup" \
    db1 "{'sources': <{'2000': 'nbd://x'}>}"
refused "StartBackup: a source of 1025 bytes" "$sendense.InvalidArgument" '1024 bytes at most' "$hub_path" \
    "$hub_manager.StartBackup" db1 "{'sources': <{uint32 2000: '$(printf '%01025d' 0)'}>}"
refused "ListJobs: a limit of 0" "$sendense.InvalidArgument" '1 to 1000' "$hub_path" "$hub_manager.ListJobs" "{'limit': <uint32 0>}"
refused "ListJobs: a limit of 1001" "$sendense.InvalidArgument" '1000 at most' "$hub_path" "$hub_manager.ListJobs" \
    "{'limit': <uint32 1001>}"
refused "ListJobs: no such state" "$sendense.InvalidArgument" 'a state of a job' "$hub_path" "$hub_manager.ListJobs" \
    "{'state': <'sleeping'>}"

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
