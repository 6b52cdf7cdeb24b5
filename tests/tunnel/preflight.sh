#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The preflight names the step that fails, the address and port, and the remedy; on the port that is configured, which is not the
# usual one here, and which sshd has from its own one line.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up 2222
out=$(preflight)
is "$?" 0 "a way that is open: status 0"
is "$(awk '/^ok/ { print $2 }' <<<"$out" | paste -sd' ')" "resolve connect banner keys host-key login reverse forward" "each step is told"
like "$out" '^ok +forward +we may connect to its 127\.0\.0\.1:10100-10200 \(101 of 101 ports tried\)' "each port of the range is tried"
like "$out" '^ok +connect +10\.99\.[0-9.]+ port 2222' "the configured port is the one that is tried"
tunnel_up
ok "all sessions stand" eventually "$patience_sec" all_sessions
is "$(hub ss -Htn state established 'sport = 2222' | wc -l)" 4 "and the one that the tunnel uses"
node systemctl stop sendense-tunnel.socket sendense-tunnel.service

# fails NAME STEP TEXT: at that step, with that text.
fails() {
    out=$(preflight)
    is "$?" 1 "$1: status 1"
    is "$(awk '/^FAILED/ { print $2 }' <<<"$out")" "$2" "$1: the step" || diag "$out"
    like "$(tr -s '\n ' ' ' <<<"$out")" "$3" "$1: why, and what to do"
}
wrong() { # LINE FAILS...
    node install -m 644 /dev/stdin /etc/sendense/node.conf.d/60-wrong.conf <<<"[Tunnel]
$1"
    fails "${@:2}"
    node rm /etc/sendense/node.conf.d/60-wrong.conf
}
wrong Hub=nowhere.invalid "an unknown name" resolve 'nowhere\.invalid: .*Hub=.*DNS'
wrong SshPort=2223 "a port where nothing listens" connect 'hub \(10\.99\.[0-9.]+\) port 2223: Connection refused.*sendense-sshd\.service'
node tee -a /etc/hosts >/dev/null <<<"127.0.0.1 two
$(node getent ahostsv4 hub | awk '{ print $1; exit }') two"
wrong "Hub=two
SshPort=2223" "a name with two addresses, neither of which answers" connect \
    'two \(127\.0\.0\.1\) port 2223: Connection refused; two \(10\.99\.[0-9.]+\) port 2223: Connection refused.*sendense-sshd\.service'
node install -m 644 /dev/stdin /etc/sendense/node.conf.d/60-wrong.conf <<<"[Tunnel]
Hub=two"
like "$(preflight)" '^ok +connect +10\.99\.[0-9.]+ port 2222' "a name with two addresses, one of which answers"
node rm /etc/sendense/node.conf.d/60-wrong.conf
node ip route add prohibit 192.0.2.1
node ip route add blackhole 192.0.2.2
wrong Hub=192.0.2.1 "a way that this machine forbids" connect '192\.0\.2\.1 \(192\.0\.2\.1\) port 2222: Permission denied this machine itself forbids it.*ip route get'
wrong Hub=192.0.2.2 "a way that leads nowhere" connect 'port 2222: Invalid argument no way leads there.*a route that throws it away'
lab drop node on
fails "a hub that is silent" connect 'hub \(10\.99\.[0-9.]+\) port 2222: no answer within 10 s a firewall, or no route'
lab drop node off
wrong Ports=10100-10300 "a range that is wider than the hub's" forward 'forbids connections to its 127\.0\.0\.1:10201-10300 \(100 of 201 ports\).*Exports. Ports='
# lets: sshd at the hub lets us connect to all ports of the range but these.
lets() { # PATTERN
    sshd_edited "s/ 127\\.0\\.0\\.1:($1)\\>//g"
}
sshd_edited() { # SED
    hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-sshd.service.d/90-hole.conf <<<"[Service]
ExecStartPre=sed -i -E '$1' /run/sendense-sshd/sshd_config"
    require "sshd with another configuration" hub sh -c 'systemctl daemon-reload && systemctl restart sendense-sshd.service'
}
lets 10150
fails "one port in the middle is missing" forward 'forbids connections to its 127\.0\.0\.1:10150 \(1 of 101 ports\).*Exports. Ports='
ok "a quick one does not see that" node /usr/lib/sendense/sendense-tunnel --preflight --quick
lets '10101|1011[3-6]|10150|10199'
fails "several are" forward 'forbids connections to its 127\.0\.0\.1:10101,10113-10116,10150,10199 \(7 of 101 ports\)'
sshd_edited '1i Ciphers aes128-ctr'
fails "no cipher that both know" keys 'hub port 2222: .*no match.* hub and node find no common way'
hub rm /run/systemd/system/sendense-sshd.service.d/90-hole.conf
require "sshd as it should be" hub sh -c 'systemctl daemon-reload && systemctl restart sendense-sshd.service'
ok "all may be used again" node /usr/lib/sendense/sendense-tunnel --preflight
wrong ReversePort=10500 "a way back that no node may have" reverse 'does not let this node listen on its 127\.0\.0\.1:10500'
wrong ReversePort=9082 "another node's way back" reverse '127\.0\.0\.1:9082.*sendensectl node list'

