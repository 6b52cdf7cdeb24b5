# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# A hub with a database, a master key and a stand-in for PID 1, for tests of nodes. Source it after tap.sh, private-bus.bash,
# hub.bash and tests/sql/mariadb.bash, and call nodes_ready once.
#
#   pid1 COMMAND           see systemd-stand-in.c; returns when it has been obeyed
#   swept                  how many sweeps were asked for so far
#   add NAME KEY-NUMBER [OPTIONS]; enrol TOKEN-NUMBER KEY-NUMBER; rotate, remove, node, nodes: calls of the hub
#   refused ERROR TEXT NAME    the last call was
#   ended PID NAME         a call in the background has been answered without an error
#   keys, tokens           the files: names and numbers of keys

enroll_user=4242
node_settings=() # more lines of [Tunnel]

nodes_ready() {
    # As root alone may make users, the hub and the bus look into a file of this test's own.
    sed '/^sendense-enroll:/d' /etc/passwd >"$TEST_TMP/passwd"
    printf 'sendense-enroll:x:%s:65534:Enrolment:/:/bin/sh\n' "$enroll_user" >>"$TEST_TMP/passwd"
    chmod 644 "$TEST_TMP/passwd"
    mount --bind "$TEST_TMP/passwd" /etc/passwd || exit 1

    cat >"$TEST_TMP/nodes.conf" <<'CONF'
<busconfig>
  <policy user="nobody"><allow own="com.sendense.Hub1"/></policy>
  <policy user="root"><allow own="org.freedesktop.systemd1"/></policy>
  <policy context="default"><allow send_destination="org.freedesktop.systemd1"/></policy>
</busconfig>
CONF
    private_bus_start "$hub_policy" "$TEST_TMP/nodes.conf" || exit 1
    hub_database=$private_bus_dir/mariadb/mysqld.sock
    mariadb_start "$private_bus_dir/mariadb" || exit 1
    hub_config 'User=nobody' 'ConnectTimeoutSec=5s' 'QueryTimeoutSec=6s' '[Tunnel]' "ReversePorts=${reverse_ports:-9081-9083}" "${node_settings[@]}"
    require "the migrations apply" "$SENDENSE_BUILD/helpers/migrate/sendense-migrate" --config="$TEST_TMP/hub.conf"
    install -d -m 755 "$TEST_TMP/credentials"
    head -c 32 /dev/urandom >"$TEST_TMP/credentials/master-key"
    export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
    chmod 644 "$TEST_TMP/credentials/master-key"
    rm -f "$SENDENSE_NODES_FOLDER"/*
    pid1_start
    nodes_hub
}

# nodes_hub: starts the hub, which is ready with its files written.
nodes_hub() {
    hub_start "${nobody[@]}" || exit 1
    require "the database is ready" eventually 30 hub_property_is DatabaseState 's "ready"'
}

pid1_start() {
    mkfifo "$TEST_TMP/to-pid1"
    "$SENDENSE_BUILD/tests/bus/systemd-stand-in" <"$TEST_TMP/to-pid1" >"$TEST_TMP/pid1.log" 2>&1 &
    exec 6>"$TEST_TMP/to-pid1"
    require "a PID 1 is there" eventually 30 grep -q '^ready$' "$TEST_TMP/pid1.log"
}
pid1() {
    local before
    before=$(wc -l <"$TEST_TMP/pid1.log")
    printf '%s\n' "$1" >&6
    case $1 in
    end*) ;;
    *) eventually 30 pid1_obeyed "$before" "$1" ;;
    esac
}
pid1_obeyed() { tail -n "+$(($1 + 1))" "$TEST_TMP/pid1.log" | grep -qxF -e "$2"; }
swept() { grep -c '^restart sendense-sshd-sweep.service$' "$TEST_TMP/pid1.log"; }
swept_is() { [ "$(swept)" -eq "$1" ]; }

call() { # METHOD [ARGUMENT...]: what it answers, in $answer; its status is the call's
    answer=$(gdbus call --system --timeout 30 --dest "$hub_name" --object-path "$hub_path" --method "$hub_manager.$1" -- "${@:2}" 2>&1)
}
none='@a{sv} {}'
add() { call AddNode "$1" "$(public_key "$2")" "${3:-$none}"; }
rotate() { call RotateNode "$1" "$(public_key "$2")" "${3:-$none}"; }
remove() { call RemoveNode "$1" "${2:-$none}"; }
enrol() { call EnrolNode "$(public_key "$1")" "$(public_key "$2")" "$none"; }

# node NAME KEY: one value out of what GetNode says.
node() {
    busctl --system --json=short call "$hub_name" "$hub_path" "$hub_manager" GetNode 'sa{sv}' "$1" 0 |
        jq -r --arg key "$2" '.data[0][$key] | "\(.type) \(.data)"'
}
nodes() {
    busctl --system --json=short call "$hub_name" "$hub_path" "$hub_manager" ListNodes 'a{sv}' 0 |
        jq -r '.data[0][] | "\(.Name.data):\(.State.data):\(.ReversePort.data)"' | paste -sd' '
}

refused() { # ERROR TEXT NAME
    like "$answer" "GDBus.Error:com.sendense.Error.$1: .*$2" "$3"
}

lines() { grep -v '^#' "$1"; }
# Each of public_key()'s keys is its number, 32 times.
key_numbers() {
    local line key
    while read -r line; do
        key=${line##* }
        printf '%s:%d ' "${line%% *}" "0x$(base64 -d <<<"$key" | tail -c 1 | xxd -p)"
    done < <(lines "$1") | sed 's/ $//'
}
keys() { key_numbers "$SENDENSE_NODES_FOLDER/keys"; }
tokens() { key_numbers "$SENDENSE_NODES_FOLDER/tokens"; }
keys_are() { [ "$(keys)" = "$1" ]; }
tokens_are() { [ "$(tokens)" = "$1" ]; }
rows() { mariadb_sql sendense -e "$1" | tr '\t' ' '; }
ended() {
    wait "$1"
    is "$?" 0 "$2"
}
