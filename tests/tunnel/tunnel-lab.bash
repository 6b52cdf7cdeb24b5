# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of the tunnel on two booted machines: source it after tap.sh, call tunnel_lab_up. The hub runs sendense-sshd, the node
# sendense-tunnel as its generator makes it, and the node's HTTP API. The keys are exchanged by hand.

# shellcheck source=tests/lab/with-lab.bash
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

patience_sec=60

hub() { on hub "$@"; }
node() { on node "$@"; }
in_hub() { hub bash -c "$1" _ "${@:2}"; }
in_node() { node bash -c "$1" _ "${@:2}"; }

# tunnel_lab_up [PORT [NODE-LINES]]: boots both; the ssh port stands once in each machine's config.
tunnel_lab_up() {
    command -v nbdkit >/dev/null || skip_all "nbdkit is missing (package nbdkit)"
    [ -x /usr/sbin/sshd ] || skip_all "sshd is missing (package openssh-server)"
    export HUB_MACHINE_ENABLE=no
    lab_up --names "hub node" --install "$SENDENSE_BUILD" --hook "$SENDENSE_SRC/tests/lab/hub-machine"
    ssh_port=${1:-443}
    require "the hub's port is set" hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/50-test.conf <<<"[Tunnel]
SshPort=$ssh_port"
    ssh_options+=(-p "$ssh_port")
    require "its sshd starts" hub systemctl start sendense-sshd.service
    enroll site1 9081
    node_config "${2:-}"
}

# enroll NAME REVERSE-PORT: the node gets a key pair, the hub learns it, the node pins the hub's key.
enroll() {
    local key
    # shellcheck disable=SC2016 # expanded in the machine
    key=$(in_node 'rm -f /etc/sendense/tunnel/key && ssh-keygen -q -t ed25519 -N "" -f /etc/sendense/tunnel/key && cut -d" " -f1,2 /etc/sendense/tunnel/key.pub')
    nodes_are "$1 $2 $key"
    hub cat /var/lib/sendense-sshd/host-key.pub | node tee /etc/sendense/tunnel/hub-key >/dev/null
}
nodes_are() { # LINES
    hub install -m 640 -o sendense -g sendense-tunnel /dev/stdin /var/lib/sendense-nodes/keys <<<"$1"
}

# node_config LINES: [Tunnel] of the node, beside what all tests want; systemd makes the sockets anew. The hub is tunnel_hub, or its name.
node_config() {
    require "the node's settings are written" node install -D -m 644 /dev/stdin /etc/sendense/node.conf.d/50-test.conf <<<"[Tunnel]
Hub=${tunnel_hub:-hub}
SshPort=$ssh_port
$1"
    node systemctl stop sendense-tunnel.socket sendense-tunnel.service 2>/dev/null
    node systemctl daemon-reload
}

# tunnel_up: started, and ready by its own word.
tunnel_up() {
    require "the sockets of the tunnel" node systemctl start sendense-tunnel.socket
    require "the tunnel is up" node systemctl start sendense-tunnel.service
}

# tunnel_status: what it says of itself in one line.
tunnel_status() { node systemctl show --value -p StatusText sendense-tunnel.service; }
all_sessions() { [[ $(tunnel_status) == *"by 4 of 4 sessions"* ]]; }
no_session() { [[ $(tunnel_status) == "Not connected"* ]]; }

# server PORT COMMAND...: a program at the hub that serves on a port of its loopback.
server() {
    hub systemctl reset-failed "server-$1.service" 2>/dev/null
    require "a server on port $1 of the hub" hub systemd-run --quiet --unit="server-$1" --service-type=exec -- "${@:2}"
    ok "and it listens" eventually "$patience_sec" in_hub "ss -Hltn 'sport = $1' | grep -q ."
}
echo_server() {
    require "the echo server is there" lab copy-in hub "$SENDENSE_SRC/tests/tunnel/echo.py" /srv/echo.py
    server "$1" python3 /srv/echo.py "$1"
}

# full_server PORT: one that takes nobody in, until it gets SIGUSR1.
full_server() {
    require "the server that takes nobody in is there" lab copy-in hub "$SENDENSE_SRC/tests/tunnel/full.py" /srv/full.py
    server "$1" python3 /srv/full.py "$1"
}

# works NAME [PORT]: bytes pass both ways and are the same.
works() {
    # shellcheck disable=SC2016 # expanded in the machine
    ok "$1: bytes pass both ways, whole" in_node '
        head -c 3000000 /dev/urandom >/tmp/works && [ "$(timeout 60 socat -t 60 - TCP4:127.0.0.1:$1 </tmp/works | sha256sum)" = "$(sha256sum </tmp/works)" ]' "${2:-10110}" ||
        diag "$(tunnel_status)"
}

