#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What goes through the tunnel: disks both ways, many connections at once, connections that end halfway, rudely or not at all, and the
# way back to the node's API. Keys are exchanged anew in the middle.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/tunnel/tunnel-lab.bash"

tunnel_lab_up
# Often, so that every copy here meets it.
require "keys change after 16 MiB" in_hub 'install -d /run/systemd/system/sendense-sshd.service.d && printf "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -f /run/sendense-sshd/sshd_config -o RekeyLimit=16M\n" >/run/systemd/system/sendense-sshd.service.d/90-test.conf &&
    systemctl daemon-reload && systemctl restart sendense-sshd'
tunnel_up
is "$(node ss -Hltn | grep -c '127\.0\.0\.1:10[12][0-9][0-9] ')" 101 "the node listens on every port of the range"
ok "all sessions stand" eventually "$patience_sec" all_sessions
echo_server 10110
works "an echo"

server 10100 nbdkit -f -i 127.0.0.1 -p 10100 memory 128M
# shellcheck disable=SC2016 # expanded in the machine
ok "a disk goes to the hub and back, by several connections" in_node '
    nbdkit -f -U /tmp/source.sock sparse-random size=128M percent=60 seed=5 & pid=$!
    until [ -S /tmp/source.sock ]; do sleep 0.05; done
    nbdcopy "nbd+unix:///?socket=/tmp/source.sock" nbd://127.0.0.1:10100 &&
        nbdcopy "nbd+unix:///?socket=/tmp/source.sock" /tmp/sent && nbdcopy nbd://127.0.0.1:10100 /tmp/got &&
        cmp /tmp/sent /tmp/got
    rc=$?; kill $pid; rm -f /tmp/sent /tmp/got; exit $rc'

# libssh reads 4 KiB at a time, and the tunnel more for it.
# shellcheck disable=SC2016 # expanded in the machine
ok "bytes from the hub are taken in large pieces" in_node '
    pid=$(systemctl show --value -p MainPID sendense-tunnel.service)
    strace -f -qq -c -e trace=recvfrom -o /tmp/calls -p "$pid" & tracer=$!
    for task in /proc/$pid/task/*; do until grep -q "^TracerPid:.*[1-9]" "$task/status"; do sleep 0.05; done; done
    nbdcopy nbd://127.0.0.1:10100 /tmp/got; rc=$?
    kill -INT $tracer; wait $tracer
    [ $rc = 0 ] && awk "\$NF == \"recvfrom\" { n = \$4 } END { exit !(n > 0 && n < 16384) }" /tmp/calls' ||
    diag "$(node cat /tmp/calls)"

# Half a connection: what the client ends, the server hears; what the server says after that still comes.
server 10111 socat TCP4-LISTEN:10111,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:sum=$(sha256sum); echo "heard $sum"'
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_node 'printf all | socat -t 30 - TCP4:127.0.0.1:10111')" "heard $(printf all | sha256sum | tr -s ' ')" "the end of one direction passes, the other stays open"

# A port where nobody listens at the hub: such a connection ends, and none of the others, which share its sessions.
node systemd-run --quiet --unit=talk --service-type=exec -p StandardOutput=truncate:/srv/talk -- bash -c \
    '{ for ((i = 0; i < 60; i++)); do echo "$i"; sleep 0.1; done; } | socat -t 60 - TCP4:127.0.0.1:10110'
logins() { hub journalctl --quiet --sync && hub journalctl -q -o cat -u sendense-sshd | grep -c 'Accepted publickey'; }
sessions=$(logins)
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_node 'for ((i = 0; i < 40; i++)); do timeout 20 socat -u TCP4:127.0.0.1:10150 - & done; wait; echo over')" over "40 connections to nobody end"
talked() { [ "$(node cat /srv/talk | tail -n 1)" = 59 ]; }
ok "one that talked meanwhile was not disturbed" eventually "$patience_sec" talked || diag "$(node cat /srv/talk | tail -n 2)"
is "$(logins)" "$sessions" "and no session was opened anew"

# Eight that are there at once, each with a megabyte: two on each session.
none_open() { [[ $(tunnel_status) == *" 0 connections"* ]]; }
ok "no other connection is open" eventually "$patience_sec" none_open || diag "$(tunnel_status)"
# shellcheck disable=SC2016 # expanded in the machine
spread=$(in_node '
    sent() { ss -HtniO "dport = 443" | sed -nE "s/.*:([0-9]+) +[0-9.]+:443 .* bytes_sent:([0-9]+) .*/\1 \2/p" | sort; }
    before=$(sent)
    for ((i = 10; i < 18; i++)); do eval "exec $i<>/dev/tcp/127.0.0.1/10110"; done
    for ((i = 10; i < 18; i++)); do head -c 1000000 /dev/zero >&"$i" & head -c 1000000 <&"$i" >/dev/null & done
    wait
    join <(echo "$before") <(sent) | awk "{ print (\$3 - \$2 >= 2000000 && \$3 - \$2 < 2500000) ? \"two\" : \$3 - \$2 }" | paste -sd" "')
