# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Starts and asks the hub on a private bus. Source it after tap.sh and private-bus.bash. Without a
# line to the contrary the hub's database is a socket that nobody listens on.

# A copy, because the tree may lie where only root may look, and some tests run it as another user.
chmod 0755 "$TEST_TMP"
install -m 755 "${hub_program:-$SENDENSE_BUILD/busd/hub/sendense-hub}" "$TEST_TMP/sendense-hub" || exit 1
hub_program=$TEST_TMP/sendense-hub
# What the tests read; no line in here does.
# shellcheck disable=SC2034
{
    hub_name=com.sendense.Hub1
    hub_path=/com/sendense/Hub1
    hub_manager=com.sendense.Hub1.Manager
    hub_policy=$SENDENSE_SRC/deploy/dbus/com.sendense.Hub1.conf
}
hub_pid=
hub_log=$TEST_TMP/hub.log

# Where it writes what sshd reads; whoever it runs as may.
export SENDENSE_NODES_FOLDER=$TEST_TMP/nodes
install -d -m 0777 "$SENDENSE_NODES_FOLDER"

# shellcheck source=tests/lib/public-key.bash
. "$SENDENSE_SRC/tests/lib/public-key.bash"

# hub_config [LINE...]: writes the config that hub_start uses. hub_database is the socket, hub_probe how often it is looked for.
hub_config() {
    {
        printf '[Database]\nSocket=%s\nProbeSec=%s\n' "${hub_database:-$TEST_TMP/no-mysqld.sock}" "${hub_probe:-200ms}"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$TEST_TMP/hub.conf"
}

# hub_launch [COMMAND...]: starts the hub, under COMMAND if given, and does not wait.
hub_launch() {
    [ -e "$TEST_TMP/hub.conf" ] || hub_config
    "$@" "$hub_program" --config="$TEST_TMP/hub.conf" >>"$hub_log" 2>&1 </dev/null &
    hub_pid=$!
    at_end hub_kill
}

# hub_start [COMMAND...]: starts it and returns when its name is on the bus.
hub_start() {
    hub_launch "$@"
    bus_wait_name "$hub_name" 30 && return 0
    diag "the hub does not come up:" "$(cat "$hub_log")"
    return 1
}

# hub_stop [SIGNAL]: the status of the hub's end.
hub_stop() {
    local rc
    kill "-${1:-TERM}" "$hub_pid" || return 1
    wait "$hub_pid"
    rc=$?
    hub_pid=
    return "$rc"
}

hub_kill() {
    [ -n "$hub_pid" ] || return 0
    kill -KILL "$hub_pid" 2>/dev/null
    wait "$hub_pid" 2>/dev/null
    hub_pid=
}

hub_owner() {
    busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
        GetNameOwner s "$hub_name"
}

# hub_get PROPERTY: the value as busctl writes it: s "running".
hub_get() {
    busctl --system get-property "$hub_name" "$hub_path" "$hub_manager" "$1"
}
hub_property_is() {
    [ "$(hub_get "$1")" = "$2" ]
}

# hub_call METHOD [SIGNATURE ARGUMENT...]
hub_call() {
    busctl --system call "$hub_name" "$hub_path" "$hub_manager" "$@"
}

# hub_error PATH INTERFACE.METHOD [ARGUMENT...]: what a call answers, with the name of its error
# (busctl does not show it). Arguments as GVariant texts.
hub_error() {
    local path=$1 method=$2
    shift 2
    gdbus call --system --dest "$hub_name" --object-path "$path" --method "$method" -- "$@" 2>&1
}
