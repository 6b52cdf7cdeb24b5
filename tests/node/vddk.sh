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

readable
targets_up full
backup full
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
