# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# A message bus of one's own with the policy of a system bus and the tree's own policy files, for
# any suite that talks to a daemon: source it after tap.sh. private_bus_start exports
# DBUS_SYSTEM_BUS_ADDRESS, so that daemons, busctl and polkitd all use it.
# It needs root, because some callers are other users.

private_bus_pid=
private_bus_dir=

# private_bus_start [POLICY-FILE...]: starts the bus; polkit's policy and the given files are read.
private_bus_start() {
    local file includes=

    # Other users must reach the socket, and its path must fit into sockaddr_un: TEST_TMP may do neither.
    private_bus_dir=$(mktemp -d /tmp/sendense-bus.XXXXXX) || return 1
    chmod 0711 "$private_bus_dir"
    at_end "rm -rf '$private_bus_dir'"

    for file in /usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf "$@"; do
        includes+="  <include>$file</include>"$'\n'
    done
    # The policy is the one of Debian's system.conf, without its services and its user.
    cat >"$private_bus_dir/bus.conf" <<CONF
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=$private_bus_dir/socket</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
  </policy>
  <policy user="root">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
$includes</busconfig>
CONF

    # The daemon writes its address once it listens: reading it is the wait.
    mkfifo "$private_bus_dir/address" || return 1
    dbus-daemon --config-file="$private_bus_dir/bus.conf" --nofork --nopidfile --nosyslog \
        --print-address=3 3>"$private_bus_dir/address" >"$private_bus_dir/log" 2>&1 </dev/null &
    private_bus_pid=$!
    at_end private_bus_stop
    if ! read -r -t 30 DBUS_SYSTEM_BUS_ADDRESS <"$private_bus_dir/address"; then
        diag "dbus-daemon does not start:" "$(cat "$private_bus_dir/log")"
        return 1
    fi
    export DBUS_SYSTEM_BUS_ADDRESS
}

private_bus_stop() {
    [ -n "$private_bus_pid" ] || return 0
    kill "$private_bus_pid" 2>/dev/null
    wait "$private_bus_pid" 2>/dev/null
    private_bus_pid=
}

# bus_wait_name NAME SECONDS: returns as soon as somebody owns it.
bus_wait_name() {
    eventually "$2" bus_has_name "$1"
}
bus_has_name() {
    [ "$(busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
        NameHasOwner s "$1")" = "b true" ]
}

# as_nobody COMMAND...: as a user without any right. In the background use the array, so that $! is
# the command and not a shell around it.
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
as_nobody() {
    "${nobody[@]}" "$@"
}
