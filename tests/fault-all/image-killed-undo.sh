#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-image is killed between any two durable steps of undoing what a cancelled backup of three disks has made. It is
# run again, and nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
# Recorded and obeyed from the copy on: preparing the backup unlinks, too.
hits_of undone sendense-image
# Before an unlink is after the one before it.
mapfile -t undo < <(awk '!/^layers\.unlink\.before:/ || !n++' <<<"$hits")
ok "the undoing passes many points" test "${#undo[@]}" -ge 10
is "$(grep -vcE '^layers\.(unlink|rmdir|sync-folder)\.' <<<"$hits")" 0 "all of them of removing"
rounds undone sendense-image "${undo[@]}"
done_testing
