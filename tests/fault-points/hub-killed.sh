#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the first hit of each of its fault points, and at each commit of a transaction, while a VM with
# three disks is backed up; then at those that only a cancelled job passes. Systemd brings it back: the job completes, or
# is undone when it was cancelled; nothing is left, earlier backups are untouched, and the next incremental works.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-hub
completed=$hits
hits_of cancelled sendense-hub
cancelled=$hits
# A point that no scenario passes would never be tried.
is "$(names <<<"$completed"$'\n'"$cancelled")" "$(points_of sendense-hub)" "the two scenarios pass every fault point of the hub"

mapfile -t first < <(grep -E ':1$|^store\.commit\.' <<<"$completed")
ok "there are enough places to die at" test "${#first[@]}" -ge 40
rounds completed "${first[@]}"
mapfile -t first < <(grep -E ':1$' <<<"$cancelled" | LC_ALL=C sort | LC_ALL=C comm -23 - <(LC_ALL=C sort <<<"$completed"))
ok "and more that only a cancelled job passes" test "${#first[@]}" -ge 5
rounds cancelled "${first[@]}"
done_testing
