#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A vCenter as an operator has it, hub and node on one machine: added in every wrong way and in the right one, asked, its VMs found
# and entered, its certificate renewed, its password changed, removed. And the password is nowhere that it should not be.
machine=hub

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

cat >"$TEST_TMP/often" <<'X'
#!/bin/bash
printf '[Tunnel]\nHealthSec=1s\n' | install -D -m 644 /dev/stdin "$2/etc/sendense/hub.conf.d/60-often.conf"
X
chmod +x "$TEST_TMP/often"

node_up '' --hook "$TEST_TMP/often"
vcenter_up -empty
vm_new 8M
port=$(sed -E 's/.*:([0-9]+)\/.*/\1/' <<<"$url")
require "the hub is ready" eventually "$patience_sec" in_node 'busctl get-property com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager State | grep -q running'

manager() { node busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager "$@"; }
ctl() { # ARGUMENT...: in $answer, with $typed or the password as the password
    # shellcheck disable=SC2016 # expanded in the machine
    answer=$(printf '%s\n' "${typed-$(password)}" | in_node 'exec sendensectl "$@"' "$@" 2>&1)
}
add() { ctl vcenter add main "${host-$peer_address}" --user="$user" --port="$port" --password-fd=0 "$@"; }
vcenters() { manager ListVcenters 'a{sv}' 0 | jq -r '[.data[0][].Name.data] | join(" ")'; }

# No node yet.
add --accept-certificate
like "$answer" 'No node answers' "without a node there is nobody who could ask it"
ok "a node of this machine is added" manager AddNode 'ssa{sv}' here '' 1 local b true
digest=$(manager EnrolNode 'ssa{sv}' '' '' 1 name s here | jq -r '.data[3]')
ok "and gets its token" in_node 'echo "hub $1" >>/etc/sendense/node-api.tokens && systemctl try-restart sendense-node-api.service' "$digest"
reachable() { [ "$(manager GetNode 'sa{sv}' here 0 | jq -r .data[0].Reachable.data)" = true ]; }
ok "it answers" eventually "$patience_sec" reachable

# Every wrong way.
add
like "$answer" 'Subject: .*' "a certificate that nobody vouches for is shown"
like "$answer" 'not trusted.*--pin=([0-9A-F]{2}:){31}[0-9A-F]{2}' "and not trusted"
pin=$(grep -oE 'pin=[0-9A-F:]+' <<<"$answer" | cut -d= -f2)
answer=$(password | in_node 'head -c -1 >/run/password; chmod 600 /run/password; busctl --json=short call com.sendense.Hub1 /com/sendense/Hub1 com.sendense.Hub1.Manager ShowCertificate "sa{sv}" "$1" 1 port q "$2"; rm /run/password' "$peer_address" "$port")
is "$(jq -r .data[0].Sha256.data <<<"$answer")" "$pin" "the hub's own method shows the same"
typed=wrong-secret add --accept-certificate
like "$answer" 'refuses: .*(password|log)' "a wrong password is not taken"
host=nowhere.invalid add --pin="$pin"
like "$answer" 'refuses: .*nowhere\.invalid' "nor a host that is not there"
add --pin="${pin//[1-9]/0}"
like "$answer" "refuses: .*pinned .*now $pin" "nor another pin"
add --through=nowhere --pin="$pin"
like "$answer" "no node 'nowhere'.*sendensectl node list" "nor a node that is not there"
is "$(vcenters)" '' "nothing of it was stored"

