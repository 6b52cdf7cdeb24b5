#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a node's key is good for: its own forwards. Everything else is refused, and the attempt stands in the hub's journal, if OpenSSH
# tells it to anybody but the client. The machine's own sshd, beside ours, goes on as it was.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
hub systemd-run --quiet --unit=secret --service-type=exec -- socat TCP4-LISTEN:3306,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:echo secret'
as_node() { # OPTION... : ssh with the node's key
    # shellcheck disable=SC2086 # words
    node timeout 30 ${through:-} ssh -i /etc/sendense/tunnel/key -p 443 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR -o ExitOnForwardFailure=yes "$@" 2>&1 </dev/null
}

# ── The machine's own sshd ──
ssh_folder() { find /etc/ssh -type f ! -name 'ssh_host_*' -exec sha256sum {} + | sort; }
is "$(hub bash -c "$(declare -f ssh_folder); ssh_folder")" "$(ssh_folder)" "its configuration is that of a machine without ours"
require "it runs" in_hub 'ssh-keygen -A >/dev/null && systemctl start ssh.service'
require "a session in it" in_node 'ssh-keygen -q -t ed25519 -N "" -f /root/own'
node cat /root/own.pub | hub install -D -m 600 /dev/stdin /root/.ssh/authorized_keys
node touch /srv/say
node systemd-run --quiet --unit=own --service-type=exec -p StandardOutput=truncate:/srv/own -- \
    bash -c 'tail -f -n +1 /srv/say | ssh -i /root/own -p 22 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@hub cat'
own_says() { # WORD: through the session that stands since the beginning
    in_node 'echo "$1" >>/srv/say' "$1"
    eventually "$patience_sec" in_node 'grep -qx "$1" /srv/own' "$1"
}
own_is() { # what must not change
    in_hub 'systemctl show -p MainPID -p NRestarts --value ssh.service; find /etc/ssh -type f -exec sha256sum {} + | sort; ss -Htln "sport = 22" | wc -l'
    node ssh-keyscan -p 22 -t ed25519 hub 2>/dev/null
}
require "it can be talked through" own_says before
own_was=$(own_is)

# ── The hub's sshd for nodes ──
# By their name: what a session's process says at its end may come when journald cannot tell its unit any more.
journal() { hub journalctl --quiet --sync; lab journal hub --quiet -o cat -t sshd; }
journal_has() { grep -qE "$1" <<<"$(journal)"; }
told() { ok "$1" eventually "$patience_sec" journal_has "$2" || diag "$(journal | tail -n 20)"; } # NAME PATTERN

unlike "$(as_node -W 127.0.0.1:3306 sendense-tunnel@hub)" secret "another port of the hub: nothing comes"
told "and it is told" 'to connect to host 127\.0\.0\.1 port 3306, but the request was denied'
unlike "$(as_node -W node:22 sendense-tunnel@hub)" SSH "another host: nothing comes"
told "and it is told" 'to connect to host node port 22, but the request was denied'
unlike "$(as_node sendense-tunnel@hub id)" uid= "a command: it does not run"
unlike "$(as_node -tt sendense-tunnel@hub)" '[$#]' "a shell: there is none"
unlike "$(through=ssh-agent as_node -A sendense-tunnel@hub 'ls $SSH_AUTH_SOCK')" agent "an agent: it does not come along"
unlike "$(through='env DISPLAY=:0' as_node -X sendense-tunnel@hub 'echo display $DISPLAY')" display "X11: there is none"
refusals_are() { [ "$(grep -c 'no more sessions' <<<"$(journal)")" = "$1" ]; }
ok "each of the four is told" eventually "$patience_sec" refusals_are 4 || diag "$(journal | tail -n 20)"
hub install -d /run/mysqld
hub systemd-run --quiet --unit=database --service-type=exec -- socat UNIX-LISTEN:/run/mysqld/mysqld.sock,fork,mode=666 'SYSTEM:echo secret'
node systemd-run --quiet --unit=to-database --service-type=exec -- ssh -i /etc/sendense/tunnel/key -p 443 -o BatchMode=yes -o StrictHostKeyChecking=no \
    -o UserKnownHostsFile=/dev/null -N -L 13306:/run/mysqld/mysqld.sock sendense-tunnel@hub
