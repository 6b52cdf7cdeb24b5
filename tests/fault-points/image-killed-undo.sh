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
mapfile -t undo <<<"$hits"
ok "the undoing passes many points" test "${#undo[@]}" -ge 10
is "$(grep -c '^layers.unlink.before:' <<<"$hits")" 3 "it removes three layers"
rounds undone sendense-image "${undo[@]}"
done_testing
