#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the node tells of a backup: disks that were left out and why, warnings, digests; that a VM was gone when its snapshot was to be
# removed; and on the bus that an object goes. A vCenter that is busy is asked again. Names that are cut within a letter take no text along.

. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/node-lab.bash"

node_up
vcenter_up -empty
vm_new 8M:fill=4M
simctl disk add vm=web01 disk=8M:independent >/dev/null
targets_up told
node systemd-run -q --unit=bus-monitor -p StandardOutput=file:/srv/signals -- dbus-monitor --system "type='signal',sender='com.sendense.Node1'"

# The first snapshot's task ends in "another task is in progress", and nothing was done.
simctl fault task-error method=CreateSnapshot_Task fault=TaskInProgress count=2 >/dev/null
# A name that is cut within a letter.
long=x$(printf 'ж%.0s' {1..60})
backup full ".vm_name = \"$long\""
ok "a busy vCenter is asked again" eventually "$patience_sec" state_is copied || diag "$answer" "$(task .)"
is "$(simctl faults | jq '[.[] | select(.kind == "task-error").fired] | add')" 2 "it was busy twice" || diag "$(simctl faults)"
is "$(task '[.excluded[].key] | length')" 1 "a disk that is left out is told"
like "$(task '.excluded[0].reason')" 'independent' "and why"
like "$(task '.warnings | type')" array "warnings are a list"
like "$(task '.quiesced')" '^(true|false)$' "whether the guest was quiesced is told"
like "$(api GET "backup/$job/result" | cut -d' ' -f2- | jq -r '.disks[0].digest.algorithm')" sha256 "the result has the digests"
is "$(api GET "backup/$job/result" | cut -d' ' -f2- | jq -c .)" "$(node jq -c . "/var/lib/sendense-node/ledger/$job.result")" "as the copy gave them"

# The VM's datastore is away when its snapshot is to be removed: vCenter finds it by no UUID, and that is no reason to forget it.
simctl vm inaccessible vm=web01 >/dev/null
release committed >/dev/null
is_away() { [[ $(task .release_error) == *'is there and inaccessible'* ]]; }
ok "a VM that is inaccessible: its snapshot cannot be removed, and why is told" eventually "$patience_sec" is_away || diag "$(task .)"
is "$(task '.state + " " + (.owes_snapshot | tostring)') $(simctl snapshots | jq length)" "releasing true 1" "it is owed, for it is there"
ok "the node is restarted" node systemctl restart sendense-node
release_with_password() { api POST "backup/$job/release" "$(jq -nc --arg password "$(password)" '{outcome: "committed", vcenter_password: $password}')" >/dev/null; }
release_with_password
simctl vm inaccessible vm=web01 on=0 >/dev/null
ok "the VM is back: the snapshot goes" eventually "$patience_sec" state_is released || diag "$(task .)"
is "$(task '[.warnings[] | select(test("is not at"))] | length') $(simctl snapshots | jq length)" "0 0" "and nobody says that there was none" || diag "$(task .warnings)"
clean "a VM that was inaccessible"

# Somebody deletes the VM while its snapshot is held.
targets_down
targets_up deleted
backup full ".vm_name = \"$long\""
ok "another one is copied" eventually "$patience_sec" state_is copied || diag "$answer" "$(task .)"
simctl vm remove vm=web01 >/dev/null
release committed >/dev/null
ok "the VM is gone, and the job ends" eventually "$patience_sec" state_is released || diag "$(task .)"
like "$(task '.warnings | join("; ")')" "xж+\?? is not at .* any more, so there was no snapshot to remove. .*look for its snapshot 'sendense-" "that is told"
ok "and logged" in_node 'journalctl --sync; journalctl -q -t sendense-node -p warning | grep -q "ж?* is not at "'
targets_down
clean "a VM that is gone"

# A new attempt takes the place of the old: its object goes and comes.
simctl fault soap-fault method=Login fault=InvalidLogin >/dev/null
targets='{"2000":"nbd://127.0.0.1:10101/none"}'
ok "nothing is copied" test "$(backup full; eventually "$patience_sec" state_is failed; api GET "backup/$job/result" | cut -d' ' -f1)" = 404
job=$((job + 1))
api POST backup/start "$(request full)" >/dev/null
ok "an attempt fails" eventually "$patience_sec" state_is failed || diag "$(task .)"
api POST backup/start "$(request full '.attempt = 2')" >/dev/null
second() { [ "$(task '"\(.attempt) \(.state)"')" = "2 failed" ]; }
ok "so does the next" eventually "$patience_sec" second || diag "$(task .)"
gone() { node grep -A2 "member=InterfacesRemoved" /srv/signals | grep -q "task/$job\""; }
ok "the bus was told that the first one's object went" eventually "$patience_sec" gone || diag "$(node tail -n 40 /srv/signals)"

