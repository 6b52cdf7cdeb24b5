#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendensectl config apply at a node: its tunnel moves to other ports, which takes a service that is stopped before its sockets start
# again; it is restarted for other settings, goes with its hub, and comes with one.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
tunnel_up
echo_server 10110
works "as enrolled"
settings() { # LINES: of [Tunnel], and nobody reads them yet
    node install -D -m 644 /dev/stdin /etc/sendense/node.conf.d/50-test.conf <<<"[Tunnel]
SshPort=$ssh_port
$1"
}
apply() { # [OPTION...]: out and status
    out=$(node sendensectl config apply "$@" 2>&1)
    status=$?
}
did() { grep -oE '^[a-z@-]+(\.[a-z]+)?: (has read|re|st|would)[a-z ]*' <<<"$out" | paste -sd,; }
begun() { node systemctl show --value -p InactiveExitTimestampMonotonic "$1"; }
listens() { node ss -Hltn | grep -c '127\.0\.0\.1:10[12][0-9][0-9] '; }

apply
is "$status:$(did)" "0:systemd: has read its units anew" "the first time nothing is restarted that has begun since" || diag "$out"

settings $'Hub=hub\nPorts=10110-10120'
apply --dry-run
is "$(did)" "sendense-tunnel.socket: would be stopped,sendense-tunnel.service: would be stopped,systemd: would read its units anew,sendense-tunnel.socket: would be started,sendense-tunnel.service: would be started" \
    "other ports: socket and service stop before both start"
is "$(listens)" 101 "--dry-run moves nothing"
apply
is "$status" 0 "they move" || diag "$out"
like "$out" '^node +\[Tunnel\] Ports= +10100-10200 +10110-10120' "what changed is shown"
is "$(listens)" 11 "the node listens on the new ports, and on no other"
works "on the new ports"
ok "the packet filter has them, too" in_node '! systemctl is-active -q sendense-firewall@node.service || nft list ruleset | grep -q 10110-10120'

socket_was=$(begun sendense-tunnel.socket)
settings $'Hub=hub\nPorts=10110-10120\nSessions=2'
apply
is "$status:$(did)" "0:sendense-tunnel.service: restarted" "another number of sessions: the service alone"
is "$(begun sendense-tunnel.socket)" "$socket_was" "its sockets stay"
two_sessions() { [[ $(tunnel_status) == *"by 2 of 2 sessions"* ]]; }
ok "and has two" eventually "$patience_sec" two_sessions

settings $'Hub=\nPorts=10110-10120\nSessions=2'
apply
is "$status" 0 "no hub any more" || diag "$out"
is "$(listens)" 0 "nothing listens"
is "$(node systemctl show --value -p LoadState sendense-tunnel.socket)" not-found "there is no socket"
apply
is "$status:$(did)" 0: "and nothing is left to be done"
settings $'Hub=hub\nPorts=10110-10120\nSessions=2'
apply
is "$status" 0 "a hub again" || diag "$out"
works "and a tunnel"

# Nobody knows what was applied before, and the hub is new.
settings $'Hub=\nPorts=10110-10120'
apply
is "$(node systemctl show --value -p LoadState sendense-tunnel.socket)" not-found "no tunnel again"
node rm -r /var/lib/sendense-applied
settings $'Hub=hub\nPorts=10110-10120'
apply
is "$status" 0 "the first time that settings are applied, with a hub that is new" || diag "$out"
like "$out" 'Which settings of the node changed is not known: .* started anew, this once' "that nothing is known is said, and what follows from it"
works "there is a tunnel"
node systemctl stop sendense-tunnel.socket sendense-tunnel.service
node rm -r /var/lib/sendense-applied
apply
is "$(node systemctl is-active sendense-tunnel.socket)" inactive "one that somebody has stopped stays so" || diag "$out"
done_testing
