#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the fault points that only a job about a backup that is there passes: a verification, a restore of a disk, a
# mount and its end. The job ends as it should, what it showed or wrote is the backup, and nothing is left.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up

# Each point by each kind of job that passes it.
ours=$(points_listed fault-points/hub-killed-work)
tried=
for kind in verify restore mount; do
    require "a $kind without a kill" backup work_recorded "$kind"
    mapfile -t points < <(hub awk '$4 == "sendense-hub" { print $1 }' /run/recorded | LC_ALL=C sort -u | grep -xF "$ours")
    n_bad=0
    for point in "${points[@]}"; do
        bad=
        out=$(backup work_round "$point:1" "$kind" 2>&1) || bad+=" $out"
        out=$(nothing_left 2>&1) || bad+=" $out"
        [ -z "$bad" ] || diag "$kind, $point:$bad"
        n_bad=$((n_bad + (${#bad} > 0)))
        tried+=$point$'\n'
    done
    is "$n_bad" 0 "$kind: the hub is killed at each of ${#points[@]} points, the job ends as it should and leaves nothing"
done
is "$(LC_ALL=C sort -u <<<"${tried%$'\n'}")" "$ours" "that were all points of such jobs"
ok "a backup works after all that" backup again
done_testing
