#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the first hit of each of its fault points that a backup of three disks passes. Systemd brings it
# back: the job completes, nothing is left, earlier backups are untouched, and the next incremental works. The points of a
# cancellation have a test of their own; later hits are for the suite fault-all.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-hub
is "$(names <<<"$hits" | LC_ALL=C comm -12 - <(points_listed fault-points/hub-killed))" "$(points_listed fault-points/hub-killed)" \
    "it passes every fault point that is its"
mapfile -t first < <(grep -E ':1$' <<<"$hits")
ok "there are enough places to die at" test "${#first[@]}" -ge 27
calm_every=8
rounds completed sendense-hub "${first[@]}"
done_testing
