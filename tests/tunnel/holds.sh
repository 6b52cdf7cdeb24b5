#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# While something is missing: the way back, sshd, the hub's answer, a key. What can go on goes on, in the same process; who connects is
# held for HoldSec and then closed, whatever it is that is missing; and nothing is tried in a tight loop.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up 443 "HoldSec=5s"
node install -D -m 644 /dev/stdin /run/systemd/system/sendense-tunnel.service.d/90-test.conf <<<"[Service]
TimeoutStartSec=20s
WatchdogSec=10s"
require "its limits are short here" node systemctl daemon-reload
require "the node" node systemctl start sendense-node.service
echo_server 10110
counted() { node busctl --json=short get-property com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager Tunnel | jq -r ".data.$1.data"; }
counted_is() { [ "$(counted "$1")" = "$2" ]; }
main_pid() { node systemctl show --value -p MainPID sendense-tunnel.service; }
state() { node systemctl show --value -p ActiveState sendense-tunnel.service; }
state_is() { [ "$(state)" = "$1" ]; }

# closed NAME FROM TO [PORT]: a connection that nobody at the hub answers ends, after FROM to TO seconds, and no byte came.
closed() {
    local ms
    # shellcheck disable=SC2016 # expanded in the machine
    ms=$(in_node 'begin=${EPOCHREALTIME/[.,]/}; [ "$(timeout 100 socat -u "TCP4:127.0.0.1:$1" - | wc -c)" = 0 ] && echo $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))' "${4:-10110}")
    diag "$1: closed after $ms ms"
    ok "$1: held, then closed" test "${ms:-0}" -ge "$(($2 * 1000))" -a "${ms:-0}" -le "$(($3 * 1000))"
}

# ── A stranger has the reverse port ──
server 9081 socat TCP4-LISTEN:9081,bind=127.0.0.1,fork EXEC:cat
require "the sockets of the tunnel" node systemctl start sendense-tunnel.socket
one_way() { [[ $(tunnel_status) == *"by 3 of 4 sessions, without the way back (the hub does not let this node listen on its 127.0.0.1:9081)"* ]]; }
ok "the socket has the tunnel started; without the way back it says so" eventually "$patience_sec" one_way || diag "$(tunnel_status)"
first=$(main_pid)
is "$(state)" activating "it is not ready"
ok "the node tells it, too" eventually "$patience_sec" counted_is State one-way || diag "$(counted State)"
is "$(counted WayBack)" false "and that there is no way back"
like "$(counted Error)" 'does not let this node listen on its 127\.0\.0\.1:9081' "and why"
node systemd-run --quiet --unit=talk --service-type=exec -p StandardOutput=truncate:/srv/talk -- bash -c \
    '{ for ((i = 0; i < 300; i++)); do echo "$i"; sleep 0.1; done; } | socat -t 60 - TCP4:127.0.0.1:10110'
talked() { [ "$(node cat /srv/talk | tail -n 1)" = 299 ]; }
ok "who talks for longer than a start may take is not cut" eventually "$patience_sec" talked || diag "$(node cat /srv/talk | tail -n 2)"
is "$(main_pid) $(state)" "$first activating" "it is the same process, which is not ready yet"
hub systemctl stop server-9081
ok "the stranger is gone: all sessions stand" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"
ok "it is ready" eventually "$patience_sec" state_is active
ok "the node tells it, too" eventually "$patience_sec" counted_is State connected
is "$(main_pid) $(counted Error) $(counted WayBack)" "$first  true" "in the same process, and nothing is wrong"
like "$(tunnel_status)" 'by 4 of 4 sessions; [0-9]+ connections, [0-9]+\.[0-9] MB/s up, [0-9]+\.[0-9] MB/s down$' "it tells counts and rates"

# ── It hangs ──
node kill -STOP "$first"
another() { [ "$(main_pid)" != "$first" ] && all_sessions; }
ok "one that hangs is ended and started again" eventually "$patience_sec" another || diag "$(tunnel_status)"
node journalctl --quiet --sync
like "$(node journalctl -q -o cat -u sendense-tunnel)" 'Watchdog timeout' "by its watchdog"

# ── Sessions that are cut right after each login ──
logins() { hub journalctl --quiet --sync && hub journalctl -q -o cat -u sendense-sshd | grep -c 'Accepted publickey'; }
before=$(logins)
# shellcheck disable=SC2016 # expanded in the machine
in_hub 'first=; while [ "$SECONDS" -lt $((${first:-$SECONDS} + 8)) ]; do pids=$(pgrep -u sendense-tunnel -x sshd) && kill $pids && first=${first:-$SECONDS}; sleep 0.05; done'
n=$(($(logins) - before))
diag "$n logins in 8 s"
ok "it waits longer and longer before the next" test "$n" -le 28
ok "and comes back" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"
counted_4() { [ "$(counted Reconnects)" -ge 4 ]; }
ok "it has counted them" eventually "$patience_sec" counted_4 || diag "$(counted Reconnects)"