# The right one.
add --accept-certificate
like "$answer" 'vCenter main is added\. Its VMs: sendensectl vm discover main' "with its certificate accepted it is added"
ctl vcenter list
like "$answer" "main +$peer_address +$port +$user +yes +any +0" "and listed"
ctl vcenter test main
like "$answer" 'Kind: +VirtualCenter' "its login is good"
ctl vm discover main
like "$answer" "web01 +poweredOn +1 +(incremental|full) +no +$uuid" "its VM is found"
like "$(node sendensectl vm list)" 'knows no VM' "and not entered"
ctl vm discover main web01
like "$answer" "Context: +ctx-web01-.*" "it is entered when it is named"
like "$(node sendensectl vm list)" 'web01 +main +ctx-web01-.* 1 ' "as one of this vCenter"
ctl vm discover main DC0/vm/nothing
like "$answer" 'refuses: .*DC0/vm/nothing' "a path that is not there"
simctl disk add vm=web01 disk=4M >/dev/null
ctl vm discover main "$uuid"
is "$(manager GetVm 'sa{sv}' web01 0 | jq '.data[0].Disks.data | length')" 2 "a disk more is there when it is found again" || diag "$answer"
clean "discovered"
simctl vm add name=odd01 disks=4M >/dev/null
simctl disk lost vm=odd01 key=2000 >/dev/null
ctl vm discover main
like "$answer" "odd01 +poweredOn +0 +no +vCenter shows disk 2000 without a capacity" "a VM whose disk has lost its datastore is shown with that"
like "$answer" "web01 +poweredOn +2 " "and the others as ever"
simctl vm remove vm=odd01 >/dev/null

# Another password.
new=ganz-anderes-geheimnis-7
typed=$new ctl vcenter rotate main --password-fd=0
like "$answer" 'refuses: ' "a password that is not good yet is not taken"
ctl vcenter test main
like "$answer" 'VirtualCenter' "and the old one is still good"
typed=$new ctl vcenter rotate main --password-fd=0 --untested
ctl vcenter test main
like "$answer" 'refuses: ' "one that was taken untested is not"
ctl vcenter rotate main --password-fd=0
like "$answer" 'has its new password' "the good one is taken again"

# The certificate is renewed: the same place, another peer.
first=$(password)
simctl stop >/dev/null
# shellcheck disable=SC2016 # expanded in the machine
in_node 'rm -rf /srv/sim2; mkdir /srv/sim2' && require "another vCenter is in its place" on "$peer" env SENDENSE_BUILD="$inner_build" "$simctl_bin" start /srv/sim2 -empty -l "127.0.0.1:$port"
password() { on "$peer" cat /srv/sim2/password; }
ctl vcenter test main
like "$answer" "refuses: .*not the pinned one: pinned $pin" "another certificate is told, with both"
like "$answer" 'pin it: sendensectl vcenter rotate NAME --accept-certificate' "and by which command it is trusted"
ctl vcenter rotate main --password-fd=0
like "$answer" 'refuses: .*not the pinned one' "a new password does not help"
ctl vcenter rotate main --password-fd=0 --accept-certificate
like "$answer" 'has its new password' "the new certificate is accepted"
ctl vcenter test main
like "$answer" 'VirtualCenter' "and is good"

# Removed; what is left of the passwords.
ctl vcenter remove main
like "$answer" 'refuses: VMs of vCenter main are known: ctx-web01-' "it is not removed while it has VMs"
ctl vcenter remove main --force
like "$answer" 'removed' "with force it is"
like "$(node sendensectl vm list)" 'web01 +- +ctx-web01-' "its VM belongs to none"
for word in "$(password)" "$first" "$new" wrong-secret; do
    # shellcheck disable=SC2016 # expanded in the machine
    is "$(printf '%s\n' "$word" | in_node 'IFS= read -r word; hex=$(printf %s "$word" | od -An -tx1 | tr -d " \n")
        grep -rlaiF -e "$word" -e "$hex" /var/lib/mysql /var/lib/sendense* /run/sendense* /run/systemd/transient /etc/sendense 2>/dev/null
        journalctl -q --no-pager -o cat | grep -cF -e "$word"')" 0 "a password is in no file, in no line of the journal and not in the database"
done
is "$(node systemctl list-units --all --plain --no-legend 'sendense-vsphere-*')" '' "no unit is left"
done_testing
