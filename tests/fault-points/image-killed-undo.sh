#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sendense-image is killed between any two durable steps of undoing what a cancelled backup of three disks has made. It is
# run again, and nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of cancelled sendense-image
mapfile -t undo < <(sed -n '/^layers\.unlink\./,$p' <<<"$hits")
ok "the undoing passes many points" test "${#undo[@]}" -ge 10
rounds cancelled sendense-image "${undo[@]}"
done_testing