ok "a way to the database's socket: it listens here" eventually "$patience_sec" in_node 'ss -Hltn "sport = 13306" | grep -q .'
unlike "$(in_node 'timeout 30 socat -u TCP4:127.0.0.1:13306 -' 2>&1)" secret "a way to the database's socket: nothing comes"
told "and it is told" 'refused streamlocal port forward: .*target /run/mysqld/mysqld\.sock'
like "$(as_node -N -R 127.0.0.1:9082:127.0.0.1:8081 sendense-tunnel@hub)" 'forwarding failed' "another node's way back: refused"
told "and it is told" '9082, but the request was denied'
like "$(as_node -N -R 0.0.0.0:9081:127.0.0.1:8081 sendense-tunnel@hub)" 'forwarding failed' "the way back for everybody: refused"
told "and it is told" 'to remote forward to host 0\.0\.0\.0 port 9081, but the request was denied'
like "$(as_node -N -R /tmp/way:127.0.0.1:8081 sendense-tunnel@hub)" 'forwarding failed|Warning: remote port forwarding' "a unix socket at the hub: refused"
for user in root sendense nobody; do
    unlike "$(as_node "$user@hub" id)" uid= "the user $user cannot log in"
done
told "and it is told" 'User root from .* not allowed'
node ssh-keygen -q -t ed25519 -N '' -f /root/strange
like "$(node timeout 30 ssh -i /root/strange -p 443 -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null sendense-tunnel@hub 2>&1)" 'Permission denied \(publickey\)' "a key that nobody added"
is "$(hub ss -Hltn | awk '{print $4}' | grep -vE '^(127\.|\[::1\]|10\.99.*%|(0\.0\.0\.0|\[::\]|\*):(22|443)$)' | paste -sd' ')" "" "the hub listens on nothing else beyond loopback"

# A node that is not known any more cannot come back.
tunnel_up
nodes_are ""
hub systemctl restart sendense-sshd
refused() { [[ $(tunnel_status) == "Not connected"*"does not accept this node's key"* ]]; }
ok "a node that was taken off the list has no session, and hears why" eventually "$patience_sec" refused || diag "$(tunnel_status)"

# ── The machine's own sshd, after all that ──
hub systemctl reload-or-restart sendense-sshd
hub systemctl stop sendense-sshd
is "$(own_is)" "$own_was" "the machine's own sshd is the same process, with the same files and host key"
ok "and the session in it stands" own_says after

# ── It is stopped: systemd takes away the folder of a service that ends, and every sshd needs this one for every connection ──
enroll site1 9081
node_config ""
require "ours runs again" hub systemctl start sendense-sshd
tunnel_up
hub systemctl stop ssh.service
require "the node lets go" node systemctl stop sendense-tunnel.service
ok "with the machine's own sshd stopped a node comes back" node timeout "$patience_sec" systemctl start sendense-tunnel.service || diag "$(tunnel_status)"
ok "whole" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"
hub rm -rf /run/sshd
ok "a restart of ours makes the folder when it is gone" hub systemctl restart sendense-sshd || diag "$(journal | tail -n 5)"
ok "and the node comes back" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"

# ── Its host key after a power cut ──
host_key=/var/lib/sendense-sshd/host-key
start_anew() { in_hub 'systemctl stop sendense-sshd; systemctl reset-failed sendense-sshd; systemctl start sendense-sshd' 2>/dev/null; }
ok "a key that is there stays" in_hub 'was=$(sha256sum "$1") && systemctl restart sendense-sshd && [ "$was" = "$(sha256sum "$1")" ]' "$host_key"
hub truncate -s 0 "$host_key"
ok "with an empty one ours starts" start_anew
is "$(hub ssh-keyscan -p "$ssh_port" -t ed25519 localhost 2>/dev/null | cut -d' ' -f2,3)" "$(hub cut -d' ' -f1,2 "$host_key.pub")" "and has a new one, which bundles name"
is "$(hub stat -c '%n %a %U' "$host_key" "$host_key.pub") $(hub ls -A "${host_key%/*}" | paste -sd' ')" "$host_key 600 root
$host_key.pub 644 root host-key host-key.pub" "for root alone, its public half for everybody, and nothing beside them"
public=$(hub cat "$host_key.pub")
hub truncate -s 100 "$host_key"
not_ok "with one that was cut off it does not, as nodes know that key" start_anew
journal_ours() { hub journalctl --quiet --sync; lab journal hub --quiet -o cat -u sendense-sshd.service; }
like "$(journal_ours)" "The host key $host_key cannot be read\..*put it back.*remove it.*sendensectl node rotate" "it says why, and what to do"
is "$(hub stat -c %s "$host_key") $(hub cat "$host_key.pub")" "100 $public" "and has touched neither half"
hub rm "$host_key"
ok "removed by hand, there is a new one" start_anew
done_testing
