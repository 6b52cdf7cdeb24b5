#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# New packages over old ones while a node copies from a vCenter: the same process copies on, the new node knows the task and still has its
# login, and gives the snapshot back.
machine=hub

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/packages/packages.bash"
. "$SENDENSE_SRC/tests/node/node-lab.bash"

all=(sendense-common sendense-hub sendense-node sendensectl)
for version in 1 2; do packages_make $version --build "$SENDENSE_BUILD"; done
node_up '' --bind "$debs:/debs"
node rm -f /usr/sbin/policy-rc.d
ok "version 1 is installed" installs 1 "${all[@]}"
vcenter_up -empty
vm_new 256M:fill=200M

pid_of() { node systemctl show --value -p MainPID "$1"; }
copying() { [ "$(pid_of "sendense-copy-$job")" != 0 ]; }
targets_up upgraded
simctl fault delay method=FolderGet ms=2000 count=0 >/dev/null
backup full
ok "a copy begins" eventually "$patience_sec" state_is copying || diag "$(task .)"
ok "and runs" eventually "$patience_sec" copying
copy=$(pid_of "sendense-copy-$job") old=$(pid_of sendense-node)
ok "version 2 is installed meanwhile" installs 2 "${all[@]}"
ok "the node is another process" test "$(pid_of sendense-node)" != "$old" -a "$(pid_of sendense-node)" != 0
is "$(pid_of "sendense-copy-$job")" "$copy" "the same process copies"
simctl faults clear >/dev/null
ok "it is copied" eventually "$patience_sec" state_is copied || diag "$(task .)"
release committed >/dev/null
gone() { [ "$(simctl snapshots | jq length)" = 0 ]; }
ok "the snapshot is given back, with the login of before" eventually "$patience_sec" gone || diag "$(task .)"
same upgraded
is "$(node systemctl list-units --failed --plain --no-legend)" "" "no unit has failed"
targets_down
done_testing
