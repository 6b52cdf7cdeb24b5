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
# A point that no scenario passes would never be tried: points.txt says which test each belongs to.
is "$(names <<<"$completed"$'\n'"$cancelled" | LC_ALL=C comm -12 - <(points_listed 'fault-points/hub-killed(-cancelled|-commits)?'))" \
    "$(points_listed 'fault-points/hub-killed(-cancelled|-commits)?')" "the two scenarios pass every fault point that is theirs"
is "$(points_listed '.*')" "$(points_of sendense-hub)" "and each of the hub belongs to some test"

mapfile -t first < <(grep -E ':1$' <<<"$cancelled" | LC_ALL=C sort | LC_ALL=C comm -23 - <(LC_ALL=C sort <<<"$completed"))
ok "there are enough places to die at" test "${#first[@]}" -ge 5
rounds cancelled sendense-hub "${first[@]}"
done_testing