# In a file of its own: socat takes the quotes and line ends out of a command.
hub install -m 755 /dev/stdin /srv/web <<'X'
#!/bin/sh
printf 'HTTP/1.1 400 Bad Request\r\n\r\n'
exec cat >/dev/null
X
require "a web server at the hub" hub systemd-run --quiet --unit=web --service-type=exec socat TCP4-LISTEN:2224,fork,reuseaddr EXEC:/srv/web
require "a server that says nothing" hub systemd-run --quiet --unit=mute --service-type=exec socat TCP4-LISTEN:2225,fork,reuseaddr 'EXEC:sleep 100'
wrong SshPort=2224 "a web server on the port" banner "port 2224 is no SSH server: it says 'HTTP/1\.1 400 Bad Request'.*another.*SshPort="
require "a server that hangs up" hub systemd-run --quiet --unit=shut --service-type=exec socat TCP4-LISTEN:2226,fork,reuseaddr EXEC:true
wrong SshPort=2226 "somebody who hangs up" banner 'port 2226 closes the connection at once.*journalctl -u sendense-sshd'
wrong SshPort=2225 "somebody who says nothing" banner 'port 2225 takes the connection and says nothing for 10 s'

full_server 10102
fails "a hub that does not say" forward 'does not say whether we may connect to its 127\.0\.0\.1:10102 \(no answer\).*short of something'
hub systemctl stop server-10102

server 9081 socat TCP4-LISTEN:9081,bind=127.0.0.1,fork EXEC:cat
fails "a stranger on the reverse port" reverse 'does not let this node listen on its 127\.0\.0\.1:9081.*ss -ltnp'
hub systemctl stop server-9081

in_node 'mv /etc/sendense/tunnel/key /etc/sendense/tunnel/right && ssh-keygen -q -t ed25519 -N "" -f /etc/sendense/tunnel/key'
fails "a key that the hub does not know" login "does not accept this node's key SHA256:.*enrolled"
in_node 'mv /etc/sendense/tunnel/right /etc/sendense/tunnel/key; cp /etc/sendense/tunnel/key.pub /etc/sendense/tunnel/hub-key'
fails "another hub's key" host-key 'hub shows the key SHA256:.* and SHA256:.* is pinned.*somebody stands between'
node rm /etc/sendense/tunnel/hub-key
out=$(preflight)
is "$?" 78 "no pinned key: status 78"
like "$out" 'Cannot read the hub.s key /etc/sendense/tunnel/hub-key: .*enroll' "and who makes it"
done_testing