# A disk without a target, whose path is cut within a letter.
simctl faults clear >/dev/null
long=x$long # the 80th byte of its path is the first half of a letter
simctl vm add name="$long" disks=8M,8M >/dev/null
job=$((job + 1))
api POST backup/start "$(request full ".vm_name = \"$long\" | .vm_path = \"DC0/vm/$long\" | .instance_uuid = \"$(simctl vm list | jq -r --arg n "$long" '.[] | select(.name == $n).instance_uuid')\"")" >/dev/null
ok "a disk without a target" eventually "$patience_sec" state_is failed || diag "$(task .)"
like "$(task '.error_name + ": " + .error')" 'DisksChanged: Disk 2001 \(.*xxж+\?\) has no target in nbd_targets' "is told by its name, as much of it as there is room for"
simctl vm remove vm="$long" >/dev/null

# The user's password becomes another while the snapshot is held: the release brings it along, and what the node had is forgotten.
simctl faults clear >/dev/null
vm_new 8M:fill=4M
refused_logins() { node journalctl --sync && node journalctl -q -t sendense-node | grep -c 'no login for .* is known'; }
targets_up another
backup full
ok "one is copied" eventually "$patience_sec" state_is copied || diag "$answer" "$(task .)"
simctl password new='another & "better" one' >/dev/null
release_with_password
ok "the release has the new password: the snapshot goes" eventually "$patience_sec" state_is released || diag "$(task .)"
is "$(refused_logins)" 0 "the old one was not even tried"
targets_down
clean "another password"

# The release has none: the old one is refused once. A node that is restarted has no password then, and takes the one that comes.
targets_up none
backup full
ok "one more is copied" eventually "$patience_sec" state_is copied || diag "$answer" "$(task .)"
simctl password new=yet-another >/dev/null
before=$(refused_logins)
release committed >/dev/null
is_refused() { [ "$(refused_logins)" -gt "$before" ]; }
is_owed() { [ "$(task '.state + " " + (.owes_snapshot | tostring)')" = "releasing true" ]; }
ok "without it the snapshot cannot be removed" eventually "$patience_sec" is_refused || diag "$(task .)"
ok "the node is restarted" node systemctl restart sendense-node
ok "the snapshot is owed still" eventually "$patience_sec" is_owed || diag "$(task .)"
release_with_password
ok "with it, it goes" eventually "$patience_sec" state_is released || diag "$(task .)"
targets_down
clean "a password after a restart"
no_secret "a password after a restart"

# The user that took the snapshot may not log in any more: the release brings another one along, and is obeyed as him.
targets_up renewed
backup full
ok "another is copied" eventually "$patience_sec" state_is copied || diag "$answer" "$(task .)"
old=$user
place=${url#https://} place=${place%/sdk}
simctl stop >/dev/null
in_peer 'mv /srv/sim /srv/sim.before; mkdir /srv/sim'
vcenter_up -empty -l "$place" -user keeper@vsphere.local
on "$peer" cat "$ca" | node install -m 644 /dev/stdin /etc/sendense/ca.pem
simctl vm add name=web01 disks=8M >/dev/null
before=$(refused_logins)
release committed >/dev/null
ok "as $old its snapshot cannot be removed" eventually "$patience_sec" is_refused || diag "$(task .)"
is "$(task '.state + " " + (.owes_snapshot | tostring)')" "releasing true" "it is owed"
answer=$(api POST snapshots/cleanup "$(request full)")
is "$(task '.owes_snapshot')" true "a login of another user is not this one's" || diag "$answer"
api POST "backup/$job/release" "$(jq -nc --arg user "$user" --arg password "$(password)" '{outcome: "committed", vcenter_user: $user, vcenter_password: $password}')" >/dev/null
ok "as $user it can, whom the release names" eventually "$patience_sec" state_is released || diag "$(task .)"
is "$(node jq -r .Request.vcenter_user "/var/lib/sendense-node/ledger/$job.json")" "$user" "which the ledger keeps"
targets_down
clean "another user"
no_secret "another user"
done_testing
