#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the fault points that only a job about a backup that is there passes: a verification, a mount and its end, a
# restore of a disk. Each point once, in the first of these that passes it. The job ends as it should, what it showed or wrote is the
# backup, and nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
left=$(points_listed fault-points/hub-killed-work)
for kind in verify mount restore; do
    [ -n "$left" ] || break
    work_points "$kind" "$left"
    work_rounds "$kind" "${points[@]}"
    left=$(printf '%s\n' "${points[@]}" | LC_ALL=C comm -13 - <(echo "$left"))
done
is "$left" '' "that were all points of such jobs"
ok "a backup works after all that" backup again
done_testing
