#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A node whose disks are read by nbdkit's vddk plugin, as node.conf says; a plugin of ours stands in for VMware's. Full, by changes, and
# of a VM with a snapshot of its user, which no other way can read. A plugin that is not there is told before bytes are copied.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

plugin=/srv/build/tests/vddk-stand-in/nbdkit-vddk-stand-in.so
node_up "[Copy]
Transport=vddk
[Vddk]
Plugin=$plugin
LibDir=/srv/host"
vcenter_up -empty
vm_new 8M:fill=4M,4M:fill=2M
# Where the stand-in finds what the simulator's hosts would serve.
# shellcheck disable=SC2016 # expanded in the machine
require "the hosts' disks" in_node '
    set -e
    mkdir -p /srv/host/datastores
    SENDENSE_BUILD=$2 "$1" -C /srv/sim ready datastores | jq -r ".[] | select(.dc == \"DC0\") | [.name, .dir] | @tsv" |
        while IFS=$(printf "\t") read -r name folder; do ln -s "$folder" "/srv/host/datastores/$name"; done
    SENDENSE_BUILD=$2 "$1" -C /srv/sim ready sha1 >/srv/host/thumbprint
    cp /srv/sim/password /srv/host/password
    chmod a+r /srv/host/password' "$simctl_bin" "$inner_build"
# VMware's library asks a host, which is root there; the stand-in opens the files itself.
readable() {
    in_node 'readlink -f /srv/host/datastores/* | while read -r folder; do
        chmod -R a+rX "$folder"
        while [ "$folder" != / ]; do chmod a+x "$folder"; folder=$(dirname "$folder"); done
    done'
}
copied() { state_is copied || state_is failed; }

# What listens, before a copy and while a child of one is held in its middle. VDDK listens nowhere; nor may nbdkit, or whatever it executes
# anew, but on the socket in its private folder.
in_node '
    chmod a+rwx /srv/host
    install -D -m 644 /dev/stdin /etc/systemd/system/sendense-copy-.service.d/90-host.conf && systemctl daemon-reload
    echo 3 >/srv/host/stop-at-read
    chmod a+rw /srv/host/stop-at-read' <<'X'
[Service]
ReadWritePaths=/srv/host
X
ports() { node ss -Hltun | awk '{ print $1, $5 }' | sort; }
sockets() { node ss -Hlx | awk '$1 != "u_dgr" { print $5 }' | sort; }
held() { in_node 'ps -eo pid=,stat=,args= | awk "\$2 ~ /T/ && /vddk-stand-in/ { print \$1 }"'; }

readable
targets_up full
ports >"$TEST_TMP/ports"
sockets >"$TEST_TMP/sockets"
backup full
ok "a child stands in the middle of the copy" eventually "$patience_sec" node test -e /srv/host/stopped
is "$(ports)" "$(<"$TEST_TMP/ports")" "no port is listened on that was not before"
like "$(<"$TEST_TMP/ports")" ':8081' "and those of before can be seen"
more=$(sockets | comm -13 "$TEST_TMP/sockets" -)
like "$more" '^/tmp/sendense-nbdkit-[^/]+/socket' "but on a socket"
unlike "$more" '^[^/]|^/[^t]|^/tmp/[^s]' "and nowhere else, for any of the disks"
child=$(held)
is "$(in_node 'stat -c %a "/proc/$1/root$(dirname "$2")"; ls -d "$(dirname "$2")" 2>/dev/null' "$child" "$(head -n 1 <<<"$more")")" 700 \
    "in a private folder, which only the copy can see"
ok "it goes on" node kill -CONT "$child"
ok "a full" eventually "$patience_sec" copied
is "$(task '.state + " " + .error')" "copied " "it is copied" || diag "$(task .)"
targets_down
same full
release committed >/dev/null
ok "released" eventually "$patience_sec" state_is released
clean "a full"

# A snapshot of the user makes deltas of the disks, which the datastore cannot give.
simctl vm user-snapshot name=web01 >/dev/null
readable
targets_up delta
backup full
ok "beside a user's snapshot" eventually "$patience_sec" copied
is "$(task '.state + " " + .error')" "copied " "it is copied" || diag "$(task .)"
targets_down
same delta
release committed >/dev/null
ok "released, too" eventually "$patience_sec" state_is released

node sed -i 's|^Plugin=.*|Plugin=/nowhere/plugin.so|' /etc/sendense/node.conf.d/50-test.conf
node systemctl restart sendense-node.service
targets_up none
backup full
ok "a plugin that is not there" eventually "$patience_sec" state_is failed || diag "$answer" "$(task .)"
like "$(task .error)" '/nowhere/plugin.so' "is named"
targets_down
done_testing
