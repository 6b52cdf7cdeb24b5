#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A hub that is known by an IPv6 address: preflight, the host key that is pinned, the tunnel and data through it, and the messages when
# something is in the way. Names that have addresses of both kinds are tried one after the other.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/tunnel-lab.bash"

tunnel_hub=fd99::1
tunnel_lab_up
preflight() { node /usr/lib/sendense/sendense-tunnel --preflight 2>&1; }
like "$(in_hub 'ss -Hltn "sport = :443"')" '(\[::\]|\*):443' "the hub's sshd listens by IPv6"
answer=$(preflight)
is "$?" 0 "the preflight is content" || diag "$answer"
like "$answer" 'fd99::1 port 443' "and names address and port"
tunnel_up
like "$(in_node 'ss -Htn state established "dport = :443"')" '\[fd99::1\]:443' "the tunnel is up, by IPv6"
unlike "$(in_node 'ss -Htn state established "dport = :443"')" '10\.99\.0' "and by nothing else"

# Data: an export of the hub, read at the node.
in_hub 'systemd-run -q --unit=disk -- nbdkit -f -i 127.0.0.1 -p 10100 random 8M seed=7'
sum() { on "$1" bash -c 'nbdcopy nbd://127.0.0.1:10100 - | sha256sum'; }
ok "the export answers" eventually "$patience_sec" hub nbdinfo --size nbd://127.0.0.1:10100
is "$(sum node)" "$(sum hub)" "what is read through the tunnel is what the hub has"
# shellcheck disable=SC2016 # expanded in the machine
ok "the way back stands" in_hub 'ss -Hltn "sport = :9081" | grep -q 127.0.0.1:9081'

# A host key that is another's is refused by IPv6 as well.
in_node 'cp /etc/sendense/tunnel/hub-key /root/hub-key && ssh-keygen -q -t ed25519 -N "" -f /root/other && cut -d" " -f1,2 /root/other.pub >/etc/sendense/tunnel/hub-key'
not_ok "another host key is refused" preflight
like "$(preflight)" 'FAILED +host-key +fd99::1 shows the key SHA256:' "and the preflight says so, with the address"
in_node 'cp /root/hub-key /etc/sendense/tunnel/hub-key'

# What is in the way is told with address and port.
hub systemctl stop sendense-sshd
like "$(preflight)" 'FAILED +connect +fd99::1 .*port 443: Connection refused' "nobody listens: address, port and why"
hub systemctl start sendense-sshd

# A name with an address of each kind, one of which leads nowhere.
in_node 'printf "fd99::77 both\n10.99.0.1 both\n" >>/etc/hosts'
tunnel_hub=both
node_config ''
answer=$(preflight)
is "$?" 0 "a name of which one address is dead is reached by the other" || diag "$answer"
tunnel_up
like "$(in_node 'ss -Htn state established "dport = :443"')" '10\.99\.0\.1:443' "so is the tunnel"
done_testing
