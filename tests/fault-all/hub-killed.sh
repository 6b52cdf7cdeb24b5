#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The hub is killed at every hit of every fault point that a completed and a cancelled backup of three disks pass, but for the
# commits of the completed one, which have a test of their own. Its shorter form is in the suite fault-points.

. "$(dirname "$0")/../lib/tap.sh"
. "$SENDENSE_SRC/tests/fault/machine.bash"
. "$SENDENSE_SRC/tests/fault-points/rounds.bash"

rounds_up
for scenario in completed cancelled; do
    hits_of "$scenario" sendense-hub
    [ "$scenario" = cancelled ] || hits=$(grep -v '^store\.commit\.' <<<"$hits")
    mapfile -t every <<<"$hits"
    rounds "$scenario" sendense-hub "${every[@]}"
done
done_testing
