#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the fault points that only a job about a backup that is there passes, at each in every kind of job that
# passes it: a verification, a restore of a disk, a mount and its end.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
ours=$(points_listed fault-points/hub-killed-work)
for kind in verify restore mount; do
    work_points "$kind" "$ours"
    ok "$kind: there are places to die at" test "${#points[@]}" -ge 3
    work_rounds "$kind" "${points[@]}"
done
ok "a backup works after all that" backup again
done_testing
