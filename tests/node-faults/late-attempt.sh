#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A copy that stands still and wakes up late cannot write into the next attempt: that one is not taken before the first has ended,
# with its process; and the images of both are their own.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/node/node-lab.bash"

node_up
vcenter_up -empty
vm_new 16M:fill=12M

copy_pid() { node systemctl show --value -p MainPID "sendense-copy-$job.service"; }
copy_runs() { [ "$(copy_pid)" != 0 ]; }
same_start() { jq -c ".attempt = $1" <<<"$body"; }
taken() { [[ $(api POST backup/start "$1") == 202\ * ]]; }

targets_up first
simctl fault delay method=FolderGet ms=300 count=0 >/dev/null
backup full
body=$(request full)
ok "attempt 1 copies" eventually "$patience_sec" copy_runs || diag "$answer" "$(task .)"
pid=$(copy_pid)
node kill -STOP "$pid"
like "$(api POST backup/start "$(same_start 2)")" '^409 .*must end first' "while it stands still, attempt 2 is not taken"
is "$(copy_pid)" "$pid" "nor is attempt 1 harmed"
like "$(api DELETE "backup/$job")" '^202 ' "it is cancelled"

# Asked again and again: the moment it is taken, nothing of attempt 1 is there any more.
targets_down
before=$(in_node 'sha256sum /srv/first-2000.qcow2')
targets_up second
body=$(request full)
ok "then attempt 2 is taken" eventually "$patience_sec" taken "$(same_start 2)" || diag "$(task .)"
not_ok "the process of attempt 1 is gone by then" node test -e "/proc/$pid"
simctl faults clear >/dev/null
node kill -CONT "$pid" 2>/dev/null
second() { [ "$(task '"\(.attempt) \(.state)"')" = "2 copied" ]; }
ok "attempt 2 is copied" eventually "$patience_sec" second || diag "$(task .)"
like "$(api POST backup/start "$(same_start 1)")" '^409 ' "attempt 1 cannot come back"
is "$(task .snapshot_name | sed 's/.*-//')" 2 "the snapshot is that of attempt 2"
is "$(simctl snapshots | jq length)" 1 "and the only one"
targets_down
same second
is "$(in_node 'sha256sum /srv/first-2000.qcow2')" "$before" "the image of attempt 1 is as it was"
release committed >/dev/null
ok "and is released" eventually "$patience_sec" state_is released
clean "two attempts"
done_testing
