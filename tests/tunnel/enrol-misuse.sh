#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a token is good for: one program at the hub, once. And who is cut when a line leaves the files: sshd alone runs here, the
# files are written by hand.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
tokens_are() { # LINES
    hub install -m 640 -o sendense -g sendense-tunnel /dev/stdin /var/lib/sendense-nodes/tokens <<<"$1"
}
new_key() { node sh -c 'rm -f "$1" "$1.pub"; ssh-keygen -q -t ed25519 -N "" -f "$1" && cut -d" " -f1,2 "$1.pub"' _ "$1"; }
with() { node timeout 60 ssh -i "$1" "${ssh_options[@]}" "${@:2}" 2>&1 </dev/null; } # KEY OPTION...
site1=$(node cut -d' ' -f1,2 /etc/sendense/tunnel/key.pub)
open=$(new_key /root/open)
late=$(new_key /root/late)
second=$(new_key /root/second)
tokens_are "site2 $(($(date +%s) + 3600)) $open
site3 $(($(date +%s) - 1)) $late"
hub systemd-run --quiet --unit=secret --service-type=exec -- socat TCP4-LISTEN:3306,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:echo secret'
echo_server 10110

# ── A token ──
out=$(with /root/open sendense-enroll@hub id)
unlike "$out" uid= "a command of one's own does not run"
like "$out" '^\{"error":\{"name":"com\.sendense\.Error\.InvalidArgument","text":"no request' "the one program answers instead"
unlike "$(with /root/open -tt sendense-enroll@hub)" '[$#] ' "there is no shell"
unlike "$(with /root/open -s sendense-enroll@hub sftp)" uid= "nor a subsystem"
unlike "$(with /root/open -W 127.0.0.1:3306 sendense-enroll@hub)" secret "another port of the hub: nothing comes"
told "and" 'request direct-tcpip|refused local port forward|to connect to host 127\.0\.0\.1 port 3306, but the request was denied'
unlike "$(with /root/open -W 127.0.0.1:10110 sendense-enroll@hub)" '^hello' "not even what a tunnel may reach"
for port in 9081 9082 9090; do
    like "$(with /root/open -N -R "127.0.0.1:$port:127.0.0.1:8081" sendense-enroll@hub)" 'forwarding failed' "no way back on port $port"