is "$spread" "two two two two" "eight connections are spread over the four sessions"

# 500 at once.
# shellcheck disable=SC2016 # expanded in the machine
is "$(in_node 'for ((i = 0; i < 500; i++)); do { echo "line $i" | timeout 60 socat -t 60 - TCP4:127.0.0.1:10110; } & done; wait' | sort -u | wc -l)" 500 \
    "500 connections at once all get their answer"

# One that never writes, and one that resets, leave nothing.
server 10112 socat TCP4-LISTEN:10112,bind=127.0.0.1,fork,reuseaddr 'SYSTEM:cat /dev/zero'
node systemd-run --quiet --unit=mute --service-type=exec -- socat -u 'EXEC:sleep 1000' TCP4:127.0.0.1:10110
works "beside one that never writes"
node systemctl stop mute
# A hundred of them: what lies in memory is bounded for all together. Those that take nothing go when others wait for their room, and who
# reads is served beside them.
require "clients that never read are there" lab copy-in node "$SENDENSE_SRC/tests/tunnel/deaf.py" /srv/deaf.py
require "and somebody who talks" lab copy-in hub "$SENDENSE_SRC/tests/tunnel/flood.py" /srv/flood.py
server 10115 python3 /srv/flood.py 10115
pid=$(node systemctl show --value -p MainPID sendense-tunnel.service)
require "its peak is counted anew" in_node "echo 5 >/proc/$pid/clear_refs"
node systemd-run --quiet --unit=deaf --service-type=exec -- python3 /srv/deaf.py 10115 100
connections() { tunnel_status | sed -nE 's/.*; ([0-9]+) connections.*/\1/p'; }
all_came() { [ "$(connections)" = 100 ]; }
ok "a hundred come" eventually "$patience_sec" all_came || diag "$(tunnel_status)"
few_left() { [ "$(connections)" -le 40 ]; }
ok "of a hundred that never read most are closed" eventually "$patience_sec" few_left || diag "$(tunnel_status)"
works "beside a hundred that never read"
diag "$(tunnel_status)"
ok "not all of them are" test "$(connections)" -ge 8
node journalctl --quiet --sync
like "$(node journalctl -q -o cat -u sendense-tunnel)" '[0-9]+ connections have taken nothing for 10 s' "it says so"
peak_kib=$(node awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status")
diag "peak: $peak_kib KiB"
ok "they never filled its memory" test "$peak_kib" -gt 0 -a "$peak_kib" -lt 65536
node systemctl stop deaf
for _ in 1 2 3 4 5; do
    in_node 'exec 3<>/dev/tcp/127.0.0.1/10112; head -c 100000 <&3 >/dev/null' # ends with unread bytes: a reset
done
gone() { [[ $(tunnel_status) == *" 0 connections"* ]] && [ "$(hub ss -Htn state established 'sport = 10112' | wc -l)" = 0 ]; }
ok "connections that were reset are gone at both ends" eventually "$patience_sec" gone || diag "$(tunnel_status)"
works "after all that"

# What it counts.
require "the node's API" node systemctl start sendense-node-api.socket sendense-node.service
counted() { node busctl --json=short get-property com.sendense.Node1 /com/sendense/Node1 com.sendense.Node1.Manager Tunnel | jq -c "$1"; }
is "$(counted '[.data.State, .data.Hub, .data.Port, .data.Sessions, .data.SessionsWanted] | map(.data)')" '["connected","hub",443,4,4]' "the node tells how its tunnel is"
ok "and what it has carried" test "$(counted '.data.Opened.data > 500 and .data.Refused.data == 40 and .data.BytesUp.data > 3000000')" = true || diag "$(counted .data)"
node systemctl stop sendense-tunnel.socket sendense-tunnel.service
is "$(counted .data)" '{}' "without a tunnel it tells nothing"

# By one session. One that never reads, at either end, is not read for: what lies in memory and on the way stays
# small, and the others on the same session go on.
node_config "Sessions=1"
tunnel_up
pid=$(node systemctl show --value -p MainPID sendense-tunnel.service)
works "one session"
# What it waits for are events, and what is due; nothing ticks.
# shellcheck disable=SC2016 # expanded in the machine
timeouts=$(in_node 'timeout -s INT 12 strace -f -qq -e trace=ppoll -o /tmp/waits -p "$1"; grep "(Timeout)" /tmp/waits | grep -vc "tv_sec=0, tv_nsec=0}"' "$pid")
diag "$timeouts waits of an idle session have run out in 12 s"
ok "an idle session wakes up when something is due, and for nothing else" test "$timeouts" -ge 1 -a "$timeouts" -le 4
resident_kib() { node awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
moved() { node ss -HtniO 'dport = 443' | grep -oP "bytes_$1:\K[0-9]+"; } # sent|received
# stands_still DIRECTION BYTES: until something has come beyond those, and no more than keepalives for two seconds.
stands_still() {
    # shellcheck disable=SC2016 # expanded in the machine
    in_node 'count() { ss -HtniO "dport = 443" | grep -oP "bytes_$1:\K[0-9]+"; }
        for ((i = 0; i < 60; i++)); do
            before=$(count "$1"); sleep 2; now=$(count "$1")
            [ $((before - $2)) -lt 65536 ] || [ $((now - before)) -ge 10000 ] || exit 0
        done
        exit 1' "$1" "$2"
}
# not_read_for NAME DIRECTION NODE-COMMAND...
not_read_for() {
    local kib bytes
    kib=$(resident_kib) bytes=$(moved "$2")
    node systemd-run --quiet --collect --unit=rude --service-type=exec -- "${@:3}"
    ok "$1: comes to a stand" stands_still "$2" "$bytes"
    bytes=$((($(moved "$2") - bytes) / 1024)) kib=$(($(resident_kib) - kib))
    diag "$1: $bytes KiB have passed, $kib KiB more are resident"
    ok "$1: something has passed, and not much" test "$bytes" -ge 64 -a "$bytes" -le 32768
    ok "$1: little lies in memory" test "$kib" -le 16384
    works "$1: beside it, on the same session"
    node systemctl stop rude
}
not_read_for "a client that never reads" received socat -u TCP4:127.0.0.1:10112 'EXEC:sleep 1000'
server 10114 socat -u TCP4-LISTEN:10114,bind=127.0.0.1,fork,reuseaddr 'EXEC:sleep 1000'
not_read_for "a server that never reads" sent socat -u OPEN:/dev/zero TCP4:127.0.0.1:10114
node_config ""
tunnel_up

# The way back.
like "$(hub curl -s --max-time 20 -o /dev/null -w '%{http_code}' http://127.0.0.1:9081/api/v1/health)" '^(200|401)$' "the hub reaches the node's API"
done_testing
