#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Loopback is no authentication: with the rules in force a local stranger connects to no export, no way back, no port of the tunnel and
# not to the node's API, and whoever has business there does. The rules follow the ports, leave other tables alone, and go with
# their service. A whole job under them is tests/fault/strangers.sh.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

command -v nft >/dev/null || skip_all "nft is missing (package nftables)"
tunnel_lab_up
tunnel_up
echo_server 10110
require "the node's API" node systemctl start sendense-node-api.socket sendense-node.service

# may MACHINE USER PORT: whether a connection of that user's is taken.
may() {
    # shellcheck disable=SC2016 # expanded in the machine
    on "$1" setpriv --reuid "$2" --regid nogroup --clear-groups timeout 20 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1"' _ "$3" 2>/dev/null
}
may_not() { ! may "$@"; }
tables() { on "$1" nft list tables; }
unit_state() { hub systemctl show --value -p ActiveState "$1"; }

ok "as it comes, a stranger at the hub reaches an export" may hub nobody 10110
ok "and one at the node, by the tunnel" may node nobody 10110
ok "and the way back" may hub nobody 9081
is "$(tables hub)$(tables node)" "" "no rules are there"

# Others have tables, too.
for machine in hub node; do
    on "$machine" nft -f - <<'X'
table inet others { chain output { type filter hook output priority 10; policy accept; tcp dport 10115 counter drop comment "theirs"; }; }
table ip sendense { chain hub { }; }
X
done
others() { on "$1" nft list table inet others; on "$1" nft list table ip sendense; }
before=$(others hub; others node)

require "the hub's rules are loaded" hub systemctl start sendense-firewall@hub.service
require "the node's rules are loaded" node systemctl start sendense-firewall@node.service
for user in nobody daemon sendense-export sendense-node; do
    ok "$user at the hub reaches no export" may_not hub "$user" 10110
    ok "$user at the hub reaches no way back" may_not hub "$user" 9081
    ok "$user at the node reaches no port of the tunnel" may_not node "$user" 10110
    ok "$user at the node does not reach its API" may_not node "$user" 8081
done
ok "nor does he where nobody listens" may_not hub nobody 10111
for user in root sendense sendense-copy sendense-tunnel; do
    ok "$user at the hub reaches an export" may hub "$user" 10110
done
ok "the hub reaches its nodes" may hub sendense 9081
ok "a session of sshd has no business on the way back" may_not hub sendense-tunnel 9081
ok "a copier has none, either" may_not hub sendense-copy 9081
ok "the node's copier reaches the tunnel" may node sendense-copy 10110
ok "the tunnel itself does not go round in circles" may_not node sendense-tunnel 10110
ok "a copier does not reach the node's API" may_not node sendense-copy 8081
works "with the rules in force"
like "$(hub setpriv --reuid sendense --regid nogroup --clear-groups curl -s --max-time 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:9081/api/v1/health)" '^(200|401)$' \
    "the hub asks the node's API by the way back"
refused=$(hub nft list table inet sendense-hub)
like "$refused" 'counter packets [1-9][0-9]* .*"exports"' "refusals are counted, at the exports"
like "$refused" 'counter packets [1-9][0-9]* .*"ways back to the nodes"' "and at the ways back"
is "$(others hub; others node)" "$before" "other tables are what they were"

# What stood before goes on, and what is still sent for a connection that its owner has left arrives.
server 10112 socat TCP4-LISTEN:10112,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:sleep 1; wc -c >/tmp/heard'
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'head -c 4000000 /dev/zero | socat -u - TCP4:127.0.0.1:10112'
heard() { [ "$(hub cat /tmp/heard 2>/dev/null)" = 4000000 ]; }
ok "what a client sent before it went away arrives" eventually "$patience_sec" heard

# Ports are changed in one place each.
hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/60-ports.conf <<<"[Exports]
Ports=20100-20110
[Tunnel]
ReversePorts=9300-9310"
require "sshd takes the hub's new ports" hub systemctl reload sendense-sshd.service
echo_server 20105
follows() { may_not hub nobody 20105 && may hub nobody 10110; }
ok "the hub's rules follow them" eventually "$patience_sec" follows || diag "$(hub nft list ruleset)"
ok "whoever may, may there" may hub sendense-copy 20105
enroll site1 9305
node_config "Ports=20100-20110
ReversePort=9305"
tunnel_up
follows() { may_not node nobody 20105 && may node sendense-copy 20105; }
ok "the node's rules follow the tunnel's" eventually "$patience_sec" follows || diag "$(node nft list ruleset)"
ok "a stranger does not take the new way back" may_not hub nobody 9305
ok "the hub does" may hub sendense 9305

# Somebody throws away all rules of the machine, as Debian's nftables.service does.
hub install -D -m 644 /dev/stdin /run/systemd/system/nftables.service <<'X'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft flush ruleset
ExecReload=/usr/sbin/nft flush ruleset
ExecStop=/usr/sbin/nft flush ruleset
X
hub systemctl daemon-reload
guarded() { may_not hub nobody 20105; }
for verb in start reload restart stop start; do
    require "nftables.service: $verb" hub systemctl "$verb" nftables.service
    ok "after a $verb of nftables.service the rules are there again" eventually "$patience_sec" guarded || diag "$(hub nft list ruleset)"
done

hub systemctl stop nftables.service sendense-firewall@hub.service
ok "stopped by an administrator, they are gone" may hub nobody 20105
require "and can be started without nftables.service" hub systemctl start sendense-firewall@hub.service
is "$(unit_state nftables.service)" inactive "which does not start it"
ok "with the rules in force" guarded
hub systemctl stop sendense-firewall@hub.service
require "nftables.service is started" hub systemctl start nftables.service
is "$(unit_state sendense-firewall@hub.service)" inactive "which starts nothing that an administrator stopped"
hub systemctl start sendense-firewall@hub.service

# A wrong setting, and no nft.
hub install -D -m 644 /dev/stdin /etc/sendense/hub.conf.d/70-wrong.conf <<<"[Exports]
Ports=many"
fails() { ! hub systemctl "$@" 2>/dev/null; }
ok "with a wrong port the rules are not reloaded" fails reload sendense-firewall@hub.service
ok "and those that were stay" may_not hub nobody 20105
hub rm /etc/sendense/hub.conf.d/70-wrong.conf
hub systemctl stop sendense-firewall@hub.service
node systemctl stop sendense-firewall@node.service
ok "stopped, the hub's rules are gone" may hub nobody 20105
ok "and the node's" may node nobody 20105
is "$(tables hub | grep -c sendense-)$(tables node | grep -c sendense-)" 00 "with their tables"
hub mount --bind /dev/null /usr/sbin/nft
ok "without nft the service fails" fails start sendense-firewall@hub.service
lab_journal=$(hub journalctl --quiet --sync; lab journal hub --quiet -o cat -u 'sendense-firewall@hub.service')
like "$lab_journal" 'cannot be run: .*Every local user may connect.*install the package nftables' "and says what that means, and what to do"
works "and everything works all the same" 20105
done_testing