done
like "$(with /root/open -N -R /tmp/way:127.0.0.1:8081 sendense-enroll@hub)" 'forwarding failed|Warning: remote port forwarding' "no unix socket"
like "$(with /root/open -N sendense-tunnel@hub)" 'Permission denied' "a token is no node's key"
like "$(with /etc/sendense/tunnel/key sendense-enroll@hub id)" 'Permission denied' "a node's key is no token"
like "$(with /root/second sendense-enroll@hub id)" 'Permission denied' "a stranger's is neither"
like "$(with /root/late sendense-enroll@hub id)" 'Permission denied' "one that has expired opens nothing"
told "and" 'The token of node site3 has expired'
like "$(node bash -c '{ printf "%09000d" 0; } | timeout 60 ssh -i /root/open "$@" sendense-enroll@hub' _ "${ssh_options[@]}" 2>&1)" 'no request of one line and at most 8 KiB' "a request that is too long"
like "$(node bash -c 'echo "{\"protocol\": 1, \"public_key\": \"ssh-rsa AAAA\"}" | timeout 60 ssh -i /root/open "$@" sendense-enroll@hub' _ "${ssh_options[@]}" 2>&1)" \
    'InvalidArgument.*public_key' "a key of another kind"

# Between its fork and its exec what sshd asks with is a process of the user who is yet to log in, and has noted nothing.
tokens_are "site2 $(($(date +%s) + 3600)) $open"
hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-sshd.service.d/90-patient.conf <<'X'
[Service]
ExecStartPre=/bin/sed -i "s/^LoginGraceTime .*/LoginGraceTime 600/" /run/sendense-sshd/sshd_config
X
hub systemctl daemon-reload
hub systemctl restart sendense-sshd.service
in_hub 'exec strace -f -qq -o /dev/null -P /usr/lib/sendense/sendense-sshd-config -e trace=execve -e inject=execve:delay_enter=60000000 -p "$(systemctl show --value -p MainPID sendense-sshd.service)"' &
tracer=$!
at_end 'kill '"$tracer"' 2>/dev/null || :'
asks() { [ -n "$(in_hub 'pgrep -u sendense-tunnel -f "^sshd: sendense-enroll \[priv\]"')" ]; }
traced() { [ "$(in_hub 'sed -n "s/^TracerPid:\t//p" "/proc/$(systemctl show --value -p MainPID sendense-sshd.service)/status"')" != 0 ]; }
ok "each question of sshd's is held up" eventually "$patience_sec" traced
with /root/open sendense-enroll@hub id >"$TEST_TMP/held" &
held=$!
ok "one logs in meanwhile" eventually "$patience_sec" asks
hub systemctl start sendense-sshd-sweep.service
like "$(preflight)" 'login +hub port 443 breaks off in the middle of the login: no answer within 10 s' "a login that nobody answers is no key that is refused"
in_hub 'pkill -INT -x strace'
wait "$held"
like "$(<"$TEST_TMP/held")" 'InvalidArgument' "a sweep in that moment ends nobody who may log in"
tokens_are "site2 5 not a key"
like "$(with /root/open sendense-enroll@hub id)" 'Permission denied' "a file that nobody understands lets nobody in"

# ── Who asked is the process of the session ──
nodes_are "site1 9081 $site1
site2 9090 $second"
node_config ""
tunnel_up
ok "all sessions stand" eventually "$patience_sec" all_sessions
monitors() { hub sh -c 'ps -eo pid=,args= | awk "/sshd: sendense-tunnel \[priv\]/ { print \$1 }" | sort'; }
is "$(hub ls /run/sendense-sshd-sessions | grep -xF "$(monitors)")" "$(monitors)" "each session has its note, by the number of its process that has rights"
is "$(hub stat -c '%a %U %G' /run/sendense-sshd-sessions)" "770 sendense-tunnel sendense-tunnel" "the notes are for those who write and read them"

# ── Cut ──
node systemd-run --quiet --unit=other --service-type=exec -- ssh -i /root/second "${ssh_options[@]}" -N -R 127.0.0.1:9090:127.0.0.1:8081 sendense-tunnel@hub
ok "another node has its way back" eventually "$patience_sec" in_hub 'ss -Hltn "sport = 9090" | grep -q .'
sessions=$(sessions_of node)
hub systemctl start sendense-sshd-sweep.service
is "$(sessions_of node)" "$sessions" "a sweep ends nobody who may stay"
nodes_are "site2 9090 $second"
ok "one is taken off the list" hub systemctl start sendense-sshd-sweep.service
is "$(hub ss -Hltn 'sport = 9081 or sport = 9090' | awk '{ print $4 }')" 127.0.0.1:9090 "its way back is gone when the sweep has ended, the other's is there"
told "and" 'Ending session [0-9]+: its key lets nobody in any more'
hears_why() { [[ $(tunnel_status) == "Not connected"*"does not accept this node's key"* ]]; }
ok "it hears why" eventually "$patience_sec" hears_why || diag "$(tunnel_status)"
is "$(node systemctl is-active other.service)" active "the other has noticed nothing"
nodes_are "site2 9090 $second
site1 9081 $site1"
ok "on the list again, it comes back by itself" eventually "$patience_sec" all_sessions
# sshd's forwards outlive its process that has rights, when that alone is killed.
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'pid=$(grep -lF -e "$1" /run/sendense-sshd-sessions/*) && kill -KILL "${pid##*/}"' "$second"
is "$(hub ss -Hltn 'sport = 9090' | wc -l)" 1 "a session whose leader was killed goes on"
hub systemctl start sendense-sshd-sweep.service
is "$(hub ss -Hltn 'sport = 9090' | wc -l)" 0 "until the next sweep, as nobody knows whose it is"
is "$(hub ss -Hltn 'sport = 9081' | wc -l)" 1 "and nobody else's is"
nodes_are "site2 9090"
hub systemctl start sendense-sshd-sweep.service
is "$(hub ss -Hltn 'sport = 9081 or sport = 9090' | wc -l)" 0 "a file that nobody understands ends everybody's"
done_testing
