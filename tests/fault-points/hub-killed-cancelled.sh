#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at the fault points that only a cancelled job passes: it goes on undoing and never resumes what was
# given up. And every fault point of the hub is passed by a completed or by a cancelled job.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
hits_of completed sendense-hub
completed=$hits
hits_of cancelled sendense-hub
cancelled=$hits
# A point that no scenario passes would never be tried. Those of the nodes' files are tried in hub-killed-nodes, those of a copy by a
# node in tests/e2e-points, those of jobs about a backup that is there in tests/restore-points.
elsewhere='^(node-files|node|release|undo\.release|work)\.'
is "$(names <<<"$completed"$'\n'"$cancelled" | grep -Ev "$elsewhere")" "$(points_of sendense-hub | grep -Ev "$elsewhere")" \
    "the two scenarios pass every fault point of the hub"

mapfile -t first < <(grep -E ':1$' <<<"$cancelled" | LC_ALL=C sort | LC_ALL=C comm -23 - <(LC_ALL=C sort <<<"$completed"))
ok "there are enough places to die at" test "${#first[@]}" -ge 5
rounds cancelled sendense-hub "${first[@]}"
done_testing
