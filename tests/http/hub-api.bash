# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # variables of the tests that source it
#
# sendense-hub-api on sockets of its own, in front of a hub with a database and the real polkitd, each as its own user, on a private bus.
# Source it after tap.sh, in a mount namespace of one's own, and call hub_api_up.
#
#   hub_api_up               starts all of it
#   token NAME ROLES         makes a token, and prints it
#   ask PATH [CURL-ARG...]   "STATUS body" by TCP, with $token unless it is empty
#   local_ask PATH [CURL-ARG...]  the same by the unix socket, as root, or as $as
#   hub_do METHOD ...        root calls the hub; the answer in $answer

# shellcheck source=tests/bus/private-bus.bash
. "$SENDENSE_SRC/tests/bus/private-bus.bash"
# shellcheck source=tests/bus/hub.bash
. "$SENDENSE_SRC/tests/bus/hub.bash"
# shellcheck source=tests/sql/mariadb.bash
. "$SENDENSE_SRC/tests/sql/mariadb.bash"

api_port=
api_socket=
api_pid=
token=
as=()
as_hub=(setpriv --reuid=sendense --regid=sendense --clear-groups --inh-caps=+dac_override --ambient-caps=+dac_override --)
as_api=(setpriv --reuid=sendense-hub-api --regid=sendense-hub-api --clear-groups --inh-caps=-all --)
none='@a{sv} {}'

hub_api_users() {
    { grep -v '^sendense' /etc/passwd && echo 'sendense:x:64711:64711::/nonexistent:/usr/sbin/nologin' &&
        echo 'sendense-hub-api:x:64712:64712::/nonexistent:/usr/sbin/nologin'; } >"$TEST_TMP/passwd"
    { grep -v '^sendense' /etc/group && printf 'sendense:x:64711:\nsendense-hub-api:x:64712:\n'; } >"$TEST_TMP/group"
    chmod 0644 "$TEST_TMP/passwd" "$TEST_TMP/group"
    mount --bind "$TEST_TMP/passwd" /etc/passwd && mount --bind "$TEST_TMP/group" /etc/group
}

hub_api_polkit() {
    mkdir "$private_bus_dir/rules"
    cat >"$private_bus_dir/rules/10-test.rules" <<'RULES'
polkit.addRule(function (action, subject) {
    if (action.id == "com.sendense.hub.inspect" && subject.user == "nobody")
        return polkit.Result.YES;
});
RULES
    chmod 0755 "$private_bus_dir/rules"
    mount --bind "$private_bus_dir/rules" /etc/polkit-1/rules.d || exit 1
    mount --bind "$SENDENSE_SRC/deploy/polkit" /usr/share/polkit-1/actions || exit 1
    /usr/lib/polkit-1/polkitd --no-debug >"$TEST_TMP/polkitd.log" 2>&1 </dev/null &
    at_end "kill -KILL $!"
    require "polkit is there" bus_wait_name org.freedesktop.PolicyKit1 10
}

hub_api_up() {
    [ -x /usr/lib/polkit-1/polkitd ] || skip_all "polkitd is not installed"
    hub_api_users || exit 1
    private_bus_start "$hub_policy" || exit 1
    hub_database=$private_bus_dir/mariadb/mysqld.sock
    mariadb_start "$private_bus_dir/mariadb" || exit 1
    hub_config 'User=sendense' 'ConnectTimeoutSec=8s' '[Hub]' 'LogLevel=debug'
    require "the migrations apply" "$SENDENSE_BUILD/helpers/migrate/sendense-migrate" --config="$TEST_TMP/hub.conf"
    api_socket=$private_bus_dir/api/socket
    export SENDENSE_API_SOCKET=$api_socket
    hub_start "${as_hub[@]}" || exit 1
    require "the database is ready" eventually 30 hub_property_is DatabaseState 's "ready"'
    hub_api_polkit
    hub_api_start
}

hub_api_start() {
    install -m 755 "$SENDENSE_BUILD/helpers/hub-api/sendense-hub-api" "$TEST_TMP/sendense-hub-api"
    install -d -m 0777 "$private_bus_dir/api"
    # A port that is free now; whoever takes it in between makes the test fail, not pass.
    for api_port in $(shuf -i 20000-32000 -n 20); do
        [ -n "$(ss -tanH sport = ":$api_port")" ] || break
    done
    "${as_api[@]}" systemd-socket-activate --listen="127.0.0.1:$api_port" --listen="$api_socket" -E DBUS_SYSTEM_BUS_ADDRESS \
        "$TEST_TMP/sendense-hub-api" >"$TEST_TMP/api.log" 2>&1 </dev/null &
    api_pid=$!
    at_end 'kill "$api_pid" 2>/dev/null || :'
    require "a socket" eventually 20 test -S "$api_socket"
    chmod 0666 "$api_socket"
}

hub_do() { # METHOD [ARGUMENT...]
    answer=$(gdbus call --system --timeout 30 --dest "$hub_name" --object-path "$hub_path" --method "$hub_manager.$1" -- "${@:2}" 2>&1)
}
rows() { mariadb_sql sendense -e "$1" | tr '\t' ' '; }
digest() { printf %s "$1" | sha256sum | cut -d' ' -f1; }

token() { # NAME ROLE[,ROLE...]
    local text
    text=$(openssl rand -hex 32)
    hub_do CreateToken "$1" "$(digest "$text")" "['${2//,/\',\'}']" "$none"
    echo "$text"
}

curl_status() { # CURL-ARGUMENT...: "STATUS body" in one line
    "${as[@]}" curl -s --max-time 60 -w '\n%{http_code}' "$@" | tac | paste -sd' '
}
ask() { # PATH [CURL-ARGUMENT...]
    local header=()
    [ -z "$token" ] || header=(-H "Authorization: Bearer $token")
    curl_status "${header[@]}" "${@:2}" "http://127.0.0.1:$api_port$1"
}
local_ask() { # PATH [CURL-ARGUMENT...]
    curl_status --unix-socket "$api_socket" "${@:2}" "http://localhost$1"
}