# ── Nobody there ──
hub systemctl stop sendense-sshd
ok "without sshd there is no session" eventually "$patience_sec" no_session
ok "the node tells it" eventually 30 counted_is State connecting || diag "$(counted State)"
given_up=$(counted GivenUp)
node systemd-run --quiet --unit=held --service-type=exec -- socat -u TCP4:127.0.0.1:10110 EXEC:cat
ok "one that waits is counted" eventually 30 counted_is Held 1 || diag "$(counted Held)"
closed "without a session" 4 9
ok "who was given up is counted" eventually 30 counted_is GivenUp $((given_up + 2)) || diag "$(counted GivenUp)"
hub systemctl start sendense-sshd
ok "all sessions again" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"

# ── The hub does not answer ──
# A server whose queue is full: sshd's connection to it hangs. When it takes some in again nothing of ours is left there.
full_server 10113
closed "a server that takes nobody in" 4 9 10113
works "beside it"
hub systemctl kill --signal=SIGUSR1 server-10113.service
nothing_left() { [[ $(tunnel_status) == *" 0 connections"* ]] && [ "$(hub ss -Htn state established 'sport = 10113' | wc -l)" = 0 ]; }
ok "when it does, nothing is left of it" eventually "$patience_sec" nothing_left || diag "$(tunnel_status)" "$(hub ss -Htn 'sport = 10113')"
is "$(counted Sessions)" 4 "and the sessions stand"

lab drop node on
closed "a line that is silent" 4 9
# Started anew while the hub is silent: who came meanwhile does not wait for the preflight and then once more.
node systemctl kill --kill-who=main --signal=SIGKILL sendense-tunnel.service
closed "started anew on a silent line" 4 30
# usec, of the machine's clock that never steps.
started=$(node systemctl show --value -p ExecMainStartTimestampMonotonic sendense-tunnel.service)
node journalctl --quiet --sync
at=$(node journalctl -q -o json -u sendense-tunnel | jq -rs 'map(select(.MESSAGE | strings | test("connections were held for"))) | last.__MONOTONIC_TIMESTAMP')
ok "for who waited while it was started the time went on" test $((at - started)) -ge 0 -a $((at - started)) -le 9000000 || diag "$at $started"
like "$(node journalctl -q -o cat -u sendense-tunnel -n 30)" 'FAILED  time +the step that follows takes too long' "the preflight says that it gave up"
lab drop node off
ok "all sessions stand again" eventually "$patience_sec" all_sessions || diag "$(tunnel_status)"

# ── No key ──
starts() { in_node 'journalctl --sync; journalctl -q -o cat -u sendense-tunnel | grep -c "Starting sendense-tunnel"'; }
without() { # NAME PATTERN
    not_ok "$1: it does not start" node systemctl restart sendense-tunnel.service
    is "$(node systemctl show -p ActiveState -p ExecMainStatus --value sendense-tunnel.service | paste -sd' ')" "78 failed" "$1: it has failed"
    node journalctl --quiet --sync
    like "$(node journalctl -q -o cat -u sendense-tunnel -n 5)" "$2" "$1: it says why"
    before=$(starts)
    closed "$1" 4 12
    ok "$1: it has failed again" eventually "$patience_sec" state_is failed
    is "$(($(starts) - before))" 1 "$1: it was started once for that"
}
node cp /etc/sendense/tunnel/hub-key /root/hub-key
node cp /etc/sendense/tunnel/key /root/key
node tee /etc/sendense/tunnel/hub-key <<<rubbish >/dev/null
without "a hub's key that is none" 'hub-key is no public key of the form'
node rm /etc/sendense/tunnel/hub-key
without "no hub's key" "Cannot read the hub's key /etc/sendense/tunnel/hub-key: No such file or directory\. sendense-node enroll stores it"
node cp /root/hub-key /etc/sendense/tunnel/hub-key
node rm /etc/sendense/tunnel/key
without "no key of its own" "Cannot read this node's key /etc/sendense/tunnel/key: No such file or directory\. sendense-node enroll makes it"
node install -m 600 /root/key /etc/sendense/tunnel/key
ok "with both it starts" node systemctl restart sendense-tunnel.service
works "at the end"
done_testing
