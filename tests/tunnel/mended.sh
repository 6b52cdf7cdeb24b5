#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Something is wrong at the hub, and a tunnel that was up meets it: it says what, and when that is mended it comes back without a hand.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
tunnel_up
ok "all sessions stand" eventually "$patience_sec" all_sessions
echo_server 10110
disk_servers
pinned=$(node cat /etc/sendense/tunnel/hub-key)
first=$(node systemctl show --value -p MainPID sendense-tunnel.service)

wrong() { # NAME PATTERN UNDO... : the tunnel says that, and when it is undone comes back
    says() { [[ $(tunnel_status) =~ $wanted ]]; }
    wanted=$2
    ok "$1: the tunnel says so" eventually "$patience_sec" says || diag "$(tunnel_status)"
    require "$1: undone" "${@:3}"
    back "$1"
}
in_hub 'systemctl stop sendense-sshd; cd /var/lib/sendense-sshd && mv host-key right && ssh-keygen -q -t ed25519 -N "" -f host-key && systemctl start sendense-sshd'
wrong "another host key" '^Not connected .* shows the key SHA256:.* is pinned' in_hub 'cd /var/lib/sendense-sshd && mv -f right host-key && systemctl restart sendense-sshd'
is "$(node cat /etc/sendense/tunnel/hub-key)" "$pinned" "and the one that was shown was not learnt"

hub install -D -m 644 /dev/stdin /run/systemd/system/sendense-sshd.service.d/90-test.conf <<<"[Service]
ExecStartPre=sed -i -E 's/^AllowTcpForwarding yes/AllowTcpForwarding no/' /run/sendense-sshd/sshd_config"
hub sh -c 'systemctl daemon-reload && systemctl restart sendense-sshd'
wrong "forwards that are not permitted" 'without the way back \(the hub does not let this node listen' \
    in_hub 'rm /run/systemd/system/sendense-sshd.service.d/90-test.conf && systemctl daemon-reload && systemctl restart sendense-sshd'

hub systemctl stop sendense-sshd
server 9081 socat TCP4-LISTEN:9081,bind=127.0.0.1,fork EXEC:cat
hub systemctl start sendense-sshd
wrong "a stranger on the reverse port" 'by 3 of 4 sessions, without the way back \(the hub does not let this node listen' hub systemctl stop server-9081
is "$(node systemctl show --value -p MainPID sendense-tunnel.service)" "$first" "it was one process all the time"
done_testing
