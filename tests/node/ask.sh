#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Questions about a vCenter at the node's HTTP API: its certificate, its login, its VMs; every way in which one fails, how many may
# wait at once, and what a node that dies in the middle of one leaves behind: nothing.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up $'[Vsphere]\nAskSec=10s'
vcenter_up -empty
vm_new 8M
port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")

# question KIND [JQ]: asked at the node, answered in $answer.
body() {
    jq -nc --arg user "$user" --arg password "$(password)" --arg host "$peer_address" --argjson port "$port" \
        "{vcenter_host: \$host, vcenter_port: \$port, vcenter_user: \$user, vcenter_password: \$password, ca_file: \"/etc/sendense/ca.pem\"} | ${1:-.}"
}
question() { answer=$(api POST "vcenter/$1" "$(body "${2:-.}")"); }
said() { cut -d' ' -f2- <<<"$answer" | jq -r "$1"; }

question certificate '{vcenter_host, vcenter_port}'
is "$(said '[.verified, has("result")] | tojson')" '[false,false]' "the certificate is shown to everybody, and no CA of the system has signed it" || diag "$answer"
pin=$(said .sha256)
like "$pin" '^([0-9A-F]{2}:){31}[0-9A-F]{2}$' "with its SHA-256"
question certificate '{vcenter_host, vcenter_port, ca_file}'
is "$(said .verified)" true "a CA that is given has"
question certificate
like "$answer" '^400 .*vcenter_' "a password has no place in that question"

question test
is "$(said .api_type)" VirtualCenter "a login that is good says what it is" || diag "$answer"
question test 'del(.ca_file)'
like "$answer" '^502 .*CertificateInvalid' "without the CA it is not trusted"
like "$answer" "$pin" "and what could be pinned is shown"
question test "del(.ca_file) | .pin_sha256 = \"$pin\""
like "$answer" '^200 ' "pinned it is"
question test "del(.ca_file) | .pin_sha256 = \"${pin//[1-9]/0}\""
like "$answer" '^502 .*CertificateChanged' "another pin: it has changed"
question test '.vcenter_password = "wrong"'
like "$answer" '^502 .*VCenterLogin' "a wrong password"
question test '.vcenter_host = "nowhere.invalid"'
like "$answer" '^502 .*VCenterUnreachable' "a host that is not there"
question test 'del(.vcenter_password)'
like "$answer" '^400 .*vcenter_password' "a login without a password"
like "$(api POST vcenter/snapshot '{}')" '^404 ' "another question there is none"

question discover
is "$(said '[.vms[] | [.name, .instance_uuid, (.disks | length)]] | tojson')" "[[\"web01\",\"$uuid\",1]]" "the VMs, with their disks" || diag "$answer"
question discover ".instance_uuid = \"$uuid\""
is "$(said '.vms[0].path')" DC0/vm/web01 "one by its identity"
question discover '.path = "/DC0/vm/web01"'
is "$(said '.vms[0].name')" web01 "one by its path"
question discover '.name = "web01"'
is "$(said '.vms | length')" 1 "those of a name"
question discover '.name = "web"'
is "$(said '.vms | length')" 0 "of which there may be none"
question discover '.path = "/DC0/vm/none"'
like "$answer" '^404 .*VmMissing' "one that is not there"

# Time, and how many at once. Slow after the login: one that is given up on its way leaves a session that only vCenter can end.
simctl fault delay method=CurrentTime ms=40000 count=0 >/dev/null
asking() { [ "$(node systemctl list-units --plain --no-legend --state=running 'sendense-vsphere-*-ask.service' | wc -l)" = "$1" ]; }
for i in 1 2 3 4 5; do api POST vcenter/test "$(body)" >"$TEST_TMP/slow-$i" & done
ok "four questions are at work" eventually "$patience_sec" asking 4
wait
is "$(grep -cE '^502 .*VCenterUnreachable.*10 s .*AskSec' "$TEST_TMP"/slow-* | cut -d: -f2 | paste -sd' ')" "1 1 1 1 1" "their time is up, and that of the fifth, too"
simctl faults clear >/dev/null
simctl fault delay method=CurrentTime ms=500 count=0 >/dev/null
for i in {1..9}; do api POST vcenter/test "$(body)" >"$TEST_TMP/turn-$i" & done
wait
is "$(cut -c1-4 "$TEST_TMP"/turn-* | sort | uniq -c | tr -s ' ')" " 9 200 " "nine have their turns"
simctl faults clear >/dev/null
simctl fault delay method=CurrentTime ms=40000 count=0 >/dev/null
clean "time is up"

# A node that is killed while one waits.
api POST vcenter/test "$(body)" >"$TEST_TMP/killed" &
ok "a question waits" eventually "$patience_sec" asking 1
node systemctl kill --signal=KILL --kill-whom=main sendense-node.service
wait
like "$(<"$TEST_TMP/killed")" '^50[034] ' "the node is killed: its caller has an error"
simctl faults clear >/dev/null
clean "the node is killed"
question test
like "$answer" '^200 ' "the next one is answered"
clean "all"
no_secret "questions"
done_testing
