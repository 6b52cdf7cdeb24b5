#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the fault points that only a cancelled job passes: it goes on undoing and never resumes what was
# given up. And every fault point of the hub belongs to some test.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
ours=$(points_listed fault-points/hub-killed-cancelled)
hits_of cancelled sendense-hub
# A point that no scenario passes would never be tried: points.txt says which test each belongs to.
is "$(names <<<"$hits" | LC_ALL=C comm -12 - <(echo "$ours"))" "$ours" "it passes every fault point that is its"
is "$(points_listed '.*')" "$(points_of sendense-hub)" "and each of the hub belongs to some test"

mapfile -t points <<<"$ours"
ok "there are enough places to die at" test "${#points[@]}" -ge 5
calm_every=4
rounds cancelled sendense-hub "${points[@]/%/:1}"
done_testing
