#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The three faults of the network: a pulled cable is seen, silence is not, and delay delays.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/lab/with-lab.bash"

# say TEXT TO SECONDS: node says TEXT to an echo service and prints what comes back within that time, or the error.
say() { on node timeout $(($3 + 5)) socat -t"$3" - "TCP:$2,connect-timeout=$3" <<<"$1" 2>&1; }
carrier() { on node cat /sys/class/net/eth0/carrier; }

lab_up --names "hub node"
on hub systemd-run -q --unit=echo socat TCP-LISTEN:7000,reuseaddr,fork EXEC:cat
ok "the echo service is there" eventually 30 on hub sh -c "ss -Hltn 'sport = 7000' | grep -q ."
is "$(say hello hub:7000 5)" hello "node talks to hub"

lab link node down
sees_it() { [ "$(on node cat /sys/class/net/eth0/operstate)" = down ]; }
ok "node sees that its cable is pulled" eventually 20 sees_it
unlike "$(say hello hub:7000 1)" hello "nothing passes"
lab link node up
cable_is_back() { [ "$(carrier)" = 1 ]; }
ok "the cable is back" eventually 20 cable_is_back
is "$(say hello hub:7000 5)" hello "and so is the connection"

# One connection is open before the silence, says a word in it, and gets the answer after it.
on node systemd-run -q --unit=talk bash -c 'exec 3<>/dev/tcp/hub/7000
    talk() { echo "$1" >&3; read -r answer <&3; echo "$answer" >>/root/out; }
    talk one
    until [ -e /root/go ]; do sleep 0.05; done
    talk two'
ok "a connection is open" eventually 30 on node grep -qx one /root/out
lab drop hub on
is "$(on node cat /sys/class/net/eth0/carrier)" 1 "in silence, the carrier stays"
on node touch /root/go
like "$(say hello hub:7000 1)" "timed out" "a new connection hangs: no refusal, no ICMP"
is "$(on node cat /root/out)" one "the open connection hangs"
is "$(on node systemctl is-active talk)" active "and is not reset"
is "$(on hub sh -c 'nft list ruleset')" "" "nothing of it is to be seen in the machine"
lab drop hub off
ok "after the silence it continues where it was" eventually 20 on node grep -qx two /root/out

ok "a delay of 150 ms each way starts" lab delay 150 node:8000 hub:7000
begin=${EPOCHREALTIME/[.,]/}
is "$(say slowly node:8000 5)" slowly "the delayed path works"
took=$(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
ok "an answer took $took ms, at least twice 150" test "$took" -ge 300
on node sh -c 'head -c 20000000 /dev/urandom >/root/data'
is "$(on node sh -c 'socat -t30 - TCP:node:8000 </root/data | sha256sum')" "$(on node sh -c 'sha256sum </root/data')" \
    "20 MB come back whole, their end included"
not_ok "a second proxy on the same port is refused" lab delay 1 node:8000 hub:7000
ok "the delay ends" lab delay off node:8000
unlike "$(say hello node:8000 1)" hello "nobody listens there any more"
ok "a delay for a port where nobody listens starts" lab delay 1 lab:8001 hub:9
is "$(on node socat -t5 - TCP:lab:8001 </dev/null 2>&1 | grep -c reset)" 0 "and its clients are not kept waiting"
done_testing