# disk_servers: an export at the hub and a disk at the node, for back(); again after a reboot of the hub.
disk_servers() {
    server 10100 nbdkit -f -i 127.0.0.1 -p 10100 memory 16M
    require "a disk" in_node 'test -e /srv/disk || head -c 16777216 /dev/urandom >/srv/disk'
}
# back NAME: the tunnel is there again, whole.
back() {
    ok "$1: all sessions stand again" eventually 90 all_sessions || diag "$(tunnel_status)"
    works "$1"
    # shellcheck disable=SC2016 # expanded in the machine
    ok "$1: a disk goes to the hub and back, and its sum is the same" in_node '
        timeout 120 nbdcopy /srv/disk nbd://127.0.0.1:10100 && rm -f /srv/back && timeout 120 nbdcopy nbd://127.0.0.1:10100 /srv/back &&
            [ "$(sha256sum </srv/back)" = "$(sha256sum </srv/disk)" ]'
}

preflight() { node /usr/lib/sendense/sendense-tunnel --preflight 2>&1; }

# ── Nodes that are enrolled ──

HUB_NAME=com.sendense.Hub1
HUB_PATH=/com/sendense/Hub1
HUB_MANAGER=com.sendense.Hub1.Manager

# enrol_lab_up [PORT]: a hub with its database and its sshd, and two machines that are no nodes yet: node and edge. The ssh port stands
# once, in the hub's config, before anything of it is started.
enrol_lab_up() {
    command -v mariadbd >/dev/null || skip_all "mariadbd is missing (package mariadb-server)"
    [ -x /usr/sbin/sshd ] || skip_all "sshd is missing (package openssh-server)"
    ssh_port=${1:-443}
    ssh_options+=(-p "$ssh_port")
    cat >"$TEST_TMP/port-hook" <<'HOOK'
#!/bin/sh
[ "$1" = hub ] || exit 0
mkdir -p "$2/etc/sendense/hub.conf.d" && printf '[Tunnel]\nSshPort=%s\n' "$LAB_SSH_PORT" >"$2/etc/sendense/hub.conf.d/50-port.conf"
HOOK
    chmod +x "$TEST_TMP/port-hook"
    LAB_SSH_PORT=$ssh_port lab_up --names "hub node edge" --install "$SENDENSE_BUILD" --hook "$SENDENSE_SRC/tests/lab/hub-machine" --hook "$TEST_TMP/port-hook"
    require "its sshd starts" hub systemctl start sendense-sshd.service
    require "the hub is ready" wait_prop "$patience_sec" DatabaseState 's "ready"'
}
wait_prop() { # SECONDS NAME VALUE
    local now=
    prop_is() { now=$(hub busctl get-property "$HUB_NAME" "$HUB_PATH" "$HUB_MANAGER" "$1" 2>&1) && [ "$now" = "$2" ]; }
    eventually "$1" prop_is "$2" "$3" || { diag "$now" && return 1; }
}
message_id() { tr -d '\n' <"$SENDENSE_SRC/lib/message-id.c" | grep -oP "\"$1\",\s*\"\K[0-9a-f]{32}"; }

bundle_of() { sed -n "s/^$1=//p"; }                                                          # KEY, the bundle on stdin
open_token() { hub awk -v name="$1" '$1 == name { print $3, $4 }' /var/lib/sendense-nodes/tokens; } # NODE: its public half

# refused MACHINE NAME PATTERN: an enrolment there, with the bundle on stdin, fails and says that.
refused() {
    on "$1" sendense-node enroll - >"$TEST_TMP/enroll" 2>&1
    is "$?" 1 "$2: refused"
    like "$(tr -s '\n ' ' ' <"$TEST_TMP/enroll")" "$3" "$2: why, and what to do"
}

ssh_options=(-o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ExitOnForwardFailure=yes)
# listen_as MACHINE PORT: with the node's own key, on that port of the hub.
listen_as() { on "$1" timeout 30 ssh -i /etc/sendense/tunnel/key "${ssh_options[@]}" -N -R "127.0.0.1:$2:127.0.0.1:8081" sendense-tunnel@hub 2>&1 </dev/null; }
address_of() { on "$1" hostname -I | grep -oE '10\.99\.[0-9.]+' | head -n 1; }
# sessions_of MACHINE: the other ends of its SSH connections, as the hub sees them.
sessions_of() { hub ss -Htn state established "sport = $ssh_port" | awk '{ print $NF }' | grep -F "$(address_of "$1"):" | sort; }
journal() { hub journalctl --quiet --sync; lab journal hub --quiet -o cat; }
journal_has() { grep -qE "$1" <<<"$(journal)"; }
told() { ok "$1: it is told" eventually "$patience_sec" journal_has "$2" || diag "$(journal | tail -n 20)"; } # NAME PATTERN
