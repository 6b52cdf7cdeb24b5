#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the first hit of each fault point that only a backup by a node passes: its start at the node, the copied disks,
# the release of the snapshot, and the release of one that is cancelled. All points of whole backups are for the suite e2e-points.
. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/e2e/e2e.bash"
. "$SENDENSE_SRC/tests/e2e-points/points.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

hub_killed_up
left=$(points_listed fault-points/hub-killed-e2e)
for scenario in committed cancelled; do
    passes "$scenario"
    mapfile -t ours < <(names <<<"$hits" | LC_ALL=C comm -12 - <(echo "$left"))
    ok "$scenario: it passes some that are left" test "${#ours[@]}" -ge 1
    hub_killed_at "$scenario" '' "${ours[@]/%/:1}"
    left=$(printf '%s\n' "${ours[@]}" | LC_ALL=C comm -13 - <(echo "$left"))
done
is "$left" '' "that were all points of such jobs"
done_testing
